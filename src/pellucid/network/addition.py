"""What follows from how a picture's layers were added (`network/verdicts.py`).

*As light*, by the camera behind a pane: M = T + R. Where the picture itself can tell its layers
apart, the transmission lies midway between M − removed and M − R, two opinions on the same light,
and a part of what both take is left: on real photos, which differ from all mixtures, either takes
too much (`agree`). A layer taken for the other is no opinion.

*As encoded values*, by a program: CEILNet's mixtures (Fan et al., ICCV 2017, §4.1), and whoever
blends two pictures without undoing their encoding. They have a recovery of their own, whose heads
speak of encoded values (`recover`). What it bought: docs/lab-notes.md, "As they were added".
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pellucid.network.light import to_light
from pellucid.network.recovery import Layers, Recovery

LEFT = 0.15
"""Share of the light that both heads take on average and that is left where they agree. Whoever
has learnt from mixtures is too sure of himself on real photos (docs/lab-notes.md)."""


def agree(
    layers: Layers, mixture: Float[Tensor, "B 3 H W"], agreement: Float[Tensor, " B"]
) -> Layers:
    """Move the transmission to what both heads leave of M, as far as `agreement`, in [0, 1], says.

    Exactly nothing changes where `agreement` is 0.
    """
    light = to_light(mixture)
    left = torch.clamp(light - layers.reflection, min=0.0)
    midway = 0.5 * (layers.transmission + left)
    agreed = midway + LEFT * (light - midway)
    share = agreement[:, None, None, None]
    return layers._replace(
        transmission=layers.transmission + share * (agreed - layers.transmission)
    )


def recover(
    from_light: Recovery,
    from_encoded: Recovery,
    encoded: Bool[Tensor, " B"],
    seen: Sequence[Tensor],
) -> Layers:
    """Let each picture be recovered as its layers were added.

    Args:
        from_light: recovery of sums of light.
        from_encoded: recovery of sums of encoded values.
        encoded: which pictures are the latter.
        seen: what both are called with, by row.
    """
    if torch.compiler.is_exporting():  # one picture: the graph asks which recovery it needs
        return _recover_one(from_light, from_encoded, encoded[0], seen)
    layers = torch.zeros(2, *seen[0].shape, device=encoded.device)
    for recovery, rows in ((from_light, ~encoded), (from_encoded, encoded)):
        if rows.any():
            layers[:, rows] = torch.stack(recovery(*(part[rows] for part in seen)))
    return Layers(*layers)


def _recover_one(
    from_light: Recovery,
    from_encoded: Recovery,
    encoded: Bool[Tensor, ""],
    seen: Sequence[Tensor],
) -> Layers:
    """Recover from light, which quantised models can do with 8 bits, and again where need be."""
    layers = from_light(*seen)

    def again(*parts: Tensor) -> tuple[Tensor, ...]:
        return tuple(layer.flatten() for layer in from_encoded(*parts[:-2]))

    def enough(*parts: Tensor) -> tuple[Tensor, ...]:
        return tuple(layer.flatten().clone() for layer in parts[-2:])

    found = torch.cond(encoded, again, enough, (*seen, *layers))
    return Layers(*(layer.view_as(seen[0]) for layer in found))
