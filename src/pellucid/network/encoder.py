"""Visual encoders: a mixture becomes a pyramid of five levels, strides 2, 4, 8, 16 and 32.

`EfficientNetLite0` is the shipped one (Tan & Le 2019, "lite" variant without squeeze-and-excitation
and with ReLU6); `ResNet50` is the paper's class of encoder (He et al. 2016, basic layout).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Pyramid = list[Float[Tensor, "B C H W"]]


class Encoder(Protocol):
    """What the network asks of an encoder."""

    channels: tuple[int, ...]
    """Channels of the five levels, finest first."""

    def __call__(self, encoded: Float[Tensor, "B 3 H W"]) -> Pyramid:
        """Map sRGB values in [0, 1] (sides multiples of 32) to five levels of features."""
        ...


class SamePaddedConv(nn.Conv2d):
    """A convolution padded as TensorFlow does: the odd pixel goes to the right and the bottom.

    Batch normalisation is folded into weight and bias when pretrained weights are loaded, so there
    are no running statistics that could differ between training, export and use.
    """

    def forward(self, input: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H2 W2"]:
        """Convolve; sides are divided by the stride."""
        total = self.kernel_size[0] - self.stride[0]
        before, after = total // 2, total - total // 2
        if before == after:
            return F.conv2d(
                input, self.weight, self.bias, self.stride, before, self.dilation, self.groups
            )
        return super().forward(F.pad(input, (before, after, before, after)))


class InvertedBottleneck(nn.Module):
    """MBConv: expand, depthwise convolution, project (Sandler et al. 2018), without SE."""

    def __init__(self, source: int, target: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = source * expansion
        self.expand = SamePaddedConv(source, hidden, 1) if expansion > 1 else None
        self.depthwise = SamePaddedConv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = SamePaddedConv(hidden, target, 1)
        self.residual = stride == 1 and source == target

    def forward(self, features: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H2 W2"]:
        """Apply the block; sides are divided by its stride."""
        hidden = features if self.expand is None else F.relu6(self.expand(features))
        projected = self.project(F.relu6(self.depthwise(hidden)))
        return features + projected if self.residual else projected


class Stage(NamedTuple):
    """One row of the EfficientNet table (Tan & Le 2019, table 1)."""

    repeats: int
    channels: int
    expansion: int
    kernel: int
    stride: int


LITE0_STAGES = (
    Stage(1, 16, 1, 3, 1),
    Stage(2, 24, 6, 3, 2),
    Stage(2, 40, 6, 5, 2),
    Stage(3, 80, 6, 3, 2),
    Stage(3, 112, 6, 5, 1),
    Stage(4, 192, 6, 5, 2),
    Stage(1, 320, 6, 3, 1),
)


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 without its classifier (3.4 M parameters)."""

    channels = (16, 24, 40, 112, 320)
    taps = (0, 2, 4, 10, 15)
    rms = (7, 9.3, 8.1, 7.1, 3)
    """Root mean square of each level on photos, before training; the levels are divided by it.

    A fixed number, not a normalisation: how much contrast a place has tells of veils.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = SamePaddedConv(3, 32, 3, 2)
        blocks: list[nn.Module] = []
        source = 32
        for stage in LITE0_STAGES:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(
                    InvertedBottleneck(
                        source, stage.channels, stage.expansion, stage.kernel, stride
                    )
                )
                source = stage.channels
        self.blocks = nn.ModuleList(blocks)

    def forward(self, encoded: Float[Tensor, "B 3 H W"]) -> Pyramid:
        """See `Encoder.__call__`. The input scaling is the one it was pretrained with."""
        features = F.relu6(self.stem((encoded * 255.0 - 127.0) / 128.0))
        pyramid = []
        for index, block in enumerate(self.blocks):
            features = block(features)
            if index in self.taps:
                pyramid.append(features / self.rms[len(pyramid)])
        return pyramid


class Bottleneck(nn.Module):
    """ResNet bottleneck with the stride in its 3×3 convolution."""

    def __init__(self, source: int, width: int, stride: int) -> None:
        super().__init__()
        target = 4 * width
        self.body = nn.Sequential(
            nn.Conv2d(source, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, target, 1, bias=False),
            nn.BatchNorm2d(target),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or source != target:
            self.shortcut = nn.Sequential(
                nn.Conv2d(source, target, 1, stride, bias=False), nn.BatchNorm2d(target)
            )

    def forward(self, features: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H2 W2"]:
        """Apply the block; sides are divided by its stride."""
        return F.relu(self.body(features) + self.shortcut(features))


class ResNet50(nn.Module):
    """ResNet-50 without its pooling and classifier (23.5 M parameters)."""

    channels = (64, 256, 512, 1024, 2048)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()
        )
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stages = nn.ModuleList()
        source = 64
        for width, repeats, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            stage = [Bottleneck(source, width, stride)]
            source = 4 * width
            stage += [Bottleneck(source, width, 1) for _ in range(repeats - 1)]
            self.stages.append(nn.Sequential(*stage))

    def forward(self, encoded: Float[Tensor, "B 3 H W"]) -> Pyramid:
        """See `Encoder.__call__`."""
        features = self.stem((encoded - 0.45) / 0.225)
        pyramid = [features]
        features = self.pool(features)
        for stage in self.stages:
            features = stage(features)
            pyramid.append(features)
        return pyramid
