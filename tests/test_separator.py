import dataclasses
import io
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import pellucid
from pellucid.errors import DescriptionError, PhotoError
from pellucid.model import ModelOutput
from pellucid.photo import ColourProfile, Photo, photo_from_array, read_photo, write_photo
from pellucid.resolution import WorkingResolution
from pellucid.separation import Separation
from pellucid.separator import Separator
from pellucid.text import word_table

from .faults import fault
from .helpers.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def separator(tiny_weights) -> Separator:
    return Separator.load(tiny_weights, threads=1)


@pytest.fixture(scope="module")
def nothing_removed(tmp_path_factory) -> Separator:
    weights = write_tiny_model(tmp_path_factory.mktemp("weights") / "all.onnx", share=1.0)
    return Separator.load(weights, threads=1)


def noise(height, width, seed=0, dtype=np.uint8):
    return np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True
    )


SIZES = [(1, 1), (1, 90), (31, 33), (480, 320), (331, 641), (700, 500)]


def test_the_package_exports_it():
    assert pellucid.Separator is Separator
    assert pellucid.Separation is Separation


@pytest.mark.parametrize("size", SIZES)
def test_layers_have_the_inputs_size_and_add_up(separator, size):
    photo = photo_from_array(noise(*size))
    separation = separator.separate(photo)
    layers = separation.transmission, separation.reflection, separation.residual
    assert all(layer.shape == (*size, 3) and layer.dtype == np.float32 for layer in layers)
    np.testing.assert_allclose(sum(layers), photo.light(), atol=1e-6)


@settings(max_examples=15)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 99))
def test_any_size_gives_layers_that_add_up(separator, height, width, seed):
    photo = photo_from_array(noise(height, width, seed))
    separation = separator.separate(photo)
    total = separation.transmission + separation.reflection + separation.residual
    np.testing.assert_allclose(total, photo.light(), atol=1e-6)


def test_at_working_resolution_the_models_layers_are_returned(separator):
    photo = photo_from_array(noise(200, 300))
    separation = separator.separate(photo)
    np.testing.assert_allclose(separation.transmission, 0.8 * photo.light(), atol=2e-6)
    np.testing.assert_allclose(separation.reflection, 0.2 * photo.light(), atol=2e-6)


def test_full_resolution_follows_the_model(separator):
    photo = photo_from_array(noise(900, 700))
    separation = separator.separate(photo)
    assert separation.working.size == (256, 329)
    np.testing.assert_allclose(separation.transmission, 0.8 * photo.light(), atol=5e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (200, 320), (900, 700)])
@fault(
    "images", "nothing to remove, by the model's own word", "the output is the input, bit for bit"
)
def test_a_photo_of_which_nothing_is_removed_is_unchanged(nothing_removed, size, dtype):
    photo = photo_from_array(noise(*size, dtype=dtype))
    result = nothing_removed.separate(photo).photo("transmission")
    np.testing.assert_array_equal(result.pixels, photo.pixels)


def test_colours_outside_srgb_are_unchanged_too(nothing_removed):
    wide = dataclasses.replace(photo_from_array(noise(700, 500)), profile=_display_p3())
    assert wide.light().min() < 0
    result = nothing_removed.separate(wide).photo("transmission")
    np.testing.assert_array_equal(result.pixels, wide.pixels)


def _display_p3() -> ColourProfile:
    from pellucid.photo.profile import SRGB

    # The matrix of Display P3 to sRGB primaries (SMPTE EG 432-1, D65).
    matrix = np.array(
        [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]], np.float64
    )
    return dataclasses.replace(SRGB, to_srgb=matrix)


def test_every_kind_of_input_gives_the_same(separator, tmp_path):
    pixels = noise(50, 70)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    kinds = [path, str(path), path.read_bytes(), Image.open(path), pixels, pixels / 255.0]
    first, *others = (separator.separate(kind).transmission for kind in kinds)
    for other in others:
        np.testing.assert_allclose(other, first, atol=2e-5)


def test_a_bad_file_is_named(separator, tmp_path):
    bad = tmp_path / "text.jpg"
    bad.write_text("not a photo")
    with pytest.raises(PhotoError, match=r"text\.jpg"):
        separator.separate(bad)


def test_a_bad_description_names_its_layer(separator):
    with pytest.raises(DescriptionError, match="reflection: the description has"):
        separator.separate(noise(8, 8), reflection="x" * 1_000_000)


def test_gates_are_none_without_a_description(separator):
    gates = separator.separate(noise(40, 40), reflection="trees", transmission="  ").gates
    assert gates.transmission is None
    assert gates.reflection == pytest.approx(0.5)


def test_word_maps_follow_the_words(separator):
    separation = separator.separate(
        noise(70, 90), transmission="a Wintergarten", reflection="a Wintergarten"
    )
    maps = separation.word_maps
    assert [word.word for word in maps.transmission] == ["a", "Wintergarten"]
    assert all(word.weight.shape == (9, 12) for word in maps.transmission)
    tokens = len(word_table().encode("a Wintergarten").tokens)
    np.testing.assert_allclose(maps.transmission[0].weight, 1 / tokens, atol=1e-6)
    np.testing.assert_allclose(maps.transmission[1].weight, (tokens - 1) / tokens, atol=1e-6)
    assert len(maps.reflection) == 2


def test_a_cut_description_is_noted(separator):
    notes = separator.separate(noise(40, 40), transmission="house " * 50).notes
    assert len(notes) == 1
    assert "transmission is long" in notes[0]
    assert separator.separate(noise(40, 40), transmission="house").notes == ()


def test_photos_keep_depth_alpha_and_source(separator):
    pixels = noise(60, 50, dtype=np.uint16)
    alpha = noise(60, 50, seed=1, dtype=np.uint16)[..., :1]
    photo = photo_from_array(np.concatenate([pixels, alpha], axis=2))
    layer = separator.separate(photo).photo("reflection")
    assert layer.pixels.dtype == np.uint16
    np.testing.assert_array_equal(layer.alpha, photo.alpha)
    assert layer.metadata == photo.metadata


def test_photo_equals_the_layer_rounded_to_codes(separator):
    photo = photo_from_array(noise(700, 500))
    separation = separator.separate(photo)
    for layer in ("transmission", "reflection"):
        whole = photo.with_light(getattr(separation, layer))
        np.testing.assert_array_equal(separation.photo(layer).pixels, whole.pixels)


def test_image_is_eight_bit_srgb(separator):
    pixels = noise(60, 50, dtype=np.uint16)
    separation = separator.separate(photo_from_array(pixels))
    image = separation.image("transmission")
    assert (image.mode, image.size) == ("RGB", (50, 60))
    expected = separation.photo("transmission").pixels / 257
    assert np.abs(np.asarray(image) - expected).max() <= 0.5


def test_strength_zero_is_the_source_itself(separator):
    separation = separator.separate(noise(60, 50))
    assert separation.blend(0) is separation.source


def test_full_strength_is_a_layer(separator):
    separation = separator.separate(noise(600, 500))
    for strength, layer in ((100, "transmission"), (-100, "reflection")):
        np.testing.assert_array_equal(
            separation.blend(strength).pixels, separation.photo(layer).pixels
        )


@pytest.mark.parametrize("strength", [-60, 25])
def test_strength_interpolates_light(separator, strength):
    photo = photo_from_array(noise(60, 50, dtype=np.uint16))
    separation = separator.separate(photo)
    layer = separation.transmission if strength > 0 else separation.reflection
    share = abs(strength) / 100
    expected = (1 - share) * photo.light() + share * layer
    np.testing.assert_allclose(separation.blend(strength).light(), expected, atol=3e-5)


@pytest.mark.parametrize("strength", [-101, 100.5, float("nan")])
def test_strength_outside_its_range_is_refused(separator, strength):
    with pytest.raises(ValueError, match="from -100 to 100"):
        separator.separate(noise(8, 8)).blend(strength)


class Blank:
    """A model whose layers are out of range."""

    def run(self, mixture, transmission, reflection):
        shape = mixture.shape
        cells = np.zeros((1, shape[0] // 8, shape[1] // 8), np.float32)
        layer = np.full(shape, 3, np.float32)
        return ModelOutput(layer, -layer, np.zeros(2, np.float32), cells, cells)


def test_layers_are_clipped_and_the_residual_carries_the_rest():
    separator = Separator(Blank(), word_table(), WorkingResolution())
    photo = photo_from_array(noise(64, 64))
    separation = separator.separate(photo)
    assert (separation.transmission == 1).all()
    assert (separation.reflection == 0).all()
    np.testing.assert_allclose(separation.residual, photo.light() - 1, atol=1e-6)


def test_threads_change_nothing(tiny_weights):
    photo = photo_from_array(noise(900, 1100))
    alone, shared = (Separator.load(tiny_weights, threads=n).separate(photo) for n in (1, 4))
    for layer in ("transmission", "reflection"):
        np.testing.assert_array_equal(getattr(alone, layer), getattr(shared, layer))
        np.testing.assert_array_equal(alone.photo(layer).pixels, shared.photo(layer).pixels)


def test_memory_grows_by_the_pictures_alone(separator):
    small, large = (600, 800), (1800, 2400)
    peaks = [_peak_of_a_separation(separator, size) for size in (small, large)]
    layer = 3 * (large[0] * large[1] - small[0] * small[1])
    maps = 16 * separator.resolution.short_side * (large[1] - small[1])  # of the photo's width
    assert peaks[1] - peaks[0] < 1.1 * (layer + maps)


def _peak_of_a_separation(separator, size):
    photo = photo_from_array(noise(*size))
    tracemalloc.start()
    separator.separate(photo).photo("transmission")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_threads_share_one_separator(separator):
    photos = [noise(300, 200, seed) for seed in range(8)]
    alone = [separator.separate(photo, reflection="sky").transmission for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        together = list(
            pool.map(lambda p: separator.separate(p, reflection="sky").transmission, photos)
        )
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_layer_can_be_written_and_read_again(separator):
    separation = separator.separate(noise(40, 60))
    stream = io.BytesIO()
    write_photo(separation.photo("transmission"), stream, format="png")
    again: Photo = read_photo(stream.getvalue())
    np.testing.assert_array_equal(again.pixels, separation.photo("transmission").pixels)


@pytest.mark.parametrize("size", [(1, 1), (90, 33), (700, 500)])
def test_a_notebook_shows_photo_and_layers(separator, size):
    separation = separator.separate(photo_from_array(noise(*size)))
    with Image.open(io.BytesIO(separation._repr_png_())) as sheet:
        assert sheet.height == min(240, size[0])
        assert sheet.width % 3 == 0
        sheet.load()
