"""The parser draws boxes; what reaches the user is one line."""

import sys

import pytest

from maml_rl.cli.parser_errors import first_section, parser_errors_in_one_line
from maml_rl.errors import UsageError

BOX = """\
╭─ Unrecognized options ────────────────────────╮
│ Unrecognized options: --fast-lrr, 1 that is   │
│ wrapped                                       │
│ ───────────────────────────────────────────── │
│ Perhaps you meant:                            │
│     --fast-lr FLOAT                           │
│         Step size of the inner steps. (0.5)   │
│ ───────────────────────────────────────────── │
│ For full helptext, run maml-rl --help         │
╰───────────────────────────────────────────────╯
"""


@pytest.mark.parametrize("drawn", [BOX, BOX.translate(str.maketrans("╭╮╰╯│─", "     -"))])
def test_the_gist_of_a_box(drawn: str):
    assert first_section(drawn) == (
        "Unrecognized options: --fast-lrr, 1 that is wrapped; perhaps you meant: --fast-lr FLOAT"
    )


@pytest.mark.parametrize("name", ["--tau", "--meta_lr", "--inner-kl"])
def test_names_of_other_code_and_other_methods(name: str):
    said = first_section(BOX.replace("--fast-lrr", name))
    if name == "--inner-kl":
        assert said == "--inner-kl is a key of other methods: promp (--metalearner)"
    else:
        key = {"--tau": "gae-lambda", "--meta_lr": "learning-rate"}[name]
        assert said == f"{name}: unknown option; the config calls it '{key}'"


def test_what_is_no_box_is_kept():
    assert first_section("something else\n") == "something else"


def test_success_and_what_is_printed_on_the_way_pass(capsys: pytest.CaptureFixture[str]):
    with parser_errors_in_one_line():
        print("a warning", file=sys.stderr)
    assert capsys.readouterr().err == "a warning\n"


def test_help_exits_as_it_did():
    with pytest.raises(SystemExit) as end, parser_errors_in_one_line():
        sys.exit(0)
    assert end.value.code == 0


def test_an_exit_becomes_an_error():
    def complain() -> None:
        with parser_errors_in_one_line():
            print(BOX, file=sys.stderr)
            sys.exit(2)

    with pytest.raises(UsageError, match=r"^Unrecognized options"):
        complain()
