"""The last layers, found in graphs that are long, or whose ways meet again and again."""

import torch
from torch import nn

from maml_rl.policies.heads import last_layers


def test_long_graphs_and_ways_that_meet_again():
    layers = nn.ModuleDict({"first": nn.Linear(2, 3), "last": nn.Linear(3, 1)})
    scale = nn.Parameter(torch.ones(1))
    output = layers["last"](torch.tanh(layers["first"](torch.zeros(4, 2, requires_grad=True))))
    for _ in range(60):  # With 2^60 ways back.
        output = (output * output).tanh()
    for _ in range(3000):
        output = output + 1.0
    params = {**dict(layers.named_parameters()), "scale": scale}
    deviation = scale.exp().expand(4)
    assert last_layers([output, deviation], params) == ("last.weight", "last.bias", "scale")
    assert last_layers([output.detach()], params) == ()
