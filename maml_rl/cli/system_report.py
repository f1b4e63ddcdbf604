"""What a bug report should say of the machine and what is installed on it."""

import multiprocessing
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import maml_rl
from maml_rl._system.processors import processor_name, usable_processors
from maml_rl.errors import UsageError

EXTRA = re.compile(r"""extra == ['"]([\w-]+)['"]""")
EXTRAS = ("slurm", "ray", "video", "metaworld", "wandb")
"""Those that are not for developers."""
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHON_CPU_COUNT", "MUJOCO_GL")


def system_report() -> dict[str, str]:
    """Return what is known by its name. No path, user or host is in it."""
    return {
        **_machine(),
        "packages": ", ".join(f"{name} {_version(name)}" for name in _requirements("")),
        "extras": _extras(),
        **_torch(),
        "numpy": _blas(),
        "threads": _threads(),
        "OpenGL": _opengl(),
        "start methods": _start_methods(),
    }


def _machine() -> dict[str, str]:
    gigabytes = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        gigabytes = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB of memory"
    return {
        "maml-rl": maml_rl.__version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": f"{platform.system()} {platform.release()}, {' '.join(platform.libc_ver()) or 'no glibc'}",
        "processor": f"{processor_name()} ({platform.machine()}), {os.cpu_count()}, "
        f"of which {usable_processors()} usable{gigabytes}",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _requirements(extra: str) -> Iterator[str]:
    """Yield the names of the packages that maml-rl needs: always, or with an extra."""
    try:
        requirements = requires("maml-rl") or []
    except PackageNotFoundError:  # A source tree on the path.
        return
    for requirement in requirements:
        found = EXTRA.search(requirement)
        if (found[1] if found else "") == extra:
            yield re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def _extras() -> str:
    """Return the extras that users install, and what there is of each."""
    found = {extra: [f"{name} {_version(name)}" for name in _requirements(extra)] for extra in EXTRAS}
    return ", ".join(f"{extra} ({', '.join(packages)})" for extra, packages in found.items() if packages)


def _torch() -> dict[str, str]:
    import torch

    built: Any = torch.version
    mkl: Any = torch.backends.mkl
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    build = f"CUDA {built.cuda}" if built.cuda else f"ROCm {built.hip}" if built.hip else "for CPUs"
    capability = torch.backends.cpu.get_cpu_capability()
    products = "with MKL" if mkl.is_available() else "without MKL"
    return {
        "torch": f"{torch.__version__}, {build}, {products}, {capability}",
        "GPUs": ", ".join(gpus) or "none that torch can use",
    }


def _blas() -> str:
    import numpy as np

    found: Any = np.show_config(mode="dicts")
    blas = found["Build Dependencies"]["blas"]
    return f"{np.__version__}, BLAS {blas['name']} {blas['version']}"


def _threads() -> str:
    import torch

    told = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    return f"torch {torch.get_num_threads()}, {', '.join(told) or 'no variable set'}"


def _opengl() -> str:
    from maml_rl.viz.opengl import choose_opengl

    try:
        return choose_opengl()
    except UsageError:
        return "none works"


def _start_methods() -> str:
    default, *others = multiprocessing.get_all_start_methods()
    workers = "spawned" if sys.platform == "win32" else "forked from a server"
    return f"{default} (the default), {', '.join(others)}; workers are {workers}"
