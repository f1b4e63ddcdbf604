import pytest

from maml_rl.config import Config
from maml_rl.errors import UsageError
from maml_rl.training import Run, RunSettings, train


def run(kind: str) -> Run:
    return Run(
        Config(env_name="tests.training.twins:TwinEnv", env_kwargs={"kind": kind}), RunSettings(seed=1)
    )


@pytest.mark.parametrize(
    ("kind", "what"),
    [("scalar", "observations"), ("states", "observations"), ("longer", "actions"), ("choices", "actions")],
)
def test_a_batched_version_with_other_spaces(kind: str, what: str):
    with pytest.raises(
        UsageError, match=f"environment '.*TwinEnv': {what} are Box.*, those of its batched version"
    ):
        run(kind)


def test_bounds_and_precision_may_differ():
    run("alike").close()


@pytest.mark.parametrize("copies", [None, 2])
def test_episodes_in_this_process_leave_the_tasks_as_they_are(copies: int | None):
    name = "tests.envs.peculiar:RelativeTasks"
    sizes = {"fast_batch_size": 2, "meta_batch_size": 3, "num_batches": 1}
    config = Config(env_name=name, env_copies=copies, hidden_sizes=(4,), **sizes)
    with Run(config, RunSettings(seed=1)) as run:
        before = run.sampler.sample_tasks(3, 1)
        list(train(run))
        assert run.sampler.sample_tasks(3, 1) == before
        assert run.env.get_wrapper_attr("goal") == 0.0
        run.copies.close()  # As for a film.
        assert run.sampler.sample_tasks(3, 1) == before
