"""What users' YAML and JSON stand for, and what is refused in one line."""

import json
import math
import random
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from maml_rl._system.yaml_file import parse_json, parse_yaml, read_yaml
from maml_rl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("1e-3", 0.001), ("-5e-1", -0.5), ("1e5", 1e5), ("1E5", 1e5), (".5e3", 500.0), ("+1.5E+2", 150.0)],
        *[("1.", 1.0), ("-.5", -0.5), ("-.inf", -math.inf), ("12", 12), ("-3", -3), ("+3", 3), ("0", 0)],
        *[("0o17", 15), ("0xff", 255), ("true", True), ("False", False), ("~", None), ("", None)],
        *[("1e", "1e"), ("e3", "e3"), ("1-2", "1-2"), ("nan", "nan"), ("v1.2.3", "v1.2.3"), ("y", "y")],
        *[("'1e-3'", "1e-3"), ("'no'", "no"), ("'1:30'", "1:30"), ("!!str 017", "017"), ("!!float 3", 3.0)],
    ],
)
def test_unquoted_words(text: str, value: object):
    found = parse_yaml(f"[{text}]" if text else "- ")
    assert found == [value]
    assert type(found[0]) is type(value)


@pytest.mark.parametrize("text", ["1e-3", "-5e-1", "1E5", "0.25", "-17", "true", "null", '"1e-3"'])
def test_numbers_are_those_of_json(text: str):
    assert parse_yaml(text) == parse_json(text)


@pytest.mark.parametrize("text", ["yes", "No", "ON", "off"])
def test_words_that_only_old_yaml_takes_for_true_or_false_are_refused(text: str):
    assert isinstance(yaml.safe_load(text), bool)
    with pytest.raises(ValueError, match=rf"'{text}' may be read in two ways: write true or false, or quote"):
        parse_yaml(f"a: {text}")


@pytest.mark.parametrize("text", ["1:30", "017", "1_000", "0b11", "2020-01-01", "-1_0.5", "190:20:30"])
def test_numbers_that_old_yaml_reads_in_its_own_way_are_refused(text: str):
    assert not isinstance(yaml.safe_load(text), str)
    with pytest.raises(ValueError, match=rf"'{text}' may be read in two ways: write a plain number.*line 2"):
        parse_yaml(f"b: 1\na: {text}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: !!bool x", "expected what '!!bool' stands for, got 'x' (line 1)"),
        ("b: 1\na: !!int ''", "expected what '!!int' stands for, got '' (line 2)"),
        ("a: !!float many", "expected what '!!float' stands for"),
        ("a: !!timestamp 99", "could not determine a constructor"),
        ("a: !!binary /w==", "could not determine a constructor"),
        ("a: !!set {x}", "could not determine a constructor"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: &a [*a]", "or an alias contains itself"),
        ("a: &a {<<: *a}", "or an alias contains itself"),
        ("a: *b", "found undefined alias 'b'"),
        ("[" * 60 + "]" * 60, "nested deeper than 50"),
        ("[" * 100_000, "nested deeper than 50"),
        ("- " * 100_000, "nested deeper than 50"),
        ("a: 1\nb: 2\na: 3", "'a' is given twice (line 1)"),
        ("a: 0x" + "f" * 5000, "a number of 5002 digits"),
        ("a: " + "9" * 5000, "a number of 5000 digits"),
        (r'a: "\ud800"', "holds half a character"),
        (r'a: "\UFFFFFFFF"', "too large to convert"),
        ("? [1]\n: 2", "found unhashable key"),
        ("--- 1\n--- 2", "expected a single document"),
    ],
)
def test_yaml_that_is_refused(text: str, complaint: str):
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z") as caught:
        parse_yaml(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("form", ["[{}]", "{{<<: [{}]}}"], ids=["lists", "merges"])
def test_aliases_of_aliases(form: str):
    """Half a kilobyte, which stands for ten thousand million values."""
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{i}: &a{i} " + form.format(", ".join([f"*a{i - 1}"] * 10)) for i in range(1, 11)]
    started = time.perf_counter()
    with pytest.raises(ValueError, match="its aliases stand for too much"):
        parse_yaml("\n".join(lines))
    assert time.perf_counter() - started < 5


def test_aliases_that_repeat_a_little():
    text = "base: &base {low: -1e-1, high: 1}\nmine: {<<: *base, high: 2}\nagain: [*base, *base]"
    base = {"low": -0.1, "high": 1}
    assert parse_yaml(text) == {"base": base, "mine": base | {"high": 2}, "again": [base, base]}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "'a' is given twice"),
        ("[" * 60 + "]" * 60, "nested deeper than 50"),
        ("[" * 100_000, "nested deeper than 50"),
        ('["\\ud800"]', "holds half a character"),
        ("[" + "9" * 5000 + "]", "4300 digits"),
        ('{"a": ', "Expecting value"),
    ],
)
def test_json_that_is_refused(text: str, complaint: str):
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z") as caught:
        parse_json(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", ["c.yaml", "c.json", "c.JSON", "c.conf"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_mark_at_the_beginning_is_passed_over(tmp_path: Path, name: str, encoding: str):
    (tmp_path / name).write_text('{\n\t"a": "é"\n}' if "J" in name else '{"a": "é"}', encoding=encoding)
    assert read_yaml(tmp_path / name, "config") == {"a": "é"}


@pytest.mark.parametrize("name", ["c.yaml", "c.json"])
@pytest.mark.parametrize("encoding", ["utf-16", "gbk", "latin-1"])
def test_other_encodings_are_named(tmp_path: Path, name: str, encoding: str):
    (tmp_path / name).write_bytes('{"a": "°±"}'.encode(encoding))
    with pytest.raises(UsageError, match=r"cannot read the config '.*': not a text file in UTF-8"):
        read_yaml(tmp_path / name, "config")


def test_a_file_without_end_or_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("maml_rl._system.yaml_file.LARGEST", 2**20)
    with pytest.raises(UsageError, match="cannot read the config '/dev/zero': not a regular file"):
        read_yaml(Path("/dev/zero"), "config")
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * 2**20)
    assert read_yaml(path, "config") is None
    path.write_bytes(b"#" * 2**20 + b"#")
    with pytest.raises(UsageError, match=r"cannot read the config '.*': larger than 1 MiB"):
        read_yaml(path, "config")


PIECES = [
    *[
        "a",
        "b",
        "fast-lr",
        "1e-3",
        "-5",
        ".inf",
        "yes",
        "017",
        "1:30",
        "~",
        "null",
        "'",
        '"',
        "\\",
        "\\ud800",
    ],
    *[
        ":",
        ": ",
        ",",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        "\n",
        "\n  ",
        "\t",
        "#",
        "|",
        ">",
        "%",
        "@",
        "`",
        "...",
    ],
    *["&x ", "*x", "<<: ", "!!int ", "!!bool ", "!!map ", "!!null ", "!x ", "!<", "---", "\x00", "\x1b[31m"],
    *["\ufeff", "é", "\u202e", "\x85", "9" * 40, "e99999", "%YAML 1.9\n", "%TAG ! x\n", "=", "<<"],
]


@pytest.mark.parametrize("parse", [parse_yaml, parse_json])
@pytest.mark.parametrize("seed", range(4))
def test_any_text_is_plain_data_or_refused(parse: Any, seed: int):
    rng = random.Random(seed)
    for _ in range(1000):
        text = "".join(rng.choices(PIECES, k=rng.randrange(1, 25)))
        started = time.perf_counter()
        try:
            json.dumps(parse(text), default=pytest.fail)
        except ValueError as error:
            str(UsageError(str(error))).encode()
        except TypeError as error:  # Of JSON, which has no mappings with keys that are None or numbers.
            assert "keys must be" in str(error)  # noqa: PT017
        assert time.perf_counter() - started < 1, text
