import torch

from maml_rl.policies.activations import FASTER

tanh = FASTER[torch.tanh]


def test_it_is_tanh_to_a_rounding_error():
    x = torch.cat([torch.linspace(-12, 12, 4001), torch.tensor([0.0, -0.0, 1e-30, torch.inf, -torch.inf])])
    for dtype in (torch.float32, torch.float64):
        ours, exact = tanh(x.to(dtype)), torch.tanh(x.double())
        assert ours.dtype == dtype
        torch.testing.assert_close(ours.double(), exact, rtol=4 * torch.finfo(dtype).eps, atol=0.0)


def test_nan_stays_and_any_shape_or_layout_will_do():
    assert tanh(torch.tensor(torch.nan)).isnan()
    assert tanh(torch.zeros(0, 3)).shape == (0, 3)
    x = torch.randn(4, 6, 5).mT[:, ::2]
    torch.testing.assert_close(tanh(x), torch.tanh(x))


def test_the_argument_is_left_as_it_was():
    x = torch.randn(100)
    before = x.clone()
    tanh(x)
    assert torch.equal(x, before)


def test_first_and_second_derivatives():
    x = torch.linspace(-3, 3, 20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(tanh, x)
    assert torch.autograd.gradgradcheck(tanh, x)
