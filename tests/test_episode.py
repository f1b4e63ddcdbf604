import numpy as np
import pytest
import torch
from torch import Tensor

from maml_rl.advantages import Credit
from maml_rl.config import MeanOver
from maml_rl.episode import BatchEpisodes, EpisodeData, compute_advantages, get_returns
from maml_rl.policies.distributions import DiagonalNormal
from maml_rl.stacked import stack_data, stack_episodes
from tests.builders import batch, make_policy, random_episodes
from tests.oracles import advantages as oracle

GAMMA = 0.9


def appended_episodes() -> BatchEpisodes:
    """Three episodes of 3, 1 and 2 steps; the observation at step t of episode k is (k, t)."""
    episodes = BatchEpisodes(3, gamma=GAMMA)
    for t, running in enumerate([[0, 1, 2], [0, 2], [0]]):
        episodes.append(
            [np.array([k, t]) for k in running],
            [np.array([10.0 * k + t]) for k in running],
            [100.0 * (k + 1) + t for k in running],
            running,
        )
    return episodes


class TableBaseline:
    """Values that are given, not fitted."""

    def __init__(self, values: Tensor, last_values: Tensor):
        self._values, self._last_values = values, last_values

    def values(self, data: EpisodeData) -> Tensor:
        return self._values

    def last_values(self, data: EpisodeData) -> Tensor:
        return self._last_values


def recorded(truncated: list[bool] | None, last_observations: Tensor | None) -> EpisodeData:
    return EpisodeData(
        torch.zeros(3, 2, 1),
        torch.zeros(3, 2, 1),
        torch.tensor([[1.0, 2.0], [3.0, 0.0], [4.0, 0.0]]),
        torch.tensor([3, 1]),
        last_observations,
        None if truncated is None else torch.tensor(truncated),
    )


def test_ragged_episodes_are_time_major_and_zero_padded():
    episodes = appended_episodes()
    assert len(episodes) == 3
    assert episodes.batch_size == 3
    assert episodes.lengths == [3, 1, 2]
    assert episodes.num_steps == 6
    assert episodes.observations[:, 0].tolist() == [[0, 0], [0, 1], [0, 2]]
    assert episodes.observations[:, 2].tolist() == [[2, 0], [2, 1], [0, 0]]
    assert episodes.actions[..., 0].tolist() == [[0, 10, 20], [1, 0, 21], [2, 0, 0]]
    assert episodes.rewards.tolist() == [[100, 200, 300], [101, 0, 301], [102, 0, 0]]
    assert episodes.mask.tolist() == [[1, 1, 1], [1, 0, 1], [1, 0, 0]]
    assert {x.dtype for x in (episodes.observations, episodes.actions, episodes.rewards)} == {torch.float32}


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_an_episode_may_have_no_steps(empty: int):
    episodes = BatchEpisodes(3)
    filled = [k for k in range(3) if k != empty]
    episodes.append([np.array([k]) for k in filled], [np.array([0.0])] * 2, [k + 1.0 for k in filled], filled)
    assert episodes.rewards.tolist() == [[0.0 if k == empty else k + 1.0 for k in range(3)]]
    assert episodes.lengths == [int(k != empty) for k in range(3)]


def test_returns_are_discounted_and_zero_behind_the_end():
    episodes = appended_episodes()
    expected = oracle.discounted_returns(episodes.rewards.double().numpy(), episodes.lengths, GAMMA)
    np.testing.assert_allclose(episodes.returns, expected, rtol=1e-6)


def test_integer_actions_stay_integers():
    episodes = BatchEpisodes(2)
    episodes.append([[0.0], [1.0]], [np.int32(2), np.int32(1)], [0.0, 0.0], [0, 1])
    assert episodes.actions.dtype == torch.int64
    assert episodes.actions.tolist() == [[2, 1]]


def test_arrays_of_a_vector_environment_can_be_appended():
    episodes = BatchEpisodes(2)
    rewards = np.array([1.0, 2.0], np.float32)
    episodes.append(np.zeros((2, 3), np.float32), np.zeros((2, 1), np.float32), rewards, [1, 0])
    assert episodes.rewards.tolist() == [[2, 1]]


def test_id_none_passes_an_entry_over():
    episodes = BatchEpisodes(2)
    episodes.append([[1.0], [2.0], [3.0]], [[0.0]] * 3, [1.0, 2.0, 3.0], [1, None, 0])
    assert episodes.observations[..., 0].tolist() == [[3, 1]]
    assert episodes.rewards.tolist() == [[3, 1]]


def test_append_copies_arrays_that_environments_reuse():
    observation, action = np.ones(2, np.float32), np.ones(1, np.float32)
    episodes = BatchEpisodes(1)
    episodes.append([observation], [action], [0.0], [0])
    observation[:] = action[:] = 7
    assert episodes.observations.unique().tolist() == [1]
    assert episodes.actions.unique().tolist() == [1]


def test_append_after_reading_takes_effect_and_drops_advantages():
    episodes = appended_episodes()
    episodes.advantages = torch.ones(3, 3)
    episodes.append([[1.0, 3.0]], [[0.0]], [5.0], [1])
    assert episodes.lengths == [3, 2, 2]
    assert episodes.rewards[1, 1] == 5
    with pytest.raises(ValueError, match="advantages"):
        _ = episodes.advantages


@pytest.mark.parametrize("index", [-1, 2])
def test_id_outside_the_batch_is_refused(index: int):
    with pytest.raises(ValueError, match=f"batch id {index}: expected 0 to 1"):
        BatchEpisodes(2).append([[0.0]], [[0.0]], [0.0], [index])


def test_whole_episodes_cannot_be_appended_to():
    episodes = BatchEpisodes.from_data(appended_episodes().data, GAMMA)
    with pytest.raises(ValueError, match="whole"):
        episodes.append([[0.0, 0.0]], [[0.0]], [0.0], [0])


def test_no_steps_is_a_clear_error():
    with pytest.raises(ValueError, match="no steps"):
        _ = BatchEpisodes(2).observations


def test_advantages_not_computed_is_a_clear_error():
    with pytest.raises(ValueError, match="compute_advantages"):
        _ = appended_episodes().advantages


def test_advantages_of_wrong_shape_are_refused():
    episodes = appended_episodes()
    with pytest.raises(ValueError, match=r"expected shape \[3, 3\], got \[2, 3\]"):
        episodes.advantages = torch.zeros(2, 3)


def test_advantages_can_be_set():
    episodes = appended_episodes()
    episodes.advantages = torch.full((3, 3), 2.0)
    assert episodes.advantages.unique().tolist() == [2.0]


@pytest.mark.parametrize("mean_over", ["episodes", "steps"])
def test_computed_advantages_are_kept(mean_over: MeanOver):
    episodes = appended_episodes()
    episodes.mean_over = mean_over
    values = torch.arange(9.0).reshape(3, 3)
    advantages = episodes.compute_advantages(TableBaseline(values, torch.zeros(3)), gae_lambda=0.7)
    assert episodes.advantages is advantages
    raw = oracle.generalized_advantages(
        episodes.rewards.double().numpy(), values.double().numpy(), episodes.lengths, GAMMA, 0.7
    )
    expected = oracle.normalized(raw, episodes.lengths, mean_over)
    np.testing.assert_allclose(advantages, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("truncated", "followed_by"),
    [([True, True], [5.0, 6.0]), ([True, False], [5.0, 0.0]), ([False, True], [0.0, 6.0])],
)
def test_only_truncated_episodes_are_bootstrapped(truncated: list[bool], followed_by: list[float]):
    values = torch.full((3, 2), 0.5)
    data = recorded(truncated, torch.zeros(2, 1))
    baseline = TableBaseline(values, torch.tensor([5.0, 6.0]))
    credit = Credit(GAMMA, 0.8, bootstrap_truncated=True, normalized=False)
    advantages = compute_advantages(data, baseline, credit)
    expected = oracle.generalized_advantages(
        data.rewards.double().numpy(), values.double().numpy(), [3, 1], GAMMA, 0.8, followed_by
    )
    np.testing.assert_allclose(advantages, expected, rtol=1e-6)


def test_a_terminal_observation_that_is_not_finite_has_no_value_to_spoil():
    data = recorded([True, False], torch.zeros(2, 1))
    baseline = TableBaseline(torch.full((3, 2), 0.5), torch.tensor([5.0, torch.inf]))
    credit = Credit(GAMMA, 0.8, bootstrap_truncated=True)
    assert compute_advantages(data, baseline, credit).isfinite().all()


def test_zero_follows_truncated_episodes_by_default():
    data = recorded([True, True], torch.zeros(2, 1))
    baseline = TableBaseline(torch.zeros(3, 2), torch.tensor([5.0, 6.0]))
    advantages = compute_advantages(data, baseline, Credit(1.0, 1.0, normalized=False))
    assert advantages.tolist() == [[8, 2], [7, 0], [4, 0]]
    assert advantages.dtype == torch.float32


def test_stacked_episodes_hold_real_steps_with_weights_that_sum_to_one():
    policy = make_policy("normal")
    rng = np.random.default_rng(0)
    tasks = [random_episodes(policy, lengths, rng) for lengths in [(4, 2), (3, 1, 2), (7,)]]
    stack = stack_episodes([batch(episodes) for episodes in tasks])
    assert stack.observations.shape == (3, 7, 2)
    assert stack.weights.sum(-1).tolist() == pytest.approx([1, 1, 1])
    for n, episodes in enumerate(tasks):
        steps = sum(len(episode.advantages) for episode in episodes)
        assert not stack.weights[n, steps:].any()
        found = {
            (*observation, *action, advantage): weight
            for observation, action, advantage, weight in zip(
                stack.observations[n].tolist(),
                stack.actions[n].tolist(),
                stack.advantages[n].tolist(),
                stack.weights[n].tolist(),
                strict=True,
            )
            if weight > 0
        }
        expected = {
            (*step[0].tolist(), *step[1].tolist(), step[2].item()): 1 / (len(episodes) * len(episode[2]))
            for episode in episodes
            for step in zip(*episode, strict=True)
        }
        assert found == pytest.approx(expected)
    assert not stack.advantages[stack.weights == 0].any()


@pytest.mark.parametrize("mean_over", ["episodes", "steps"])
def test_data_side_by_side_weighs_as_separate_tasks_do(mean_over: MeanOver):
    first, second = batch_pair()
    first.mean_over = second.mean_over = mean_over
    pairs = zip(first.data[:4], second.data[:4], strict=True)
    observations, actions, rewards, lengths = map(torch.stack, pairs)
    together = EpisodeData(observations, actions, rewards, lengths)
    side_by_side = stack_data(together, torch.stack([first.advantages, second.advantages]), mean_over)
    separate = stack_episodes([first, second])
    assert side_by_side.weights.sum(-1).tolist() == pytest.approx([1, 1])
    assert side_by_side.weights.shape == separate.weights.shape == (2, 6)  # No step that is in no episode.
    real = separate.weights > 0
    for ours, theirs in zip(side_by_side[:4], separate[:4], strict=True):
        torch.testing.assert_close(ours[real], theirs[real])


def batch_pair() -> tuple[BatchEpisodes, BatchEpisodes]:
    policy = make_policy("normal")
    rng = np.random.default_rng(1)
    return batch(random_episodes(policy, (4, 2), rng)), batch(random_episodes(policy, (1, 4), rng))


def test_steps_may_all_weigh_alike():
    first, second = batch_pair()
    first.mean_over = "steps"
    stack = stack_episodes([first, second])
    assert stack.weights[0].tolist() == pytest.approx([1 / 6] * 6)
    assert sorted(set(stack.weights[1].tolist())) == pytest.approx([0, 1 / 8, 1 / 2])
    assert first.weights.tolist() == (first.mask / 6).tolist()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("with_old", [False, True])
def test_stacked_tasks_split_into_groups_in_order(size: int, with_old: bool):
    stack = stack_episodes([*batch_pair(), batch_pair()[0]])
    if with_old:
        shape = (*stack.weights.shape, 2)
        stack = stack._replace(old=DiagonalNormal(torch.randn(shape), torch.randn(shape[0], 1, 2)))
    groups = list(stack.split(size))
    assert [len(group.weights) for group in groups] == {1: [1, 1, 1], 2: [2, 1]}.get(size, [3])
    for field in ("observations", "actions", "advantages", "weights"):
        parts = [getattr(group, field) for group in groups]
        assert torch.equal(torch.cat(parts), getattr(stack, field))
    if not with_old:
        assert all(group.old is None for group in groups)
        return
    for number, whole in enumerate(stack.old):
        assert torch.equal(torch.cat([tuple(group.old)[number] for group in groups]), whole)


def test_stacked_episodes_may_not_know_their_policy():
    first, second = batch_pair()
    stack = stack_episodes([first, second])
    with pytest.raises(ValueError, match=r"do not say which policy sampled them: set batch\.old"):
        _ = stack.old_policy
    pi = DiagonalNormal(torch.zeros(1), torch.zeros(1))
    assert stack._replace(old=pi).old_policy is pi


def test_image_observations_are_flattened_when_stacked():
    episodes = BatchEpisodes(1)
    episodes.append([np.arange(6).reshape(2, 3)], [np.int64(0)], [1.0], [0])
    episodes.advantages = torch.ones(1, 1)
    assert stack_episodes([episodes]).observations.tolist() == [[[0, 1, 2, 3, 4, 5]]]


def test_get_returns_are_undiscounted_sums():
    episodes = appended_episodes()
    assert get_returns([episodes, episodes]).tolist() == [[303, 200, 601]] * 2
