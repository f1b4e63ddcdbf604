import re
import subprocess
import sys
from pathlib import Path

import pytest

import maml_rl
import maml_rl.metalearners
from maml_rl.deprecation import gone_in
from maml_rl.metalearners.base import GradientMetaLearner


def test_every_public_name_is_there():
    assert set(maml_rl.__all__) == set(dir(maml_rl)) == {*maml_rl._PLACES, "__version__"}
    for name in maml_rl.__all__:
        assert getattr(maml_rl, name) is not None


def test_names_that_do_not_exist_are_errors():
    name = "tain"
    with pytest.raises(AttributeError, match=r"^module 'maml_rl' has no attribute 'tain'$"):
        getattr(maml_rl, name)


def test_a_name_that_moved_warns_and_works():
    message = (
        "maml_rl.metalearners.GradientBasedMetaLearner is maml_rl.metalearners.base.GradientMetaLearner "
        "since version 0.2; the old name goes in 0.4"
    )
    with pytest.warns(DeprecationWarning, match=f"^{re.escape(message)}$"):
        found = maml_rl.metalearners.GradientBasedMetaLearner
    assert found is GradientMetaLearner


@pytest.mark.parametrize(("since", "gone"), [("0.2", "0.4"), ("0.9", "0.11"), ("1.0", "1.2")])
def test_old_names_go_two_minor_versions_later(since: str, gone: str):
    assert gone_in(since) == gone


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, maml_rl; maml_rl.Config; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_package_says_that_it_is_typed():
    assert Path(maml_rl.__file__).with_name("py.typed").exists()
