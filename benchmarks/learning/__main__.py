"""Does it learn? Training runs, and tests on unseen tasks; the results stay beside this file.

    python -m benchmarks.learning [NAME ...] [--seed SEED] [--runs FOLDER]

The short runs, if none is named. Those of a name with -2020 train a shipped config to its end, which takes
hours. A run that was interrupted goes on. For each it prints (and writes to results/NAME/seed-SEED/) what the
claims in the README rest on: the metrics of every meta-update and their curve, the effective config, what it
took, and the returns on 40 unseen tasks after 0 … 3 gradient steps of an untrained policy and of the trained
one.
"""

from pathlib import Path

from benchmarks.running import keep, maml_rl, note_cost, parse_names, train
from maml_rl.config import load_config
from maml_rl.evaluation import evaluate, write_csv
from maml_rl.training import Run, RunSettings
from maml_rl.training.files import load_policy

HERE = Path(__file__).parent
TEST_SEED = 2


SHORT: dict[str, tuple[object, ...]] = {
    "tabular-mdp": ("--config", "configs/maml/tabular-mdp.yaml", "--num-batches", 100),
    "bandit-k5-n100": ("--config", "configs/maml/bandit/bandit-k5-n100.yaml"),
    "halfcheetah-dir": ("--config", "configs/maml/halfcheetah-dir.yaml", "--num-batches", 20),
}
WHOLE: dict[str, tuple[object, ...]] = {
    f"{name}-2020": ("--config", f"configs/maml/{name}.yaml")
    for name in ("2d-navigation", "halfcheetah-vel", "halfcheetah-dir", "ant-vel")
}
EXPERIMENTS = SHORT | WHOLE
"""Arguments of ``maml-rl train``, by name."""


def learn(name: str, seed: int, folder: Path) -> None:
    """Train, test before and after training on the same unseen tasks, and keep the results."""
    train(folder, seed, EXPERIMENTS[name])
    config, _ = load_config(folder / "config.json")
    config = config.model_copy(update={"num_steps": 3, "num_batches": 1, "meta_batch_size": 40})
    with Run(config, RunSettings(TEST_SEED, num_workers=2)) as run:
        results = {"untrained": evaluate(run.sampler, config)}
        load_policy(run.policy, folder / "policy.th")
        results["trained"] = evaluate(run.sampler, config)
    target = HERE / "results" / name / f"seed-{seed}"
    keep(folder, target, ["metrics.csv"])
    note_cost(folder, target)
    write_csv(target / "test.csv", results)
    print((target / "test.csv").read_text(encoding="utf-8"))
    maml_rl("plot", folder, "--output", target)
    (target / "paths.png").unlink(missing_ok=True)  # Not those of the test.


def main() -> None:
    """Run the named experiments, or the short ones."""
    arguments = parse_names(__doc__, EXPERIMENTS, list(SHORT), "learning")
    for name in arguments.names:
        learn(name, arguments.seed, arguments.runs / f"{name}-{arguments.seed}")


if __name__ == "__main__":
    main()
