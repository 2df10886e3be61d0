from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pellucid.attention import Attention, AttentionConfig
from pellucid.attention.diagnostics import Report, inspect

from ...faults import fault

LAYER, HEAD, POSITION = 2, 1, 3
MARK = 0


class Stack(nn.Module):
    """Three attention layers with residual connections on random weights."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        config = AttentionConfig(dim=32, heads=4)
        self.layers = nn.ModuleList(Attention(config) for _ in range(3))
        for layer in self.layers:
            # The marked feature of the input reaches no layer.
            for projection in (layer.q_proj, layer.k_proj, layer.v_proj):
                projection.weight.data[:, MARK] = 0.0
            layer.out_proj.weight.data[MARK] = 0.0
            layer.out_proj.bias.data[MARK] = 0.0
        self.causal = causal

    def forward(self, tokens: Tensor) -> Tensor:
        for layer in self.layers:
            tokens = tokens + layer(tokens, is_causal=self.causal)
        return tokens


def plant(model: Stack) -> None:
    """Make one head of one layer look at the marked token, whose value there is small."""
    layer, rows = model.layers[LAYER], slice(8 * HEAD, 8 * HEAD + 8)
    assert isinstance(layer, Attention)
    layer.q_proj.weight.data[rows] *= 0.1
    layer.q_proj.bias.data[rows] = 2.0
    layer.k_proj.weight.data[rows, MARK] = 1.0


def marked(batch: int = 8, tokens: int = 32) -> Tensor:
    inputs = torch.randn(batch, tokens, 32, generator=torch.Generator().manual_seed(1))
    inputs[..., MARK] = 0.0
    inputs[:, POSITION, MARK] = 4.0
    return inputs


@pytest.fixture(params=[False, True], ids=["bidirectional", "causal"])
def planted(request: pytest.FixtureRequest) -> Report:
    model = Stack(request.param)
    plant(model)
    return inspect(model, marked())


@fault("attention", "a planted sink", "found, where it is")
def test_planted_sink_is_found(planted: Report) -> None:
    sinks = {
        (layer.path, head): layer.strongest[head]
        for layer in planted.layers
        for head, rate in enumerate(layer.metrics["sink_any"].mean)
        if rate > 0.5
    }
    assert list(sinks) == [(f"layers.{LAYER}", HEAD)]
    assert sinks[f"layers.{LAYER}", HEAD].position == POSITION
    assert sinks[f"layers.{LAYER}", HEAD].share == 1.0
    assert planted.summary["sink_any"].mean == pytest.approx(1 / 12)


@pytest.mark.parametrize("causal", [False, True])
@fault("attention", "an i.i.d. control", "no sink reported")
def test_control_has_no_sink(causal: bool) -> None:
    report = inspect(Stack(causal), marked())
    assert report.summary["sink_any"].mean == 0.0
    assert report.summary["sink_first"].mean == 0.0
    assert all(row.mean == [0.0] * 4 for row in (la.metrics["sink_any"] for la in report.layers))
