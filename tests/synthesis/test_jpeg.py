"""The batched JPEG against Pillow's."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid.synthesis.jpeg import jpeg


def picture() -> np.ndarray:
    y, x = np.mgrid[0:64, 0:96] / 64.0
    red = 0.5 + 0.4 * np.sin(9 * x) * np.cos(5 * y)
    green = 0.5 + 0.3 * np.sin(4 * x + 7 * y)
    blue = (x + y) / 2.5
    return (np.stack([red, green, blue], axis=-1) * 255).round().astype(np.uint8)


def through_pillow(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_it_loses_what_a_jpeg_loses(quality):
    image = picture()
    encoded = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255.0
    ours = jpeg(encoded, torch.tensor([float(quality)]))[0].permute(1, 2, 0).numpy()
    theirs = through_pillow(image, quality) / 255.0
    assert np.abs(ours - theirs).mean() < 2.0 / 255
    loss = np.abs(theirs - image / 255.0).mean()
    assert np.abs(ours - image / 255.0).mean() == pytest.approx(loss, rel=0.35)


def test_each_photo_has_its_own_quality():
    encoded = torch.from_numpy(picture()).permute(2, 0, 1)[None].float() / 255.0
    both = jpeg(encoded.expand(2, -1, -1, -1), torch.tensor([20.0, 95.0]))
    alone = jpeg(encoded, torch.tensor([95.0]))
    torch.testing.assert_close(both[1:], alone)
    assert (both[0] - encoded[0]).abs().mean() > 2 * (both[1] - encoded[0]).abs().mean()
