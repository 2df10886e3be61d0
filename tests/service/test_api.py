from __future__ import annotations

import base64
import email
import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from pellucid.separator import Separator
from pellucid.service.app import create_app
from tests.service.conftest import ADDRESS, jpeg

from ..faults import fault


def layers(answer) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)), np.int16)


def post(client: TestClient, photo: bytes, name: str = "shop.jpg", mask: bytes = b"", **fields):
    files = {"photo": (name, photo)} | ({"mask": ("mask.png", mask)} if mask else {})
    return client.post("/api/separate", files=files, data=fields)


def test_layers_are_those_of_the_library(client):
    photo = jpeg()
    made = layers(post(client, photo, transmission="a shelf", format="png"))
    assert list(made) == ["shop.transmission.png", "shop.reflection.png"]
    expected = Separator.load(threads=1).separate(photo, transmission="a shelf")
    for layer, content in zip(("transmission", "reflection"), made.values(), strict=True):
        assert np.array_equal(pixels(content), np.asarray(expected.image(layer)))


def test_words_change_the_layers(client):
    photo = jpeg()
    silent, told = (layers(post(client, photo, **words)) for words in ({}, {"reflection": "sky"}))
    assert silent != told
    assert layers(post(client, photo, reflection=" ")) == silent


def test_one_layer_format_and_strength(client):
    photo = jpeg()
    made = layers(post(client, photo, layers="transmission", format="png", strength="0"))
    assert list(made) == ["shop.transmission.png"]
    assert np.array_equal(pixels(made["shop.transmission.png"]), pixels(photo))


def test_a_mask_limits_the_effect(client):
    photo = jpeg()
    mask = np.zeros((64, 96), np.uint8)
    mask[:, 48:] = 255
    encoded = io.BytesIO()
    Image.fromarray(mask).save(encoded, "PNG")
    made = layers(post(client, photo, mask=encoded.getvalue(), format="png"))
    transmission = pixels(made["shop.transmission.png"])
    assert np.array_equal(transmission[:, :48], pixels(photo)[:, :48])
    assert not np.array_equal(transmission[:, 48:], pixels(photo)[:, 48:])


@fault("server", "metadata of a photo", "stripped unless asked for")
def test_metadata_is_stripped_unless_asked(client):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    photo = jpeg(exif=exif.tobytes())
    for asked, expected in (("false", None), ("true", "Maker")):
        for content in layers(post(client, photo, keep_metadata=asked)).values():
            assert Image.open(io.BytesIO(content)).getexif().get(0x010F) == expected


def test_multipart_answer(client):
    answer = client.post(
        "/api/separate",
        files={"photo": ("straße.jpg", jpeg())},
        headers={"Accept": "multipart/mixed"},
    )
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + answer.content).get_payload()
    names = [part.get_filename() for part in parts]
    assert names == ["straße.transmission.jpg", "straße.reflection.jpg"]
    assert pixels(parts[0].get_payload(decode=True)).shape == (64, 96, 3)


def test_preview_tells_what_became_of_each_word(client):
    photo = jpeg(2048, 128)
    fields = {"transmission": "a red lamp"}
    preview = client.post("/api/preview", files={"photo": photo}, data=fields).json()
    assert preview["size"] == [2048, 128]
    for layer in ("photo", "transmission", "reflection"):
        content = base64.b64decode(preview[layer].partition(",")[2])
        assert Image.open(io.BytesIO(content)).size == (1280, 80)
    about = preview["about_transmission"]
    assert [word["word"] for word in about["words"]] == ["a", "red", "lamp"]
    assert 0 <= about["gate"] <= 1
    assert preview["about_reflection"] is None


@pytest.mark.parametrize(
    ("photo", "fields", "status", "said"),
    [
        (b"", {}, 422, "empty"),
        (b"GIF89a", {}, 422, "shop.jpg"),
        (jpeg()[:200], {}, 422, "shop.jpg"),
        (jpeg(1024, 512), {}, 422, "over the limit of 400,000"),
        (jpeg(), {"strength": "101"}, 422, "strength"),
        (jpeg(), {"strength": "nan"}, 422, "strength"),
        (jpeg(), {"layers": "all"}, 422, "layers"),
        (jpeg(), {"transmission": "x" * 61}, 422, "transmission: 61 characters"),
        (jpeg(), {"mask": b"no picture"}, 422, "mask"),
        (jpeg(), {"mask": jpeg(64, 96)}, 422, "draw it over the photo"),
        (jpeg(), {"reflection": "y" * 2_000_000}, 413, "over the limit of 2,000,000 bytes"),
    ],
)
@fault(
    "server",
    "empty, damaged, huge photos; wrong fields; long words",
    "refused: 413 or 422 with a sentence",
)
def test_what_cannot_be_used_is_told_kindly(client, photo, fields, status, said):
    answer = post(client, photo, **fields)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd.jpg", "a\\b\\c.jpg", "\x1b[2J.jpg", "..", "<img src=x>.jpg", "🪟.jpg"],
)
@fault("server", "../ names, backslashes, ANSI, HTML", "a plain name in the archive")
def test_names_cannot_leave_the_archive(client, name):
    for made in layers(post(client, jpeg(), name)):
        assert "/" not in made and "\\" not in made and made.isprintable()
        assert not made.startswith(".")


@fault("server", "unknown addresses and methods", "refused: 404, 405")
def test_unknown_addresses_and_methods(client):
    assert client.get("/nowhere").json()["status"] == 404
    assert client.get("/api/separate").json()["status"] == 405


@fault("server", "paths and URLs in place of a photo", "refused: nothing is opened or fetched")
@pytest.mark.parametrize("place", ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:9/a.jpg"])
def test_places_are_no_photos(client, place):
    as_text = client.post("/api/separate", data={"photo": place})
    as_file = client.post("/api/separate", files={"photo": (place, place.encode())})
    assert (as_text.status_code, as_file.status_code) == (422, 422)
    assert "root:" not in as_text.text + as_file.text


def test_not_ready_before_the_model_is_loaded():
    loading = threading.Event()

    def load() -> Separator:
        loading.wait(5)
        return Separator.load(threads=1)

    with TestClient(create_app(load), base_url=ADDRESS) as client:
        assert client.get("/healthz").status_code == 200
        early = client.get("/readyz")
        assert (early.status_code, early.headers["retry-after"]) == (503, "2")
        assert post(client, jpeg()).status_code == 503
        loading.set()


@fault("server", "several requests at once", "each gets its own photo")
def test_concurrent_requests_get_their_own_photos(client):
    widths = [64, 96, 128, 160]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda width: post(client, jpeg(width)), widths))
    for width, answer in zip(widths, answers, strict=True):
        assert all(pixels(content).shape[1] == width for content in layers(answer).values())


def test_openapi_describes_the_answers(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/healthz", "/readyz", "/api/preview", "/api/separate"}
    assert "application/zip" in paths["/api/separate"]["post"]["responses"]["200"]["content"]
