"""A perceptual distance of our own: how differently an ImageNet network sees two images.

    d(x, y) = mean over five levels and all places of 1 − cos(f(x), f(y))

f are the features at a place of EfficientNet-Lite0 as pretrained on ImageNet, at strides 2, 4, 8,
16 and 32. The idea is that of LPIPS (Zhang et al., "The unreasonable effectiveness of deep features
as a perceptual metric", CVPR 2018), without its weights fitted to people's judgements: the numbers
cannot be compared with LPIPS's, and say nothing about which small difference a person would see.

The network's weights come with the extra `train`, hence nothing else of the evaluation imports this
module: without the extra the measure is left out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.evaluation.images import Image, to_unit
from pellucid.network.encoder import EfficientNetLite0, Pyramid
from pellucid.network.pretrained import load_imagenet_weights

_MULTIPLE = 32
"""The network's sides; images are mirrored at the right and the lower edge up to it."""


class PerceptualDistance:
    """Distance of two (H, W, 3) encoded images of one size, in [0, 2], 0 for equal ones."""

    def __init__(self) -> None:
        """Load the network.

        Raises:
            WeightsError: its ImageNet weights are not installed.
        """
        self._network = EfficientNetLite0().eval().requires_grad_(False)
        load_imagenet_weights(self._network)

    @torch.inference_mode()
    def __call__(self, output: Image, truth: Image) -> float:
        """Compare two images; `ValueError` where their sizes differ."""
        if output.shape != truth.shape:
            raise ValueError(f"images to compare differ in size: {output.shape} and {truth.shape}")
        levels = zip(self._look(output), self._look(truth), strict=True)
        distances = [1 - F.cosine_similarity(a, b, dim=1, eps=1e-6).mean() for a, b in levels]
        return max(0.0, float(torch.stack(distances).mean()))

    def _look(self, image: Image) -> Pyramid:
        picture = torch.from_numpy(to_unit(image)).float().permute(2, 0, 1)[None]
        return self._network(_mirrored(picture))


def _mirrored(picture: Tensor) -> Tensor:
    """Extend a (1, 3, H, W) picture to multiples of 32, edge by edge where it is too small."""
    height, width = picture.shape[2:]
    right, below = -width % _MULTIPLE, -height % _MULTIPLE
    mode = "reflect" if right < width and below < height else "replicate"
    return F.pad(picture, (0, right, 0, below), mode=mode)
