"""Training batches as a pure function of (seed, step, group): resuming needs only the step.

A batch is made of groups; processes share the groups out among themselves, so that one process and
many see the same data.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from pellucid.errors import ConfigError
from pellucid.network.description import Description
from pellucid.synthesis.mixture import Mixtures, draw_recipes, synthesise
from pellucid.synthesis.recipes import SynthesisConfig
from pellucid.training.captions import CaptionConfig, Fate, draw_caption, draw_fates
from pellucid.training.partners import PartnerConfig, Partners
from pellucid.training.photos import PhotoStore
from pellucid.training.texts import describe

REFLECTIONLESS = "clean"
"""Name of the recipe without a reflection: words about one are wrong whatever they say."""


@dataclass(frozen=True)
class BatchConfig:
    """Shape of a batch and what goes into it."""

    group: int = 16
    """Mixtures made and passed through the network together."""
    groups: int = 1
    crop: int = 128
    """Side of the mixtures in pixels, a multiple of 32 (of 64 to train: losses look at half)."""
    window: tuple[float, float] = (0.5, 1.0)
    """Side of the crop relative to the photo's short side."""
    averaged: float = 0.0
    """Probability that a crop is made smaller by averaging areas, as large photos are in use,
    instead of by bicubic interpolation, which is crisper."""
    captions: CaptionConfig = field(default_factory=CaptionConfig)
    partners: PartnerConfig = field(default_factory=PartnerConfig)
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)

    def __post_init__(self) -> None:
        if self.crop % 32 or self.crop <= 0:
            raise ConfigError(f"a crop of {self.crop} pixels is not a multiple of 32")


@dataclass(frozen=True)
class Told:
    """What is said of one layer in a group, and whether it is true."""

    description: Description
    right: Bool[Tensor, " B"]
    wrong: Bool[Tensor, " B"]


@dataclass(frozen=True)
class Group:
    """One group of training mixtures."""

    mixtures: Mixtures
    transmission: Told
    reflection: Told


@dataclass(frozen=True)
class Triplet:
    """One mixture with the captions of both its photos, for people to read."""

    mixtures: Mixtures
    captions: tuple[str, str]
    recipe: str


class Batches:
    """Makes the groups of every step."""

    def __init__(self, store: PhotoStore, config: BatchConfig, seed: int) -> None:
        """Raises DataError if no two photos have different first captions."""
        self.store = store
        self.partners = Partners(store.photos, config.partners)
        self.config = config
        self.seed = seed

    def group(self, step: int, group: int) -> Group:
        """Make one group; the same arguments always give the same group."""
        random = np.random.default_rng((self.seed, step, group))
        mixtures, behind, mirrored = self.mix(random)
        told = self.tell(mixtures.recipe, (behind, mirrored), self.config.captions, random)
        return Group(mixtures, *told)

    def tell(
        self,
        recipe: Int[Tensor, " B"],
        photos: tuple[np.ndarray, np.ndarray],
        captions: CaptionConfig,
        random: np.random.Generator,
    ) -> tuple[Told, Told]:
        """Draw what is said of mixtures of the photos with these numbers."""
        names = [self.config.synthesis.recipes[index].name for index in recipe.tolist()]
        fates = [draw_fates(captions, random) for _ in names]
        fates = [
            (t, Fate.WRONG if name == REFLECTIONLESS and r == Fate.KEPT else r)
            for name, (t, r) in zip(names, fates, strict=True)
        ]
        first, second = (
            self._told(numbers, [pair[layer] for pair in fates], captions, random)
            for layer, numbers in enumerate(photos)
        )
        return first, second

    def triplet(self, number: int) -> Triplet:
        """Make one mixture with its captions; needs a configuration with groups of one."""
        random = np.random.default_rng((self.seed, number))
        mixtures, behind, mirrored = self.mix(random)
        photos = (self.store.photos[int(behind[0])], self.store.photos[int(mirrored[0])])
        recipe = self.config.synthesis.recipes[int(mixtures.recipe[0])].name
        said_t, said_r = (photo.captions[0] for photo in photos)
        return Triplet(mixtures, (said_t, "" if recipe == REFLECTIONLESS else said_r), recipe)

    def mix(self, random: np.random.Generator) -> tuple[Mixtures, np.ndarray, np.ndarray]:
        """Draw photos and mix them; returns the numbers of those behind and those mirrored."""
        config = self.config
        generator = Generator().manual_seed(int(random.integers(2**62)))
        recipe = draw_recipes(config.synthesis, config.group, generator)
        behind = random.integers(len(self.store), size=config.group)
        mirrored = np.array([self.partners.mirrored(int(number), random) for number in behind])
        mixtures = synthesise(
            self._crops(behind, random),
            self._crops(mirrored, random),
            recipe,
            config.synthesis,
            generator,
        )
        return mixtures, behind, mirrored

    def _crops(self, numbers: np.ndarray, random: np.random.Generator) -> Float[Tensor, "B 3 H W"]:
        low, high = self.config.window
        crops = []
        for number in numbers.tolist():
            side, across, down = random.random(3)
            box = (low + (high - low) * side, across, down)
            averaged = self.config.averaged > 0.0 and random.random() < self.config.averaged
            crop = self.store.crop(number, box, self.config.crop, averaged)
            crops.append(crop[:, ::-1] if random.random() < 0.5 else crop)
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255.0

    def _told(
        self,
        numbers: np.ndarray,
        fates: list[Fate],
        wording: CaptionConfig,
        random: np.random.Generator,
    ) -> Told:
        captions = []
        for number, fate in zip(numbers.tolist(), fates, strict=True):
            said_of = number if fate == Fate.KEPT else self.partners.another(number, random)
            caption = draw_caption(self.store.photos[said_of], wording, random)
            captions.append("" if fate == Fate.DROPPED else caption)
        return Told(
            describe(captions),
            torch.tensor([fate == Fate.KEPT for fate in fates]),
            torch.tensor([fate == Fate.WRONG for fate in fates]),
        )


class Ahead:
    """Makes the next group in a thread of its own while the network is busy with this one."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mixtures")
        self._waiting: dict[tuple[int, int], Future[Group]] = {}

    def group(self, step: int, group: int, then: tuple[int, int]) -> Group:
        """Return one group as `Batches.group` does, and begin with (step, group) `then`."""
        begun = self._waiting.pop((step, group), None)
        self._waiting = {then: self._thread.submit(self._batches.group, *then)}
        return self._batches.group(step, group) if begun is None else begun.result()


def to_device(value: Any, device: torch.device) -> Any:
    """Move every tensor of nested named tuples and dataclasses."""
    if device.type == "cpu":
        return value
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, tuple):
        return type(value)(*(to_device(item, device) for item in value))
    return type(value)(**{k: to_device(v, device) for k, v in vars(value).items()})
