"""Mixtures: light adds, recipes do what they are called, and a seed fixes everything."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Generator

from pellucid.network.light import to_encoded, to_light
from pellucid.synthesis.mixture import draw_recipes, synthesise
from pellucid.synthesis.recipes import (
    CLEAN,
    ENCODED,
    MEAN_LIGHT,
    SHARP,
    SOFT,
    SYMMETRIC,
    VEIL,
    SynthesisConfig,
)

QUIET = {"noise": 0.0, "jpeg": 0.0}


def photos(seed: int, count: int = 6) -> torch.Tensor:
    generator = Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 8, 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear")


def mix(config: SynthesisConfig, seed: int = 0, count: int = 6):
    generator = Generator().manual_seed(seed)
    recipe = draw_recipes(config, count, generator)
    return synthesise(photos(1, count), photos(2, count), recipe, config, generator)


LIGHT_ADDS = [recipe for recipe in SynthesisConfig().recipes if not recipe.adds_encoded]


def test_encoded_mixtures_add_encoded_values_and_no_camera_takes_them():
    loud = SynthesisConfig(recipes=(ENCODED,), noise=1.0, jpeg=1.0, soft=1.0, cast=0.5)
    made = mix(loud)
    calm = mix(dataclasses.replace(loud, **QUIET, soft=0.0, cast=0.0))
    assert torch.equal(made.mixture, calm.mixture)
    total = (to_encoded(made.transmission) + to_encoded(made.reflection)).clamp(max=1.0)
    assert not made.adds.any()
    assert (made.mixture - total).abs().max() < 0.6 / 255


def test_encoded_reflections_are_darkened_until_little_overflows():
    made = mix(SynthesisConfig(recipes=(ENCODED,), **QUIET), count=24)
    mirrored = to_encoded(made.reflection)
    total = to_encoded(made.transmission) + mirrored
    assert (total > 1.0).float().mean() < 0.2
    assert (mirrored < 1 / 255).float().mean() > 0.05


def test_the_camera_exposes_for_the_brightest_hundredth():
    recipe = dataclasses.replace(CLEAN, toned=0.0, transmittance=(0.9, 0.9), dark=0.0)
    config = SynthesisConfig(recipes=(recipe,), auto_exposure=1.0, cast=0.0, **QUIET)
    white = mix(config, count=24).transmission.amax(dim=1).flatten(1).quantile(0.99, dim=1)
    assert 0.28 < white.min() < 0.5
    assert white.max() > 0.9


def test_the_camera_opens_up_for_a_dim_scene():
    def brightest(auto_exposure: float) -> float:
        recipe = dataclasses.replace(CLEAN, transmittance=(0.3, 0.3), dark=0.0)
        config = SynthesisConfig(recipes=(recipe,), auto_exposure=auto_exposure, **QUIET)
        return mix(config).transmission.amax().item()

    assert 1.5 < brightest(1.0) / brightest(0.0) < 2.51


@pytest.mark.parametrize("recipe", LIGHT_ADDS, ids=lambda recipe: recipe.name)
def test_light_adds_where_nothing_clips(recipe):
    made = mix(SynthesisConfig(recipes=(recipe,), **QUIET))
    assert made.adds.all()
    total = made.transmission + made.reflection
    unclipped = total < 0.98
    assert unclipped.float().mean() > 0.5
    difference = (to_light(made.mixture) - total)[unclipped]
    # What is left is the rounding to 8 bits.
    assert difference.abs().max() < 0.006


def test_ranges():
    made = mix(SynthesisConfig())
    for layer in made[:3]:
        assert layer.shape == (6, 3, 64, 64)
        assert torch.all((layer >= 0) & (layer <= 1))


def test_the_seed_fixes_every_pixel():
    one, same, other = (
        mix(SynthesisConfig(), 3),
        mix(SynthesisConfig(), 3),
        mix(SynthesisConfig(), 4),
    )
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one.mixture, other.mixture)


def test_clean_is_without_reflection():
    made = mix(SynthesisConfig(recipes=(CLEAN,), **QUIET))
    assert made.reflection.max() < 1e-5


def test_symmetric_is_half_and_half():
    made = mix(SynthesisConfig(recipes=(SYMMETRIC,), auto_exposure=0.0, **QUIET))
    for layer, photo in ((made.transmission, photos(1)), (made.reflection, photos(2))):
        share = (layer.sum() / to_light(photo).sum()).item()
        assert 0.44 < share < 0.56


def test_contrasty_reflections_keep_their_light_in_few_places():
    def concentration(contrasty: float) -> float:
        recipe = dataclasses.replace(
            SOFT, contrasty=contrasty, strength=(0.5, 0.5), highlight_gain=(1.0, 1.0), partial=0.0
        )
        config = SynthesisConfig(recipes=(recipe,), auto_exposure=0.0, **QUIET)
        light = mix(config, count=24).reflection.mean(dim=1).flatten(1)
        return (light.quantile(0.9, dim=1) / light.median(dim=1).values).median().item()

    assert concentration(1.0) > 1.3 * concentration(0.0)


@pytest.mark.parametrize("key, brighter", [("high_key", True), ("low_key", False)])
def test_scenes_of_a_key_are_lighter_or_darker_than_their_photos(key, brighter):
    def light(share: float) -> float:
        recipe = dataclasses.replace(CLEAN, **{"low_key": 0.0, "high_key": 0.0, key: share})
        config = SynthesisConfig(recipes=(recipe,), auto_exposure=0.0, **QUIET)
        return mix(config).transmission.mean().item()

    assert (light(1.0) > 1.1 * light(0.0)) == brighter
    assert (light(1.0) < 0.9 * light(0.0)) != brighter


def detail(light: torch.Tensor) -> float:
    return light.diff(dim=-1).abs().mean().item()


def test_scenes_out_of_focus_are_soft_and_their_reflections_are_not():
    def made(unfocused: float):
        recipe = dataclasses.replace(SHARP, unfocused=unfocused, toned=0.0)
        return mix(SynthesisConfig(recipes=(recipe,), soft=0.0, auto_exposure=0.0, **QUIET))

    crisp, soft = made(0.0), made(1.0)
    assert detail(soft.transmission) < 0.97 * detail(crisp.transmission)
    torch.testing.assert_close(soft.reflection, crisp.reflection, atol=1e-6, rtol=0)


def test_soft_photos_are_soft_in_both_layers():
    def made(soft: float):
        recipe = dataclasses.replace(SHARP, unfocused=0.0)
        return mix(
            SynthesisConfig(recipes=(recipe,), soft=soft, auto_exposure=0.0, **QUIET), count=12
        )

    crisp, soft = made(0.0), made(1.0)
    assert detail(soft.transmission) < 0.99 * detail(crisp.transmission)
    assert detail(soft.reflection) < 0.99 * detail(crisp.reflection)


def test_evened_reflections_are_as_strong_of_dark_photos_as_of_bright_ones():
    def means(evened: bool):
        recipe = dataclasses.replace(
            SHARP,
            evened=evened,
            strength=(0.3, 0.3),
            contrasty=0.0,
            partial=0.0,
            fresnel=0.0,
            toned=0.0,
        )
        config = SynthesisConfig(recipes=(recipe,), auto_exposure=0.0, soft=0.0, **QUIET)
        generator = Generator().manual_seed(0)
        mirrored = photos(2) * torch.linspace(0.6, 1.0, 6)[:, None, None, None]
        drawn = draw_recipes(config, 6, generator)
        return synthesise(photos(1), mirrored, drawn, config, generator).reflection.mean((1, 2, 3))

    even, own = means(True), means(False)
    assert even.max() / even.min() < 1.1
    assert even.mean() == pytest.approx(0.3 * MEAN_LIGHT, rel=0.05)
    assert own.max() / own.min() > 2.0


def test_a_cast_is_the_same_in_both_layers():
    def made(cast: float):
        recipe = dataclasses.replace(SHARP, toned=0.0)
        return mix(SynthesisConfig(recipes=(recipe,), soft=0.0, cast=cast, auto_exposure=0.0))

    def colour(light: torch.Tensor) -> torch.Tensor:
        return light.mean(dim=(2, 3)) / light.mean(dim=(1, 2, 3))[:, None]

    true, shifted = made(0.0), made(0.3)
    moved = [colour(shifted[layer]) / colour(true[layer]) for layer in (1, 2)]
    assert (moved[0] - 1.0).abs().max() > 0.1
    torch.testing.assert_close(moved[0], moved[1], rtol=0.1, atol=0.0)


def test_a_veil_is_smoother_than_a_soft_reflection():
    def detail(recipe):
        recipe = dataclasses.replace(recipe, partial=0.0, fresnel=0.0, ghosting=0.0)
        layer = mix(SynthesisConfig(recipes=(recipe,), **QUIET), count=24).reflection
        steps = (layer[..., 1:] - layer[..., :-1]).abs().mean(dim=(1, 2, 3))
        return (steps / layer.mean(dim=(1, 2, 3))).mean()

    assert detail(VEIL) < 0.8 * detail(SOFT)


def test_recipes_are_drawn_by_their_shares():
    config = SynthesisConfig()
    drawn = draw_recipes(config, 20_000, Generator().manual_seed(0))
    shares = torch.bincount(drawn, minlength=len(config.recipes)) / len(drawn)
    expected = torch.tensor([recipe.share for recipe in config.recipes])
    torch.testing.assert_close(shares, expected / expected.sum(), atol=0.02, rtol=0)
