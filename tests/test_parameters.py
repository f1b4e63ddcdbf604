import pytest
import torch

from maml_rl.parameters import Layout
from tests.builders import both_families, make_policy, same_bits

SHAPES = {"weight": torch.Size([2, 3]), "scale": torch.Size([]), "bias": torch.Size([4])}


def test_size_and_order():
    layout = Layout(SHAPES)
    assert layout.size == 6 + 1 + 4
    parts = layout.view(torch.arange(11.0))
    assert list(parts) == list(SHAPES)
    assert parts["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert parts["scale"].item() == 6
    assert parts["bias"].tolist() == [7, 8, 9, 10]


def test_views_share_the_vectors_memory():
    vector = torch.zeros(11)
    Layout(SHAPES).view(vector)["bias"].fill_(1.0)
    assert vector.tolist() == [0] * 7 + [1] * 4


@pytest.mark.parametrize("lead", [(), (1,), (5,), (2, 3)], ids=str)
def test_leading_dimensions_stay(lead: tuple[int, ...]):
    vectors = torch.randn(*lead, 11)
    layout = Layout(SHAPES)
    parts = layout.view(vectors)
    assert {name: part.shape for name, part in parts.items()} == {
        name: (*lead, *shape) for name, shape in SHAPES.items()
    }
    joined = torch.cat([part.reshape(*lead, -1) for part in parts.values()], dim=-1)
    assert torch.equal(joined, vectors)


def test_repeated_vectors_can_be_viewed_without_a_copy():
    vector = torch.randn(11)
    parts = Layout(SHAPES).view(vector.expand(3, -1))
    assert parts["weight"].data_ptr() == vector.data_ptr()
    assert parts["bias"].shape == (3, 4)


def test_join_undoes_view_and_copies():
    layout, vector = Layout(SHAPES), torch.randn(11, dtype=torch.float64)
    joined = layout.join(layout.view(vector))
    assert same_bits(joined, vector)
    joined.zero_()
    assert vector.any()


def test_join_goes_by_name_and_keeps_no_graph():
    layout, vector = Layout(SHAPES), torch.randn(11)
    parts = layout.view(vector.clone().requires_grad_())
    joined = layout.join(dict(reversed(parts.items())) | {"another": torch.zeros(2)})
    assert same_bits(joined, vector)
    assert not joined.requires_grad


def test_vectors_of_another_size_are_refused():
    with pytest.raises(RuntimeError):
        Layout(SHAPES).view(torch.zeros(12))


def test_no_parts_are_an_empty_vector():
    layout = Layout({})
    assert layout.size == 0


def test_a_layout_does_not_follow_the_mapping_that_it_came_from():
    shapes = dict(SHAPES)
    layout = Layout(shapes)
    shapes.clear()
    assert layout.size == 11


@both_families
def test_a_policys_layout_is_the_order_of_its_parameters(family: str):
    policy = make_policy(family)
    assert policy.layout.shapes == {name: param.shape for name, param in policy.named_parameters()}
    assert policy.layout.size == policy.get_vector().numel()
    assert same_bits(policy.layout.join(dict(policy.named_parameters())), policy.get_vector())
