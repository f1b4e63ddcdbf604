"""What the playground needs of maml_rl: three navigation policies, and how they are trained and tested."""

import base64
import json
from pathlib import Path
from typing import Any

from benchmarks.paper.__main__ import TEST_SEED
from benchmarks.paper.methods import TASKS
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.config import load_config
from maml_rl.envs.goals import GOAL_RADIUS
from maml_rl.envs.navigation import MAX_MOVE, Navigation2DVectorEnv
from maml_rl.training import Run, RunSettings
from maml_rl.training.state import load_theta
from maml_rl.zoo import shipped_policies

TRAINED = shipped_policies()["paper/navigation"]
PRETRAINED = Path(__file__).parents[1] / "benchmarks" / "paper" / "navigation" / "pretrained-1"


def playground_script() -> str:
    """Return the script that hands the data to the page; as a script, it is also read from disk."""
    return f"Playground.data = {json.dumps(playground_data())};\n"


def playground_data() -> dict[str, Any]:
    """Return the layout of a policy's parameters, those of each start, and the settings.

    A start is the base64 of its parameters as little-endian float32. The random one is the untrained policy
    that the paper's figures are compared with (``benchmarks/paper/navigation/random-1``).
    """
    config, _ = load_config(TRAINED / "config.json")
    with Run(config, RunSettings(TEST_SEED)) as run:
        layout, step_size = run.learner.layout, run.learner.adaptation.step_size(1.0)
        starts = {
            "maml": load_theta(TRAINED / "policy.th", layout),
            "pretrained": load_theta(PRETRAINED / "policy.th", layout),
            "random": run.learner.init().theta,
        }
    numbers = {name: theta.numpy().astype("<f4").tobytes() for name, theta in starts.items()}
    return {
        "layout": [[name, list(shape)] for name, shape in layout.shapes.items()],
        "starts": {name: base64.b64encode(raw).decode() for name, raw in numbers.items()},
        "settings": {
            "gamma": config.gamma,
            "lambda": config.gae_lambda,
            "ridge": LinearFeatureBaseline(2).reg_coeff,
            "schedule": TASKS["navigation"].schedule,
            "stepSize": step_size,
            "episodes": config.fast_batch_size,
            "scale": config.env_kwargs["normalization_scale"],
            "maxMove": MAX_MOVE,
            "goalRadius": GOAL_RADIUS,
            "horizon": Navigation2DVectorEnv().max_episode_steps,
        },
    }
