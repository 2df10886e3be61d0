"""Recipes: families of mixtures, each with the ranges that its numbers are drawn from.

The kinds and their ranges follow what is known of real pairs (docs/lab-notes.md): glass dims
little, reflections are even veils, soft or sharp pictures of few bright places, many cover only a
part of the photo, and nothing but the picture tells how strong they are: no softness, no colour, no
word.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

Range = tuple[float, float]

MEAN_LIGHT = 0.17
"""Of photos that are mirrored, on average; white is 1."""

MOST_EVENED = 4.0
"""How much brighter than its photo a dark reflection is made at the most to be even."""


@dataclass(frozen=True)
class Recipe:
    """One family of mixtures. Ranges are (low, high); probabilities are in [0, 1]."""

    name: str
    share: float
    """Share of the mixtures that are made this way."""
    strength: Range
    """Light of the reflection relative to its own photo (log-uniform); where reflections are
    evened, to a photo whose mean light is `MEAN_LIGHT`."""
    transmittance: Range = (0.8, 1.0)
    blur: Range = (0.2, 5.0)
    """Gaussian sigma in pixels of the training crop (log-uniform)."""
    highlight_gain: Range = (1.0, 4.0)
    """How much brighter than white the reflected lamps and skies were (log-uniform)."""
    ghosting: float = 0.25
    partial: float = 0.3
    """Probability that the reflection covers only a part of the photo."""
    fresnel: float = 0.4
    dark: float = 0.25
    """Probability that it is much darker behind the glass than in front of it."""
    low_key: float = 0.65
    """Probability that the scene behind the glass is of dark tones with few lights, as most real
    pairs are: their median light is .01 to .05, that of photos for captions .1."""
    high_key: float = 0.3
    """Probability that its tones are lifted, so that light dark tones are no sign of a veil."""
    contrasty: float = 0.5
    """Probability that few places of the glass mirror much and most of it little: skies and lamps
    between dark things, as in most real pairs (a tenth of their places gets six times the light
    that the median gets, that of mirrored photos for captions three times)."""
    unfocused: float = 0.2
    """Probability that what is behind the glass is out of focus, so that softness is no sign of a
    reflection."""
    uneven: float = 0.5
    """Probability that only parts of it are, as far things behind a near one."""
    bokeh: float = 0.5
    """Probability that blur is an image of the lens's aperture instead of a Gaussian."""
    toned: float = 0.8
    """Probability that the camera has a tone curve, so that what it saves does not add up."""
    tint: float = 0.15
    """Greatest relative shift of the reflection's white balance."""
    evened: bool = True
    """Give every reflection the same mean light before its strength is drawn, so that words about
    it ("bright sky") do not tell how much there is to take away."""
    adds_encoded: bool = False
    """Add sRGB values instead of light and darken the reflection until little overflows, as
    CEILNet's data do (Fan et al. 2017, §4.1): not physics, but what synthetic test sets hold. No
    camera took these: they have no exposure, soft lens, colour cast, noise or JPEG of their own."""
    ambiguous: bool = False
    """Two photos as sharp and as plain as each other: only words can tell which is which."""


SOFT = Recipe("soft", 0.26, strength=(0.06, 1.2), blur=(0.6, 5.0), highlight_gain=(1.0, 8.0))
VEIL = Recipe(
    "veil", 0.07, strength=(0.04, 0.5), blur=(5.0, 20.0), partial=0.2, tint=0.25, ghosting=0.0
)
SHARP = Recipe(
    "sharp",
    0.28,
    strength=(0.06, 1.2),
    transmittance=(0.6, 1.0),
    blur=(0.2, 0.8),
    highlight_gain=(1.0, 2.0),
)
_PLAIN = Recipe(
    "plain",
    0.0,
    strength=(1.0, 1.0),
    blur=(0.1, 0.2),
    highlight_gain=(1.0, 1.0),
    ghosting=0.0,
    partial=0.0,
    fresnel=0.0,
    dark=0.0,
    low_key=0.0,
    high_key=0.0,
    contrasty=0.0,
    unfocused=0.0,
    uneven=0.0,
    bokeh=0.0,
    toned=0.0,
    tint=0.0,
    evened=False,
)
"""What recipes that add two photos as they are have in common."""

ENCODED = replace(
    _PLAIN,
    name="encoded",
    share=0.2,
    strength=(0.45, 1.2),
    contrasty=0.3,
    transmittance=(0.98, 1.0),
    blur=(1.0, 5.0),
    adds_encoded=True,
)
DOUBLE = replace(
    _PLAIN,
    name="double",
    share=0.05,
    strength=(0.15, 0.6),
    transmittance=(0.4, 0.8),
    ambiguous=True,
)
"""Two sharp photos of unequal light: words say which is which, not that each gives half."""
SYMMETRIC = replace(
    _PLAIN,
    name="symmetric",
    share=0.06,
    strength=(0.45, 0.55),
    transmittance=(0.45, 0.55),
    ambiguous=True,
)
CLEAN = Recipe(
    "clean",
    0.08,
    strength=(1e-6, 1e-6),
    partial=0.0,
    ghosting=0.0,
    low_key=0.4,
    high_key=0.5,
)


@dataclass(frozen=True)
class SynthesisConfig:
    """Which mixtures are made, and what the sensor does to them."""

    recipes: tuple[Recipe, ...] = field(
        default=(SOFT, VEIL, SHARP, DOUBLE, ENCODED, SYMMETRIC, CLEAN)
    )
    auto_exposure: float = 0.75
    """Probability that the camera exposed for the mixture instead of clipping it."""
    soft: float = 0.4
    """Probability that the lens, a shake of the hand or a resizing left the whole photo soft."""
    cast: float = 0.2
    """Greatest relative error of the camera's white balance, so that blue is not always sky."""
    noise: float = 0.6
    jpeg: float = 0.4
    """Probabilities of sensor noise and of JPEG."""
