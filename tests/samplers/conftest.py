"""Backends that keep the same promises."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """A Ray cluster that the backends of this process use while a module of tests runs."""
    pytest.importorskip("ray")
    from maml_rl.samplers.backends.ray_cluster import RayCluster

    disconnect = RayCluster().connect(cpus=4)
    yield
    disconnect()


@pytest.fixture(params=["processes", pytest.param("ray", marks=pytest.mark.slow)])
def backend(request: pytest.FixtureRequest) -> str:
    """Name of the backend that `make_sampler` shall take."""
    if request.param == "ray":
        request.getfixturevalue("ray_here")
    name: str = request.param
    return name
