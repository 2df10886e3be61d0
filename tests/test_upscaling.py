import numpy as np
import pytest
from PIL import Image

from pellucid.resolution import area_downscale, bands
from pellucid.upscaling import LayerModel, WorkingLayers, blur, detail_share, round_trip_kernel


def noise(size, cells, seed):
    """Smooth coloured noise in [0, 1] with detail at several scales."""
    width, height = size
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for octave, weight in ((1, 0.5), (4, 0.3), (16, 0.2)):
        small = rng.random((cells * octave, cells * octave, 3)).astype(np.float32)
        for channel in range(3):
            enlarged = Image.fromarray(small[..., channel]).resize(size, Image.Resampling.BICUBIC)
            picture[..., channel] += weight * np.asarray(enlarged)
    return picture.clip(0, 1)


def shrink(picture, target):
    height, width = picture.shape[:2]
    return area_downscale(lambda start, stop: picture[start:stop], (width, height), target)


def whole_layer(working, layer, mixture):
    height, width = mixture.shape[:2]
    model = LayerModel(working, layer, (width, height))
    return np.concatenate(
        [model.rows(mixture[start:stop], start, stop) for start, stop in bands(height, width)]
    )


def psnr(a, b):
    return -10 * np.log10(np.mean(np.square(a.astype(np.float64) - b)))


def encoded(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.fixture(scope="module")
def scene():
    """Two detailed layers and a model that gets both a little wrong."""
    size, target = (1203, 801), (451, 300)
    grain = np.random.default_rng(9).normal(0, 0.03, (801, 1203, 1)).astype(np.float32)
    transmission = (0.6 * noise(size, 9, seed=1) + grain).clip(0, 1)
    mixture = transmission + 0.35 * noise(size, 20, seed=2)
    small = shrink(mixture, target)
    guess = (shrink(transmission, target) + 0.1 * noise(target, 5, seed=3) - 0.04).clip(0, 1)
    working = WorkingLayers(small, guess, (small - guess).clip(0, 1))
    return mixture, transmission, working


@pytest.mark.parametrize("curve", [lambda x: x, encoded], ids=["light", "encoded"])
def test_full_size_keeps_the_quality_of_the_working_resolution(scene, curve):
    mixture, transmission, working = scene
    full = shrink(whole_layer(working, "transmission", mixture), working.size)
    truth = curve(shrink(transmission, working.size))
    assert abs(psnr(curve(full), truth) - psnr(curve(working.transmission), truth)) < 0.1
    assert psnr(full, working.transmission) > 55


def test_fine_detail_goes_to_the_layer_that_has_it(scene):
    mixture, transmission, working = scene
    enlarged = np.stack(
        [
            Image.fromarray(np.ascontiguousarray(channel)).resize(
                (1203, 801), Image.Resampling.BICUBIC
            )
            for channel in np.moveaxis(working.transmission, 2, 0)
        ],
        axis=2,
    )
    full = whole_layer(working, "transmission", mixture)
    assert psnr(full, transmission) > psnr(enlarged, transmission) + 1


def test_layers_add_up_where_the_working_layers_do(scene):
    mixture, _, working = scene
    together = sum(whole_layer(working, layer, mixture) for layer in ("transmission", "reflection"))
    inside = (together > 0.05) & (together < 0.95)
    assert np.abs(together - mixture)[inside].mean() < 2e-3


def test_removing_nothing_returns_the_mixture(scene):
    mixture, _, working = scene
    nothing = WorkingLayers(working.mixture, working.mixture, np.zeros_like(working.mixture))
    np.testing.assert_allclose(whole_layer(nothing, "transmission", mixture), mixture, atol=1e-6)
    np.testing.assert_allclose(whole_layer(nothing, "reflection", mixture), 0, atol=1e-6)


def test_bands_meet_without_a_seam(scene, monkeypatch):
    mixture, _, working = scene
    model = LayerModel(working, "transmission", (1203, 801))
    at_once = model.rows(mixture, 0, 801)
    monkeypatch.setattr("pellucid.resolution.BAND_PIXELS", 1203 * 7)
    np.testing.assert_allclose(whole_layer(working, "transmission", mixture), at_once, atol=1e-6)


def test_layers_stay_in_range():
    rng = np.random.default_rng(4)
    mixture = rng.random((64, 96, 3)).astype(np.float32)
    mixture[:8] = 1.5
    wild = WorkingLayers(*(rng.random((16, 24, 3)).astype(np.float32) for _ in range(3)))
    layer = whole_layer(wild, "transmission", mixture)
    assert layer.min() >= 0
    assert (layer <= np.maximum(mixture, 1)).all()


def test_share_follows_the_detail():
    rng = np.random.default_rng(5)
    detail = rng.normal(0, 0.1, (60, 60, 1)).astype(np.float32) * np.ones(3, np.float32)
    mixture = 0.5 + detail
    transmission = mixture.copy()
    transmission[:, 30:] = 0.5 + 0.25 * detail[:, 30:]
    share = detail_share(mixture, transmission)
    assert share[:, :15].min() > 0.99
    assert np.abs(share[:, 45:] - 0.25).max() < 0.02


def test_share_without_detail_is_the_transmissions():
    flat = np.full((20, 20, 3), 0.5, np.float32)
    np.testing.assert_allclose(detail_share(flat, flat * 0.3), 1, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 8])
def test_kernel_is_one_round_trip_of_pillow(scale):
    small = noise((24, 24), 6, seed=6)[..., 0]
    large = Image.fromarray(small).resize((24 * scale, 24 * scale), Image.Resampling.BICUBIC)
    back = shrink(np.asarray(large)[..., None], (24, 24))
    ours = blur(small[..., None], round_trip_kernel(scale))
    np.testing.assert_allclose(ours[3:-3, 3:-3], back[3:-3, 3:-3], atol=1e-4)
