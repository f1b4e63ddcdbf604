"""The 2020 spelling of ``maml-rl test``."""

import sys

from maml_rl.cli import main

if __name__ == "__main__":
    main(["test", *sys.argv[1:]])
