"""A ComfyUI node: split photos taken through glass into their two layers.

Copy or link this folder into ComfyUI's `custom_nodes` and install pellucid into ComfyUI's Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.region import check_region
from pellucid.separator import Separator


class PellucidSeparate:
    """Images in, transmission and reflection out, each (B, H, W, 3) float in [0, 1] as ComfyUI's.

    Protocol: ComfyUI's custom nodes (INPUT_TYPES, RETURN_TYPES, FUNCTION, CATEGORY).
    """

    RETURN_TYPES = ("IMAGE", "IMAGE", "STRING")
    RETURN_NAMES = ("transmission", "reflection", "gates")
    FUNCTION = "separate"
    CATEGORY = "image/reflection"
    DESCRIPTION = "Splits a photo taken through glass, guided by words for either layer."

    _separator: Separator | None = None

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, tuple[Any, ...]]]:  # noqa: N802
        """Say what goes in; words may be left empty."""
        words = ("STRING", {"default": "", "multiline": True})
        strength = ("FLOAT", {"default": 100.0, "min": -100.0, "max": 100.0, "step": 1.0})
        return {
            "required": {
                "image": ("IMAGE",),
                "transmission_words": words,
                "reflection_words": words,
                "strength": strength,
            },
            "optional": {"mask": ("MASK",)},
        }

    def separate(
        self,
        image: Any,
        transmission_words: str,
        reflection_words: str,
        strength: float,
        mask: Any = None,
    ) -> tuple[Any, Any, str]:
        """Separate a batch of images; the model is loaded once.

        Args:
            image: (B, H, W, 3) tensor, sRGB-encoded in [0, 1].
            transmission_words: for what is behind the glass; "" = not described.
            reflection_words: for what is mirrored in it; "" = not described.
            strength: 100 = no reflection … -100 = only the reflection, in the first output.
            mask: (H, W) or (B, H, W) tensor in [0, 1]: 1 where the effect is wanted.
        """
        import torch

        if PellucidSeparate._separator is None:
            PellucidSeparate._separator = Separator.load()
        transmissions, reflections, gates = [], [], []
        for number, pixels in enumerate(image.cpu().numpy()):
            separation = PellucidSeparate._separator.separate(
                np.clip(pixels, 0.0, 1.0),
                transmission=transmission_words,
                reflection=reflection_words,
            )
            if mask is not None:
                region = mask if mask.ndim == 2 else mask[min(number, len(mask) - 1)]
                size = separation.source.size
                separation = separation.within(check_region(region.cpu().numpy(), size))
            transmissions.append(_encoded(separation.blend(strength)))
            reflections.append(_encoded(separation.photo("reflection")))
            gates.append(str(separation.gates))
        return (
            torch.from_numpy(np.stack(transmissions)),
            torch.from_numpy(np.stack(reflections)),
            "\n".join(gates),
        )


def _encoded(photo: Any) -> np.ndarray:
    pixels = photo.in_srgb().pixels
    return pixels.astype(np.float32) / np.iinfo(pixels.dtype).max


NODE_CLASS_MAPPINGS = {"PellucidSeparate": PellucidSeparate}
NODE_DISPLAY_NAME_MAPPINGS = {"PellucidSeparate": "Separate reflection (Pellucid)"}
