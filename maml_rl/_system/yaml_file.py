"""Reading the YAML and JSON that users write."""

import json
from pathlib import Path

from maml_rl._system.reading import read_regular
from maml_rl.errors import UsageError


def read_yaml(path: Path, what: str) -> object:
    """Return what the file holds: plain dicts, lists, strings and numbers.

    Args:
        what: the file is to its reader, for messages.

    Raises:
        UsageError: it is missing, unreadable, or not YAML (for ``.json``: JSON).
    """
    import yaml  # Here for the sake of a quick --help.

    try:
        text = read_regular(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise UsageError(f"cannot read the {what} '{path}': {reason}") from None
    try:
        content: object = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:  # PyYAML lets through what dates raise.
        first_line = " ".join(str(error).split())
        raise UsageError(f"{path} is not valid {path.suffix[1:] or 'YAML'}: {first_line}") from None
    return content
