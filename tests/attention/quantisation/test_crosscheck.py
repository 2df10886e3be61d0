from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pellucid.attention import Attention, AttentionConfig
from pellucid.attention.quantisation import QuantisationConfig
from pellucid.errors import ConfigError

pytest.importorskip("onnxscript")
crosscheck = pytest.importorskip("pellucid.attention.quantisation.crosscheck").crosscheck


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(32) for _ in range(2))
        self.attention = Attention(AttentionConfig(32, 4, gate=None))
        self.mlp = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.norms[0](tokens))
        return tokens + self.mlp(self.norms[1](tokens))


@pytest.mark.parametrize("per_channel", [False, True])
def test_an_mlp_with_its_outputs(per_channel):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 8)
    )
    config = QuantisationConfig(per_channel=per_channel, kinds=("linear",))
    found = crosscheck(model.eval(), (torch.randn(64, 24),), config)
    assert found.integer_products == {"QGemm": 3}
    assert found.float_products == 0
    # What the simulation does not tell is less than a tenth of the noise that it tells.
    assert found.agreement_db > found.simulated_db + 10


def test_a_transformer_with_its_attention():
    torch.manual_seed(0)
    model = nn.Sequential(Block(), Block()).eval()
    tokens = torch.randn(2, 16, 32)
    tokens[:, :, 3] *= 20  # an outlier channel, so that there is noise to agree on
    found = crosscheck(model, (tokens,), QuantisationConfig(outputs=False))
    assert sum(found.integer_products.values()) == 2 * (4 + 2 + 2)
    assert found.float_products == 0
    assert found.agreement_db > found.simulated_db + 10
    assert found.computed_db == pytest.approx(found.simulated_db, abs=0.1)


def test_only_what_onnxruntime_can_do():
    with pytest.raises(ConfigError, match="not W4A8"):
        crosscheck(nn.Linear(2, 2), (torch.ones(1, 2),), QuantisationConfig.of("W4A8"))
