"""Scripts as users write them: run by an interpreter of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 120
"""Seconds; a script that hangs fails here."""

ROOT = Path(__file__).parents[2]

PREPARED = """
import gymnasium as gym
import maml_rl.envs
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.samplers import MultiTaskSampler
from maml_rl.utils.helpers import get_input_size, get_policy_for_env

env = gym.make("2DNavigation-v0")
policy = get_policy_for_env(env, hidden_sizes=[8], nonlinearity="tanh")
sampler = MultiTaskSampler(
    "2DNavigation-v0", {}, 4, policy, LinearFeatureBaseline(get_input_size(env)), env=env, num_workers=2
)
tasks = sampler.sample_tasks(5)
"""


def run_script(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(text)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at_the_end", "status"),
    [
        ("futures = sampler.sample_async(tasks * 20)\nfutures[0][0][0].result()", 0),
        ("sampler.sample_async(tasks)\nraise SystemExit(3)", 3),
    ],
    ids=["in the middle of work", "exiting early"],
)
def test_a_sampler_never_closed_does_not_keep_the_interpreter(tmp_path: Path, at_the_end: str, status: int):
    done = run_script(tmp_path, PREPARED + at_the_end + "\n")
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.slow
def test_a_sampler_never_closed_leaves_no_process(tmp_path: Path):
    workers = "print(*(worker._process.pid for worker in sampler._sampler._backend._pool._workers))\n"
    done = run_script(tmp_path, PREPARED + workers + "sampler.sample_async(tasks)\n")
    assert done.returncode == 0
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    for pid in pids:
        assert not Path(f"/proc/{pid}").exists() or "maml" not in Path(f"/proc/{pid}/cmdline").read_text()


UNGUARDED = """
import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces

print("the script runs")

from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.policies import NormalMLPPolicy
from maml_rl.samplers import InProcessSampler, MultiTaskSampler


class Mine(gym.Env):
    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def sample_tasks(self, num_tasks):
        return [{"drift": x} for x in self.np_random.standard_normal((num_tasks, 2))]

    def reset_task(self, task):
        self.drift = task["drift"]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = self.np_random.standard_normal(2)
        return self.at.astype(np.float32), {}

    def step(self, action):
        self.at = self.at + 0.1 * action + STRENGTH * self.drift
        return self.at.astype(np.float32), -float(np.abs(self.at).sum()), False, False, {}


STRENGTH = 0.05


def bent(x):
    return torch.where(x > 0, x, STRENGTH * x)


gym.register("Mine-v0", entry_point=Mine, max_episode_steps=7)
torch.manual_seed(0)
policy = NormalMLPPolicy(2, 2, hidden_sizes=(8,), nonlinearity=bent)
arguments = ("Mine-v0", {}, 4, policy, LinearFeatureBaseline(2))
returns = []
for sampler in [InProcessSampler(*arguments, seed=1), MultiTaskSampler(*arguments, seed=1, num_workers=2)]:
    with sampler:
        train, valid = sampler.sample(sampler.sample_tasks(12), num_steps=1, fast_lr=0.1)
    returns.append([float(e.rewards.double().sum()) for e in (*train[0], *valid)])
print(len(returns[0]), returns[0] == returns[1])
"""


def test_what_a_script_defines_works_in_workers_without_a_main_guard(tmp_path: Path):
    done = run_script(tmp_path, UNGUARDED)
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["the script runs", "24 True"]


def test_a_worker_of_a_script_brings_the_scripts_own_lines(tmp_path: Path):
    broken = UNGUARDED.replace("self.drift = task[", "self.drift = task[no_such_name] or task[")
    done = run_script(tmp_path, broken.replace("InProcessSampler(*arguments, seed=1), ", ""))
    assert done.returncode == 1
    assert "WorkerError: a sampler worker failed; its traceback was:" in done.stderr
    assert "NameError: name 'no_such_name' is not defined" in done.stderr
    assert ", in reset_task" in done.stderr


@pytest.mark.slow
def test_interrupting_a_script_ends_it(tmp_path: Path):
    """As Ctrl-C does: the signal reaches every process of the group."""
    # Shells start background jobs with the signal ignored, and a test run may be one.
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    endless = heard + PREPARED + "print('working', flush=True)\nwhile True:\n    sampler.sample(tasks)\n"
    script = tmp_path / "script.py"
    script.write_text(endless)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    os.killpg(process.pid, 2)
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode != 0
    assert errors.count("KeyboardInterrupt") == 1  # The script's own; the workers keep quiet.


@pytest.mark.slow
def test_the_working_folder_is_searched_for_own_modules_and_not_for_pythons(tmp_path: Path):
    """The script lies elsewhere, as the command line does."""
    work, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    work.mkdir()
    elsewhere.mkdir()
    for name in ("random.py", "types.py", "torch.py"):
        (work / name).write_text("raise SystemExit('the wrong module')\n")
    walk = UNGUARDED[UNGUARDED.index("class Mine") : UNGUARDED.index("def bent")]
    (work / "walks.py").write_text(
        "import gymnasium as gym\nimport numpy as np\nfrom gymnasium import spaces\n" + walk
    )
    script = elsewhere / "script.py"
    script.write_text(
        """
import sys
from pathlib import Path

sys.path.append(str(Path.cwd()))

import walks
import gymnasium as gym
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.policies import NormalMLPPolicy
from maml_rl.samplers import MultiTaskSampler
import torch

gym.register("Mine-v0", entry_point="walks:Mine", max_episode_steps=7)
policy = NormalMLPPolicy(2, 2, hidden_sizes=(8,), nonlinearity=torch.tanh)
with MultiTaskSampler("Mine-v0", {}, 4, policy, LinearFeatureBaseline(2), seed=1, num_workers=1) as sampler:
    train, valid = sampler.sample(sampler.sample_tasks(2))
print(len(valid))
"""
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=work,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")
