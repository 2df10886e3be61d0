import numpy as np
import pytest
from PIL import Image

from pellucid.bands import bands
from pellucid.resolution import area_downscale
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


def plain_layer(working, layer, mixture):
    """The same model with nothing cut into bands: every map enlarged whole, by Pillow."""
    height, width = mixture.shape[:2]

    def enlarge(small):
        image = Image.fromarray(np.ascontiguousarray(small))
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))

    share = detail_share(working.mixture, working.transmission)
    share = share if layer == "transmission" else 1 - share
    offset = getattr(working, layer) - share[..., None] * working.mixture
    offset = 2 * offset - blur(offset, round_trip_kernel(width / working.size[0]))
    planes = [enlarge(share) * mixture[..., c] + enlarge(offset[..., c]) for c in range(3)]
    return np.clip(np.stack(planes, axis=2), np.minimum(mixture, 0), np.maximum(mixture, 1))


@pytest.mark.parametrize("layer", ["transmission", "reflection"])
def test_bands_equal_the_plain_model(scene, layer):
    mixture, _, working = scene
    wide_gamut = mixture * np.float32(1.2) - np.float32(0.05)
    for light in (mixture, wide_gamut):
        plain = plain_layer(working, layer, light)
        np.testing.assert_allclose(whole_layer(working, layer, light), plain, atol=2e-6)


def test_tiles_of_any_height_give_the_same(monkeypatch):
    size, target = (640, 1500), (213, 500)
    mixture = noise(size, 20, seed=2)
    small = shrink(mixture, target)
    guess = (small * 0.8 - 0.2 * noise(target, 7, seed=3)).clip(0, 1)
    working = WorkingLayers(small, guess, small - guess)
    results = []
    for height in (7, 256, 512, 1024):
        monkeypatch.setattr("pellucid.bands.BAND_PIXELS", size[0] * height)
        results.append(whole_layer(working, "transmission", mixture))
    for result in results[1:]:
        assert np.abs(result - results[0]).max() < 1e-6  # 120 dB; 50 are asked for


def test_flat_regions_have_no_seam(monkeypatch):
    """A flat photo under a smooth veil: rows where bands meet may not stand out."""
    size, target = (600, 900), (200, 300)
    veil = np.linspace(0.1, 0.4, target[1], dtype=np.float32)[:, None, None]
    small = np.full((target[1], target[0], 3), 0.5, np.float32)
    reflection = np.broadcast_to(veil, small.shape).copy()
    working = WorkingLayers(small, small - reflection, reflection)
    mixture = np.full((size[1], size[0], 3), 0.5, np.float32)
    monkeypatch.setattr("pellucid.bands.BAND_PIXELS", size[0] * 64)
    layer = encoded(whole_layer(working, "transmission", mixture))
    curvature = np.abs(np.diff(layer, n=2, axis=0))
    assert curvature.max() < 0.1 / 255
    assert np.ptp(layer, axis=1).max() < 0.1 / 255


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
