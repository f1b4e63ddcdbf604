"""What do MAML-TRPO and RL² reach on Meta-World? Training runs, and success on unseen goals.

    python -m benchmarks.metaworld [NAME ...] [--seed SEED] [--runs FOLDER]

A run that was interrupted goes on. For each it keeps in results/NAME/seed-SEED the metrics of every
meta-update and their curve, the effective config, what it took, and success and return on 50 goals of each
environment: in test.csv those of the test tasks, of ML10 in train.csv those of the train tasks too. Sizes of
batches and networks are those of the JAX baseline, `rainx0r/metaworld-algorithms`.
"""

from pathlib import Path

from benchmarks.running import keep, maml_rl, note_cost, parse_names, test_policy, train
from maml_rl.config import load_config

HERE = Path(__file__).parent
MAML = (
    *("--metalearner", "maml-trpo", "--hidden-sizes", 512, 512, "--nonlinearity", "tanh"),
    *("--fast-lr", 0.1, "--max-kl", 0.01, "--cg-iters", 10, "--gamma", 0.99, "--gae-lambda", 1.0),
)
RL2 = (
    *("--metalearner", "rl2", "--cell", "gru", "--units", 256, "--encoder-sizes", 256, 256),
    *("--episodes-per-trial", 10, "--gamma", 0.99, "--gae-lambda", 0.95, "--reward-scale", 0.1),
    *("--outer", "adam", "--learning-rate", 5e-4, "--epochs", 10, "--clip", 0.2),
    *("--entropy-coefficient", 5e-3, "--chunk", 250, "--overlap", 50),
)
TASKS = {"ML1-reach-v3": 10, "ML1-push-v3": 10, "ML1-pick-place-v3": 10, "ML10": 20}
"""Tasks of a meta-batch."""
MILLIONS = {"ML10": 20}
"""Environment steps of training, in millions, where they are not 2."""
TASKS_PER_ITEM = {"ML10": 1}
"""Tasks that a worker rolls out together, where they are not 10: one each keeps 20 processors busy."""
TESTED = {"ML10": {"test": 250, "train": 500}}
"""Sets of tasks, and how many to test on, where it is not on 50 test tasks."""
STEPS = 500


def experiment(method: str, benchmark: str) -> tuple[object, ...]:
    """Return the arguments of ``maml-rl train``, with as many updates as the steps allow."""
    tasks, steps = TASKS[benchmark], MILLIONS.get(benchmark, 2) * 10**6
    rounds = {"maml-trpo": 2, "rl2": 1}[method]
    of_method = {"maml-trpo": (*MAML, "--fast-batch-size", 10), "rl2": (*RL2, "--fast-batch-size", 1)}[method]
    episodes = 10 * rounds * tasks
    return (
        *("--env-name", f"MetaWorld/{benchmark}", *of_method, "--meta-batch-size", tasks),
        *("--num-batches", steps // (episodes * STEPS), "--checkpoint-every", 1),
        *("--tasks-per-item", TASKS_PER_ITEM.get(benchmark, 10)),
    )


EXPERIMENTS = {
    f"{method}-{benchmark.removesuffix('-v3').lower()}": experiment(method, benchmark)
    for benchmark in TASKS
    for method in ("maml-trpo", "rl2")
}
"""Arguments of ``maml-rl train``, by name."""
QUARTER = (*EXPERIMENTS["maml-trpo-ml1-reach"], "--fisher-fraction", 0.25)
EXPERIMENTS["maml-trpo-quarter-ml1-reach"] = QUARTER  # Is as much learned with cheaper curvature?


def main() -> None:
    """Run the named experiments, or all."""
    arguments = parse_names(__doc__, EXPERIMENTS, list(EXPERIMENTS), "metaworld")
    for name in arguments.names:
        run = arguments.runs / f"{name}-{arguments.seed}"
        train(run, arguments.seed, (*EXPERIMENTS[name], "--device", arguments.device))
        keep_results(name, run, HERE / "results" / name / f"seed-{arguments.seed}")


def keep_results(name: str, run: Path, target: Path) -> None:
    """Test the policy on 50 goals of each environment, and keep what is small of the run."""
    keep(run, target, ["metrics.csv"])
    note_cost(run, target)
    maml_rl("plot", run, "--output", target)
    benchmark = load_config(run / "config.json")[0].env_name.removeprefix("MetaWorld/")
    episodes = ("--num-batches", 1, "--fast-batch-size", 10 if "maml" in name else 1)
    for task_set, tasks in TESTED.get(benchmark, {"test": 50}).items():
        results = target / f"{task_set}.npz"
        test_policy(run, results, *episodes, "--task-set", task_set, "--meta-batch-size", tasks)
        results.unlink()  # The CSV has the numbers.


if __name__ == "__main__":
    main()
