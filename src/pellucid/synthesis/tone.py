"""Tone curves of cameras: contrast in the dark tones, a shoulder in the bright ones.

What a camera saves is not light, even with its sRGB encoding undone. Where a reflection brightens
dark tones, the detail behind it gains contrast, and where it brightens bright tones, detail loses
some: on real pairs by a quarter and more (docs/lab-notes.md), while in a plain sum of light it
stays as it is. The curve is Naka and Rushton's (1966), with white kept:

    s(x) = (1 + shoulder) · x^toe / (1 + shoulder · x^toe)
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from pellucid.synthesis.optics import Light, PerPhoto, per_photo


class Tone(NamedTuple):
    """A curve for each photo; toe 1 and shoulder 0 leave light as it is."""

    toe: PerPhoto
    """Exponent, at least 1: how much more contrast dark tones get."""
    shoulder: PerPhoto
    """At least 0: how much bright tones are pressed together."""

    def develop(self, light: Light) -> Light:
        """Return what the camera makes of light: rising, 0 of 0, 1 of 1, more of more."""
        raised, shoulder = light ** per_photo(self.toe), per_photo(self.shoulder)
        return (1.0 + shoulder) * raised / (1.0 + shoulder * raised)

    def undo(self, developed: Light) -> Light:
        """Return the light in [0, 1] that was developed to this."""
        shoulder = per_photo(self.shoulder)
        raised = developed / (1.0 + shoulder - shoulder * developed)
        return raised ** (1.0 / per_photo(self.toe))

    def develop_layers(self, transmission: Light, reflection: Light) -> tuple[Light, Light]:
        """Develop both so that they still add up to their sum's picture."""
        behind = self.develop(transmission)
        added = self.develop(transmission + reflection) - behind
        return behind, torch.clamp(added, 0.0, 1.0)
