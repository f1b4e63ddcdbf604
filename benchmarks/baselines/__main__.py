"""Does a better baseline learn faster? Training runs with few episodes; the results stay beside this file.

    python -m benchmarks.baselines [NAME ...] [--seed SEED] [--runs FOLDER]

Tasks, policies and methods are those of configs/paper, with 5 episodes per task in place of 20, 20 tasks a
batch, and 100 meta-updates. A run that was interrupted goes on. How well the advantages are estimated is
measured by ``python -m benchmarks.baselines.advantages``.
"""

from pathlib import Path

from benchmarks.running import learn_each, parse_names

HERE = Path(__file__).parent
FEW_EPISODES = ("--fast-batch-size", 5, "--meta-batch-size", 20, "--num-batches", 100)

EXPERIMENTS: dict[str, tuple[object, ...]] = {
    f"{task}-{baseline}": ("--config", f"configs/paper/{task}.yaml", *FEW_EPISODES, "--baseline", baseline)
    for task in ("cheetah-vel", "ant-vel")
    for baseline in ("linear", "linear-cv")
}
"""Arguments of ``maml-rl train``, by name."""


def main() -> None:
    """Run the named experiments, or all."""
    learn_each(parse_names(__doc__, EXPERIMENTS, list(EXPERIMENTS), "baselines"), EXPERIMENTS, HERE)


if __name__ == "__main__":
    main()
