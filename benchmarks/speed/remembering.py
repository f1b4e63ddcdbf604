"""Sampling by a policy that remembers, beside a perceptron's."""

from statistics import median

from benchmarks.speed.measure import Row, take_turns
from benchmarks.speed.sampling import sampling, shipped
from maml_rl.config import Config


def recurrent_over_feed_forward(number: str, bar: float) -> Row:
    """Compare RL²'s env steps per second, 40 tasks of 10 trials of 2 episodes, with MAML's on navigation."""
    maml = shipped("maml/2d-navigation")
    rl2 = Config(
        metalearner="rl2",
        env_name=maml.env_name,
        env_kwargs=maml.env_kwargs,
        meta_batch_size=40,
        fast_batch_size=10,
        num_steps=1,
        tasks_per_item=20,
    )
    with sampling(maml) as feed_forward, sampling(rl2) as recurrent:
        theirs, ours = take_turns(feed_forward, recurrent)
        rates = [
            [steps / seconds for steps, seconds in zip(sample.env_steps[1:], times, strict=True)]
            for sample, times in ((feed_forward, theirs), (recurrent, ours))
        ]
    return Row(
        number,
        "2DNavigation-v0: sampling with rl2, GRU of 64 units, over sampling with maml-trpo, env steps/s",
        "ratio",
        tuple(mine / other for other, mine in zip(*rates, strict=True)),
        bar,
        at_least=True,
        detail=f"{median(rates[1]):,.0f} of {median(rates[0]):,.0f} env steps/s",
    )
