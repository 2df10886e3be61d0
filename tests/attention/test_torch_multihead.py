from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pellucid.attention.linear import input_axis
from pellucid.attention.stand_in import StandIn
from pellucid.attention.torch_multihead import projection_biases, projection_weights

WIDTHS = pytest.mark.parametrize("widths", [{}, {"kdim": 6, "vdim": 4}], ids=["packed", "separate"])


@WIDTHS
@torch.no_grad()
def test_the_weights_are_the_layers_own(widths):
    layer = nn.MultiheadAttention(8, 2, **widths)
    for number, parameter in enumerate((*projection_weights(layer), *projection_biases(layer))):
        assert parameter is not None
        parameter.fill_(number)
    packed, separate = layer.in_proj_weight, [layer.q_proj_weight, layer.k_proj_weight]
    weights = separate if packed is None else packed.chunk(3)
    assert [float(weight.mean()) for weight in weights[:2]] == [0.0, 1.0]
    assert [float(bias.mean()) for bias in layer.in_proj_bias.chunk(3)] == [3.0, 4.0, 5.0]


def test_no_biases_are_none():
    assert projection_biases(nn.MultiheadAttention(8, 2, bias=False)) == (None, None, None)


@WIDTHS
@torch.no_grad()
def test_a_stand_in_computes_the_same_and_goes_away(widths):
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, batch_first=True, **widths)
    model = nn.ModuleDict({"attention": layer})
    inputs = [torch.randn(2, 5, width) for width in (8, widths.get("kdim", 8), layer.vdim)]
    expected, _ = layer(*inputs)
    stand_in = StandIn(model, "attention")
    assert model["attention"] is stand_in.layer
    torch.testing.assert_close(model["attention"](*inputs)[0], expected)
    model.eval()
    stand_in.restore()
    assert model["attention"] is layer
    assert not layer.training


def test_inputs_lie_along_the_second_axis_but_in_gpt2():
    assert input_axis(nn.Linear(3, 2)) == 1
    assert input_axis(nn.Embedding(3, 2)) is None
    layer = pytest.importorskip("transformers.pytorch_utils").Conv1D(2, 3)
    assert input_axis(layer) == 0
    states = torch.randn(4, layer.weight.shape[0])
    torch.testing.assert_close(layer(states), F.linear(states, layer.weight.T, layer.bias))
