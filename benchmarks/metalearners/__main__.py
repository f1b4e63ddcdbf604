"""What do the methods reach? Training runs, and tests on unseen tasks; the results stay beside this file.

    python -m benchmarks.metalearners [NAME ...] [--seed SEED] [--runs FOLDER] [--device DEVICE]

A run that was interrupted goes on. For each it keeps in results/NAME/seed-SEED the metrics of every
meta-update and their curve, the effective config, what it took, and the returns on 40 unseen tasks after
0 … 3 steps of an untrained policy and of the trained one. Where the MAML paper has the tasks,
test-paper-tasks.csv is of its 40, by its protocol.
"""

from pathlib import Path

from benchmarks.paper.__main__ import test_options
from benchmarks.paper.methods import TASKS
from benchmarks.running import TEST_SEED, learn_each, maml_rl, parse_names
from maml_rl.config.methods import DEFAULT_METHOD, METHODS

HERE = Path(__file__).parent
OTHERS = [method for method in METHODS if method != DEFAULT_METHOD]
CORNERS = ("--config", "configs/maml/navigation-corners.yaml")
VELOCITY = ("--config", "configs/paper/cheetah-vel.yaml", "--num-batches", 200, "--metalearner")
EXPERIMENTS: dict[str, tuple[object, ...]] = {
    "maml-trpo-navigation": ("--config", "configs/paper/navigation.yaml"),
    **{f"{method}-navigation": ("--config", f"configs/{method}/navigation.yaml") for method in OTHERS},
    "maml-trpo-corners": CORNERS,
    "maml-trpo-likelihood-ratio-corners": (*CORNERS, "--inner-loss", "likelihood-ratio"),
    "e-maml-corners": (*CORNERS, "--metalearner", "e-maml"),
    "promp-corners": ("--config", "configs/promp/navigation-corners.yaml"),
    **{f"{method}-cheetah-vel": (*VELOCITY, method) for method in (DEFAULT_METHOD, "anil", "meta-sgd")},
    # Step size and size of the context are those of Zintgraf et al. 2019.
    "cavia-cheetah-vel": (*VELOCITY, "cavia", "--context-size", 50, "--fast-lr", 10),
    "promp-halfcheetah-dir": ("--config", "configs/promp/halfcheetah-dir.yaml"),
}
"""Arguments of ``maml-rl train``, by name."""


def main() -> None:
    """Run the named experiments, or all."""
    arguments = parse_names(__doc__, EXPERIMENTS, list(EXPERIMENTS), "metalearners")
    learn_each(arguments, EXPERIMENTS, HERE)
    for name in arguments.names:
        run = arguments.runs / f"{name}-{arguments.seed}"
        test_on_paper_tasks(name, run, HERE / "results" / name / f"seed-{arguments.seed}")


def test_on_paper_tasks(name: str, run: Path, target: Path) -> None:
    """Test the policy of a run on the MAML paper's tasks, if it has such."""
    for task in TASKS:
        if name.endswith(f"-{task}"):
            policy = ("--config", run / "config.json", "--policy", run / "policy.th", "--seed", TEST_SEED)
            results = target / "test-paper-tasks.npz"
            maml_rl("test", *policy, *test_options(task, "maml"), "--output", results, "--overwrite")
            for other in (results, results.with_suffix(".png")):  # The CSV has the numbers.
                other.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
