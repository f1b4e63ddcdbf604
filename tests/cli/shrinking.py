"""A ``maml-rl`` that makes light work of any command: the same, on a few tasks and meta-updates.

    python -m tests.cli.shrinking train --config configs/maml/ant-vel.yaml

What needs more than this machine prints why it is left out.
"""

import importlib.util
import re
import sys
from collections.abc import Sequence
from itertools import pairwise

CAPS = {"--num-batches": 3, "--meta-batch-size": 3, "--fast-batch-size": 4, "--num-workers": 2, "--size": 200}
"""The largest value of each option."""
ADDED = {
    "train": {"--num-batches": "1", "--meta-batch-size": "3", "--fast-batch-size": "4", "--num-workers": "0"},
    "test": {"--num-batches": "1", "--meta-batch-size": "3", "--fast-batch-size": "4", "--num-workers": "0"},
    "render": {"--size": "200"},
    "sweep": {"--set": "num-batches=1"},
}
"""What a command gets that does not say it."""
LEFT_OUT = {
    "--sampler ray": "starts a Ray cluster, or needs one: tests/cli/test_ray.py does that",
    "--slurm": "needs Slurm: tests/test_slurm.py has one",
    "my_envs:": "an environment of the reader's own",
}
"""Parts of commands that are not run, and why."""


def left_out(arguments: Sequence[str]) -> str | None:
    """Return why a command is not run; None if it is."""
    line = " ".join(arguments)
    if "MetaWorld/" in line or "runs/reach" in line:
        return None if importlib.util.find_spec("metaworld") else "Meta-World is not installed"
    return next((why for part, why in LEFT_OUT.items() if part in line), None)


def shrunk(arguments: Sequence[str]) -> list[str]:
    """Return the command with its sizes capped."""
    words = list(arguments)
    for i, (option, value) in enumerate(pairwise(list(arguments)), 1):
        if option in CAPS:
            words[i] = str(min(int(value), CAPS[option]))
        elif option == "--seeds":
            words[i] = re.sub(r"^(\d+)-\d+$", lambda found: f"{found[1]}-{int(found[1]) + 1}", value)
    if "--resume" in words or "--help" in words:
        return words
    for option, value in ADDED.get(words[0], {}).items():
        if option not in words or option == "--set":
            words += [option, value]
    return words


if __name__ == "__main__":
    from maml_rl.cli import main

    why = left_out(sys.argv[1:])
    if why is None:
        main(shrunk(sys.argv[1:]))
    else:
        print(f"not run: {why}")
