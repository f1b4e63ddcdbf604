"""The 2020 spelling of ``maml-rl train``."""

import sys

from maml_rl.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
