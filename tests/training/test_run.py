import pytest

from maml_rl.config import Config
from maml_rl.errors import UsageError
from maml_rl.training import Run, RunSettings


def run(kind: str) -> Run:
    return Run(
        Config(env_name="tests.training.twins:TwinEnv", env_kwargs={"kind": kind}), RunSettings(seed=1)
    )


@pytest.mark.parametrize(
    ("kind", "what"),
    [("scalar", "observations"), ("states", "observations"), ("longer", "actions"), ("choices", "actions")],
)
def test_a_batched_version_with_other_spaces(kind: str, what: str):
    with pytest.raises(
        UsageError, match=f"environment '.*TwinEnv': {what} are Box.*, those of its batched version"
    ):
        run(kind)


def test_bounds_and_precision_may_differ():
    run("alike").close()
