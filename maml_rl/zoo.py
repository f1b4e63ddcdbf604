"""Configs and trained policies that ship with maml_rl.

In a wheel they are inside the package; in a source tree, where they were written.
"""

from pathlib import Path

from maml_rl.errors import UsageError, did_you_mean

SCHEME = "maml-rl:"
"""``maml-rl://paper/cheetah-dir`` is the policy of that name."""
PACKAGE = Path(__file__).parent
SOURCE = PACKAGE.parent


def shipped_configs() -> list[Path]:
    """Return the paths of the configs."""
    folders = (PACKAGE / "configs", SOURCE / "configs")
    folder = next((folder for folder in folders if folder.is_dir()), None)
    return [] if folder is None else sorted(folder.rglob("*.yaml"))


def shipped_policies() -> dict[str, Path]:
    """Return the folders of the policies by name; each holds ``config.json`` and ``policy.th``."""
    inside = {path.parent for path in (PACKAGE / "trained").glob("*/*/policy.th")}
    if inside:
        return {f"{path.parent.name}/{path.name}": path for path in sorted(inside)}
    written = SOURCE / "benchmarks"
    of_paper = {f"paper/{path.parts[-3]}": path.parent for path in written.glob("paper/*/maml-1/policy.th")}
    of_rl2 = {
        f"rl2/{path.parts[-2]}": path.parent for path in written.glob("exploration/policies/*/policy.th")
    }
    return dict(sorted((of_paper | of_rl2).items()))


def policy_folder(name: Path) -> Path | None:
    """Return the folder of the policy that ``maml-rl://NAME`` names; None for any other path.

    Raises:
        UsageError: no policy of that name ships.
    """
    scheme, *rest = name.parts or ("",)
    if scheme != SCHEME:
        return None
    there = shipped_policies()
    wanted = "/".join(rest)
    if wanted not in there:
        raise UsageError(f"no policy '{wanted}' ships with maml_rl{did_you_mean(wanted, there)}")
    return there[wanted]
