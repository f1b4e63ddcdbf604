"""``python -m maml_rl`` is the ``maml-rl`` command."""

from maml_rl.cli import main

if __name__ == "__main__":
    main()
