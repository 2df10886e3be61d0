"""Mixtures from pairs of photos, in linear light.

    T = transmittance · optics(A)  what is behind the glass, dimmed by it, as sharp as the lens is
    R = reflectance · optics(B)    what the glass mirrors: blurred, ghosted, tinted, partly
    M = jpeg(noise(clip(tone(exposure · (T + R)))))

The layers returned are those of the picture after its tone curve: tone(exposure · T), and what the
reflection adds to it. A recipe (`pellucid.synthesis.recipes`) is a family of mixtures; a batch
draws from several.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from pellucid.network.light import to_encoded, to_light
from pellucid.synthesis import optics
from pellucid.synthesis.jpeg import jpeg
from pellucid.synthesis.optics import Light, PerPhoto, log_uniform, per_photo, uniform
from pellucid.synthesis.recipes import MEAN_LIGHT, MOST_EVENED, SynthesisConfig
from pellucid.synthesis.tone import Tone

WIDEST_DISK = 8.0
"""Sigma in pixels above which every blur is a Gaussian: nobody sees a disk that wide."""


class Mixtures(NamedTuple):
    """A batch of training triplets."""

    mixture: Float[Tensor, "B 3 H W"]
    """sRGB-encoded, in [0, 1], as a camera would save it."""
    transmission: Light
    """Linear light in [0, 1], clean: before noise and JPEG."""
    reflection: Light
    recipe: Int[Tensor, " B"]
    """Index into the configuration's recipes."""
    adds: Bool[Tensor, " B"]
    """Whether M = T + R in light where nothing clips; false where encoded values were added."""
    ambiguous: Bool[Tensor, " B"]
    """Whether only words can tell the layers apart, by the recipe."""


def draw_recipes(config: SynthesisConfig, count: int, generator: Generator) -> Int[Tensor, " B"]:
    """Draw a recipe for each of `count` mixtures by the recipes' shares."""
    shares = torch.tensor([recipe.share for recipe in config.recipes])
    return torch.multinomial(shares, count, replacement=True, generator=generator)


def synthesise(
    behind: Float[Tensor, "B 3 H W"],
    mirrored: Float[Tensor, "B 3 H W"],
    recipe: Int[Tensor, " B"],
    config: SynthesisConfig,
    generator: Generator,
) -> Mixtures:
    """Mix two batches of sRGB-encoded photos (sides multiples of 16) by the recipes given."""
    drawn = _Draw(config, recipe, generator)
    tone = drawn.tone()
    lens = drawn.blur(drawn.photographed(config.soft), 0.3, 1.2)
    scene = _scene(tone.undo(to_light(behind)), lens, drawn)
    mirrored_light = _reflect(tone.undo(to_light(mirrored)), lens, drawn)
    layers = tone.develop_layers(*_photograph(scene, mirrored_light, drawn, config))
    captured = _capture(_add(*layers, drawn.adds), drawn, config)
    return Mixtures(captured, *layers, recipe, drawn.adds, drawn.each("ambiguous"))


def _scene(behind: Light, lens: PerPhoto, drawn: _Draw) -> Light:
    """What is behind the glass: as dark or light and as sharp as it is, dimmed by the glass."""
    key = drawn.exponent("low_key", 1.2, 2.6) * drawn.exponent("high_key", 0.4, 0.8)
    scene = behind ** per_photo(key)
    sharp = optics.blur(scene, lens)
    defocused = torch.hypot(lens, drawn.blur(drawn.happens("unfocused"), 0.4, 2.5))
    soft = _defocus(scene, defocused, drawn)
    count, _, height, width = scene.shape
    far = optics.clouds(height, width, count, drawn.generator)
    far = torch.where(per_photo(drawn.happens("uneven")), far, 1.0)
    return torch.lerp(sharp, soft, far) * per_photo(drawn.transmittance())


def _defocus(light: Light, sigma: PerPhoto, drawn: _Draw) -> Light:
    """Blur by a lens wide open, or by one that is not (and always where a disk is too wide)."""
    disk = drawn.happens("bokeh") & (sigma < WIDEST_DISK)
    blurred = optics.blur(light, torch.where(disk, 0.0, sigma))
    return optics.defocus(blurred, torch.where(disk, sigma, 0.0)) if bool(disk.any()) else blurred


def _photograph(
    transmission: Light, reflection: Light, drawn: _Draw, config: SynthesisConfig
) -> tuple[Light, Light]:
    """Expose both layers for their sum and give them the camera's colour cast."""
    count, generator = len(transmission), drawn.generator
    exposed = drawn.photographed(config.auto_exposure)
    transmission, reflection = _expose(transmission, reflection, exposed, generator)
    gains = optics.white_balance(count, config.cast, generator)
    cast = torch.where(per_photo(drawn.adds), gains, 1.0)
    transmission, reflection = (transmission * cast).clamp(max=1), (reflection * cast).clamp(max=1)
    if not bool(drawn.adds.all()):
        subdued = _subdue(transmission, reflection)
        reflection = torch.where(per_photo(drawn.adds), reflection, subdued)
    return transmission, reflection


def _add(transmission: Light, reflection: Light, adds: Bool[Tensor, " B"]) -> Light:
    light = transmission + reflection
    if bool(adds.all()):
        return light
    encoded = to_encoded(transmission) + to_encoded(reflection)
    return torch.where(per_photo(adds), light, to_light(encoded.clamp(0.0, 1.0)))


def _subdue(transmission: Light, reflection: Light) -> Light:
    """Darken reflections by 1.3 of what overflows on average where encoded values are added."""
    mirrored = to_encoded(reflection)
    overflow = (to_encoded(transmission) + mirrored - 1.0).clamp(min=0.0)
    places = (overflow > 0.0).sum(dim=(1, 2, 3)).clamp(min=1)
    excess = 1.3 * overflow.sum(dim=(1, 2, 3)) / places
    return to_light((mirrored - per_photo(excess)).clamp(0.0, 1.0))


class _Draw:
    """Draws one number a photo from its own recipe's ranges."""

    def __init__(
        self, config: SynthesisConfig, recipe: Int[Tensor, " B"], generator: Generator
    ) -> None:
        self.recipes = [config.recipes[index] for index in recipe.tolist()]
        self.generator = generator
        self.adds = ~self.each("adds_encoded")

    def each(self, name: str) -> Tensor:
        """Return what each photo's recipe says under `name`: (B,), or (B, 2) for ranges."""
        return torch.tensor([getattr(recipe, name) for recipe in self.recipes])

    def between(self, name: str) -> PerPhoto:
        """Draw log-uniformly from the range called `name`."""
        bounds = self.each(name)
        share = torch.rand(len(bounds), generator=self.generator)
        return bounds[:, 0] * (bounds[:, 1] / bounds[:, 0]) ** share

    def happens(self, name: str) -> Bool[Tensor, " B"]:
        """Draw whether something happens, with the probability called `name`."""
        odds = self.each(name)
        return torch.rand(len(odds), generator=self.generator) < odds

    def photographed(self, odds: float) -> Bool[Tensor, " B"]:
        """Draw whether the camera does something; it took all mixtures in which light adds."""
        return self.adds & (torch.rand(len(self.adds), generator=self.generator) < odds)

    def transmittance(self) -> PerPhoto:
        """Draw how much of the light behind the glass arrives."""
        dark = self.happens("dark")
        darkness = log_uniform(len(dark), 0.2, 0.8, self.generator)
        return self.between("transmittance") * torch.where(dark, darkness, 1.0)

    def exponent(self, name: str, low: float, high: float) -> PerPhoto:
        """Draw an exponent on light in [low, high] with the probability called `name`, else 1."""
        raised = self.happens(name)
        return torch.where(raised, uniform(len(raised), low, high, self.generator), 1.0)

    def tone(self) -> Tone:
        """Draw the camera's tone curve where there is one."""
        toned, count = self.happens("toned"), len(self.recipes)
        toe = uniform(count, 1.2, 2.0, self.generator)
        shoulder = log_uniform(count, 1.0, 12.0, self.generator)
        return Tone(torch.where(toned, toe, 1.0), torch.where(toned, shoulder, 0.0))

    def blur(self, happens: Bool[Tensor, " B"], low: float, high: float) -> PerPhoto:
        """Draw a sigma log-uniformly in [low, high] where it happens, else 0."""
        return torch.where(happens, log_uniform(len(happens), low, high, self.generator), 0.0)


def _reflect(mirrored: Light, lens: PerPhoto, drawn: _Draw) -> Light:
    count, _, height, width = mirrored.shape
    generator = drawn.generator
    light = mirrored ** per_photo(drawn.exponent("contrasty", 1.3, 2.5))
    light = optics.highlights(light, drawn.between("highlight_gain"))
    gains = optics.white_balance(count, 1.0, generator)
    light = light * torch.lerp(torch.ones(()), gains, per_photo(drawn.each("tint")))
    light = _defocus(light, torch.hypot(drawn.between("blur"), lens), drawn)
    ghosted = drawn.happens("ghosting")
    if bool(ghosted.any()):
        shift = 0.03 * width * (2.0 * torch.rand(count, 2, generator=generator) - 1.0)
        light = optics.ghosting(light, shift, ghosted * uniform(count, 0.1, 0.5, generator))
    light = light * per_photo(_evening(light, drawn))
    field = _fresnel_field(height, width, drawn)
    covered = optics.pane(height, width, count, generator)
    field = field * torch.lerp(torch.ones(()), covered, per_photo(drawn.happens("partial").float()))
    return light * field * per_photo(drawn.between("strength"))


def _evening(light: Light, drawn: _Draw) -> PerPhoto:
    gain = MEAN_LIGHT / light.mean(dim=(1, 2, 3)).clamp(min=1e-6)
    return torch.where(drawn.each("evened"), gain.clamp(max=MOST_EVENED), 1.0)


def _fresnel_field(height: int, width: int, drawn: _Draw) -> Float[Tensor, "B 1 H W"]:
    """Reflectance across the photo relative to its greatest, by the angle to the pane."""
    count, generator = len(drawn.recipes), drawn.generator
    tilt = 1.1 * (2.0 * torch.rand(count, 2, generator=generator) - 1.0)
    angle = optics.incidence(height, width, tilt, uniform(count, 0.35, 0.65, generator))
    reflectance = optics.fresnel(torch.full((count,), 0.08), angle)
    relative = reflectance / reflectance.amax(dim=(2, 3), keepdim=True)
    return torch.lerp(torch.ones(()), relative, per_photo(drawn.happens("fresnel").float()))


WHITEST = (0.3, 1.5)
"""Light of the mixture's brightest hundredth after exposure (log-uniform): real pairs are half as
light as photos for captions."""
MOST_GAIN = 2.5
"""How far the camera opens up for a dim scene."""


def _expose(
    transmission: Light, reflection: Light, exposed: Bool[Tensor, " B"], generator: Generator
) -> tuple[Light, Light]:
    """Let the camera expose for the mixture: its brightest hundredth is at `WHITEST`, or clips."""
    count = len(transmission)
    brightest = (transmission + reflection).amax(dim=1).flatten(1)
    white = torch.quantile(brightest[:, ::4], 0.99, dim=1)
    target = log_uniform(count, *WHITEST, generator)
    gain = (target / white.clamp(min=1e-3)).clamp(max=MOST_GAIN)
    gain = per_photo(torch.where(exposed, gain, 1.0))
    return transmission * gain, reflection * gain


def _capture(light: Light, drawn: _Draw, config: SynthesisConfig) -> Float[Tensor, "B 3 H W"]:
    """Let the sensor add noise and clip, then save: 8 bits, some as JPEG."""
    count, generator = len(light), drawn.generator
    noisy = drawn.photographed(config.noise).float()
    shot = noisy * log_uniform(count, 0.003, 0.03, generator)
    light = optics.sensor_noise(light, shot, 0.1 * shot, generator)
    encoded = to_encoded(light.clamp(0.0, 1.0))
    compressed = drawn.photographed(config.jpeg)
    if bool(compressed.any()):
        quality = uniform(count, 50.0, 98.0, generator)[compressed]
        encoded[compressed] = jpeg(encoded[compressed], quality)
    return (encoded * 255.0).round() / 255.0
