"""YAML as JSON and YAML 1.2 have it, on PyYAML's reader, which by itself speaks YAML 1.1."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.scanner import ScannerError

from maml_rl._system.yaml_file import DEEPEST, TOO_DEEP, check_text
from maml_rl.errors import shown

CORE = "tag:yaml.org,2002:"
EITHER_WAY = "!either-way"
"""Tag of words and numbers that YAML 1.1 and 1.2 read differently, and a user may mean either way."""
PLAIN = {
    f"{CORE}null": r"~|null|Null|NULL|",
    f"{CORE}bool": r"true|True|TRUE|false|False|FALSE",
    f"{CORE}int": r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+",
    f"{CORE}float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
    f"{CORE}merge": r"<<",
    EITHER_WAY: (
        r"(?i:yes|no|on|off)"
        r"|[-+]?0[0-9_]+|[-+]?[0-9]+_[0-9_]*(?:\.[0-9_]*)?|[-+]?0b[01_]+"  # 017, 1_000, 0b1
        r"|[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?"  # 1:30
        r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?"  # 2020-01-01
    ),
}
"""What an unquoted word is, by its tag; a string where none matches."""
LONGEST_INTEGER = 4000
"""Characters; Python writes none of many more digits."""


class PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader, for plain data alone: no dates, sets or bytes."""

    yaml_implicit_resolvers = {None: [(tag, re.compile(rf"(?:{form})\Z")) for tag, form in PLAIN.items()]}

    def fetch_flow_collection_start(self, kind: type[yaml.Token]) -> None:
        """Read a bracket, if it is not too deep: the time that PyYAML takes grows with the depth's square."""
        if self.flow_level > DEEPEST:
            raise ScannerError(None, None, TOO_DEEP, self.get_mark())
        super().fetch_flow_collection_start(kind)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the object of a node; whatever keeps a tag from fitting its text is an error of YAML."""
        try:
            return super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except Exception:  # The constructors of PyYAML trust the text that a tag is put before.
            name = node.tag.removeprefix(CORE)
            raise _error(node, f"expected what '!!{name}' stands for, got {shown(node.value)}") from None


def compose(text: str) -> yaml.Node | None:
    """Return the one document in ``text`` as a tree of nodes; None if there is none.

    Raises:
        ValueError: it is not YAML.
    """
    return _in_one_line(lambda: PlainLoader(text).get_single_node())


def construct(node: yaml.Node | None) -> object:
    """Return the plain data that the nodes stand for.

    Raises:
        ValueError: a value is not what its tag says, or a mapping cannot have its key.
    """
    if node is None:
        return None
    return _in_one_line(lambda: PlainLoader("").construct_document(node))


def parts(node: yaml.Node | None) -> Iterable[yaml.Node]:
    """Return the nodes in a sequence or mapping; nothing for anything else.

    Raises:
        ValueError: a mapping has a key twice, or a text is not Unicode.
    """
    if isinstance(node, yaml.MappingNode):
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := [key for key, times in keys.items() if times > 1 and key != "<<"]:
            raise ValueError(f"{shown(twice[0])} is given twice (line {node.start_mark.line + 1})")
        return [part for pair in node.value for part in pair]
    if isinstance(node, yaml.ScalarNode):
        check_text(node.value)
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _in_one_line(step: Callable[[], Any]) -> Any:
    try:
        return step()
    except yaml.MarkedYAMLError as error:
        said = ", ".join(part for part in (error.context, error.problem) if part)
        mark = error.problem_mark or error.context_mark
        raise ValueError(said if mark is None else f"{said} (line {mark.line + 1})") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    except OverflowError as error:  # Of an escape such as "\UFFFFFFFF".
        raise ValueError(str(error)) from None


def _error(node: yaml.Node, problem: str) -> ConstructorError:
    return ConstructorError(None, None, problem, node.start_mark)


def _int(loader: PlainLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    if len(text) > LONGEST_INTEGER:
        raise _error(node, f"a number of {len(text)} digits")
    return int(text, 0)


def _either_way(loader: PlainLoader, node: yaml.ScalarNode) -> object:
    text = loader.construct_scalar(node)
    meant = "true or false" if text.isalpha() else "a plain number"
    raise _error(node, f"{shown(text)} may be read in two ways: write {meant}, or quote it if it is a word")


_safe = yaml.SafeLoader.yaml_constructors
PlainLoader.yaml_constructors = {
    **{f"{CORE}{name}": _safe[f"{CORE}{name}"] for name in ("null", "bool", "float", "str", "seq", "map")},
    f"{CORE}int": _int,
    EITHER_WAY: _either_way,
    None: _safe[None],
}
