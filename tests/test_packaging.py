"""The source distribution and the wheel: their versions, and whether they run without the source tree."""

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from maml_rl.zoo import shipped_configs, shipped_policies

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
"""Without PYTHONPATH, which would show the source tree."""
SMALL = ("--num-batches", 1, "--meta-batch-size", 2, "--fast-batch-size", 2, "--seed", 1)


def run(*command: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Return what a command prints."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(tree: Path, target: Path, kind: str) -> Path:
    """Build in this environment; return the file."""
    run(sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", target, cwd=tree)
    (built,) = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


def version_of(tree: Path) -> str:
    return run(sys.executable, "-m", "hatchling", "version", cwd=tree).strip()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is committed, with a tag of its own."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("the source tree has no history")
    folder = tmp_path_factory.mktemp("clone") / "tree"
    run("git", "clone", "--quiet", "--no-tags", ROOT, folder, cwd=ROOT)
    run("git", "tag", "v98.76.5", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment with the wheel, and with this environment's packages behind it."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=False)
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = scripts / "python"
    options = ("--quiet", "--no-deps", "--no-index")
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=folder)
    own = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    # Plain paths: an editable install among those packages is not seen.
    (own / "theirs.pth").write_text("".join(f"{sysconfig.get_path(p)}\n" for p in ("purelib", "platlib")))
    return scripts


def test_the_version_is_the_tags(clone: Path, tmp_path: Path):
    assert version_of(clone) == "98.76.5"
    run("git", "archive", "--output", tmp_path / "archive.tar", "v98.76.5", cwd=clone)
    with tarfile.open(tmp_path / "archive.tar") as archive:
        archive.extractall(tmp_path / "archive", filter="data")
    assert version_of(tmp_path / "archive") == "98.76.5"
    (tmp_path / "archive" / ".git_archival.txt").unlink()
    assert version_of(tmp_path / "archive") == "0.0.0"  # Nobody knows.


def test_a_source_distribution_builds_the_same_wheel(clone: Path, tmp_path: Path):
    with tarfile.open(build(clone, tmp_path / "sdist", "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    tree = tmp_path / "maml_rl-98.76.5"
    assert {"README.md", "CHANGELOG.md", "docs", "tests"} <= {path.name for path in tree.iterdir()}
    contents = []
    for source in (clone, tree):
        built = build(source, tmp_path / f"from-{source.name}", "wheel")
        assert built.name == "maml_rl-98.76.5-py3-none-any.whl"
        with zipfile.ZipFile(built) as file:
            contents.append({name: file.read(name) for name in file.namelist()})
    assert contents[0] == contents[1]


def test_all_that_ships_is_in_the_wheel(wheel: Path, installed: Path, tmp_path: Path):
    with zipfile.ZipFile(wheel) as file:
        assert "maml_rl/py.typed" in file.namelist()
    program = (
        "import maml_rl; from maml_rl.zoo import shipped_configs, shipped_policies; "
        "print(maml_rl.__file__); print(len(shipped_configs())); print(*shipped_policies())"
    )
    where, configs, policies = run(
        installed / "python", "-c", program, cwd=tmp_path, env=ENVIRONMENT
    ).splitlines()
    assert Path(where).is_relative_to(installed.parent)
    assert int(configs) == len(shipped_configs())
    assert policies.split() == list(shipped_policies())


def test_it_trains_and_tests_outside_of_the_source_tree(installed: Path, tmp_path: Path):
    def maml_rl(*arguments: object) -> str:
        return run(installed / "maml-rl", *arguments, cwd=tmp_path, env=ENVIRONMENT)

    maml_rl("train", "--env-name", "2DNavigation-v0", *SMALL, "--num-workers", 2, "--output-folder", "run")
    sizes = ("--num-batches", 1, "--meta-batch-size", 2, "--fast-batch-size", 2, "--num-workers", 0)
    maml_rl("test", "--config", "run/config.json", "--policy", "run/policy.th", "--output", "r.npz", *sizes)
    maml_rl("test", "--policy", "maml-rl://paper/navigation", *sizes)
    assert {"policy.th", "metrics.csv", "config.json"} <= {path.name for path in (tmp_path / "run").iterdir()}
    assert "2DNavigation-v0" in maml_rl("info", "run")
    assert f"maml-rl: {maml_rl('--version').split()[1]}\n" in maml_rl("info", "--system")
    assert "paper/navigation" in maml_rl("policies") + maml_rl("configs")
