"""The page in a real browser: pip install playwright, and a Chromium (CHROMIUM names its file)."""

from __future__ import annotations

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.service.conftest import jpeg

from ..faults import fault

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium"),
]
PATIENCE = 60_000


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [sys.executable, "-m", "pellucid", "web", "--port", "0", "--max-megapixels", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found
        yield found[0]
        process.terminate()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    context = browser.new_context(
        viewport={"width": 1100, "height": 900}, accept_downloads=True, reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    faults: list[str] = []
    elsewhere: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda r: r.url.startswith((address, "data:", "blob:")) or elsewhere.append(r.url),
    )
    page.goto(address)
    yield page
    context.close()
    assert not faults and not elsewhere


def separated(page, **words: str):
    """Upload a photo and wait for its layers."""
    photo = {"name": "shop.jpg", "mimeType": "image/jpeg", "buffer": jpeg(320, 240)}
    page.get_by_label("Drop a photo here, or choose one").set_input_files(photo)
    for label, text in words.items():
        page.locator(f"#{label}").fill(text)
    page.get_by_role("button", name="Separate").click()
    page.get_by_text("Done: 320 × 240 pixels.").wait_for()
    return page


def after(page) -> str:
    """Return the result's pixels as the canvas holds them, once they are drawn."""
    page.wait_for_timeout(150)
    return page.evaluate("document.getElementById('after').toDataURL()")


def test_words_gates_and_overlays(page):
    separated(page, transmission="a red lamp")
    assert "This description was" in page.locator("#about-transmission").inner_text()
    assert page.locator("#about-reflection").inner_text() == "Not described."
    chip = page.get_by_role("button", name="lamp", exact=True)
    chip.click()
    assert chip.get_attribute("aria-pressed") == "true"
    assert page.get_by_alt_text("Where the word lamp acted").is_visible()
    chip.click()
    assert page.locator("#overlay").is_hidden()


def test_strength_answers_without_the_server(page):
    separated(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    strength = page.get_by_role("slider", name="Strength")
    pictures = set()
    for value in ("-100", "0", "100"):
        strength.fill(value)
        pictures.add(after(page))
    assert len(pictures) == 3
    assert not [url for url in asked if url.startswith("http")]
    strength.fill("0")
    assert after(page) == page.evaluate("document.getElementById('before').toDataURL()")


def test_the_keyboard_moves_the_sliders(page):
    separated(page)
    page.get_by_label("Before and after").focus()
    page.keyboard.press("Home")
    after(page)
    assert "0%" in page.locator("#after").get_attribute("style")


def test_the_brush_limits_what_is_shown(page):
    separated(page)
    page.get_by_role("slider", name="Strength").fill("-100")
    everywhere = after(page)
    page.get_by_label("Paint where the effect is wanted").check()
    page.locator("#stage").scroll_into_view_if_needed()
    stage = page.locator("#brushed").bounding_box()
    page.mouse.move(stage["x"] + 20, stage["y"] + 20)
    page.mouse.down()
    page.mouse.move(stage["x"] + 40, stage["y"] + 120, steps=4)
    page.mouse.up()
    painted = after(page)
    assert painted != everywhere
    page.locator("#brushed").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert after(page) != painted
    page.get_by_role("button", name="Everywhere again").click()
    assert after(page) == everywhere


def test_download_at_full_size(page):
    separated(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download both layers").click()
    assert download.value.suggested_filename == "shop.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        sizes = {n: Image.open(io.BytesIO(archive.read(n))).size for n in archive.namelist()}
    assert sizes == {"shop.transmission.jpg": (320, 240), "shop.reflection.jpg": (320, 240)}


@pytest.mark.parametrize(
    ("photo", "said"), [(b"not a picture", "not a photo"), (jpeg(1600, 800), "over the limit")]
)
def test_errors_are_kind(page, photo, said):
    upload = {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": photo}
    page.locator("#file").set_input_files(upload)
    page.get_by_role("button", name="Separate").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert said in alert.inner_text()
    assert page.get_by_role("button", name="Separate").is_enabled()
    assert page.locator("#result").is_hidden()


def test_no_photo_and_no_server(page):
    page.get_by_role("button", name="Separate").click()
    page.get_by_text("Choose a photo first.").wait_for()
    page.route("**/api/preview", lambda route: route.abort())
    page.locator("#file").set_input_files(
        {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": jpeg()}
    )
    page.get_by_role("button", name="Separate").click()
    page.get_by_text("The server does not answer").wait_for()


@pytest.mark.parametrize("width", [360, 1100])
def test_nothing_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_role("button", name="Try the example").click()
    page.get_by_text(re.compile("Done:")).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if folder := os.environ.get("SCREENSHOTS"):
        path = Path(folder) / f"web-{width}.jpg"
        page.screenshot(path=path, full_page=True, type="jpeg", quality=70)


@fault("server", "script in a prompt and in a name, in a browser", "shown as text")
def test_markup_in_names_and_words_is_text(page):
    separated(page, reflection="<img/src=x/onerror=alert(1)>")
    assert page.locator(".chips img").count() == 0


@fault("server", "a page of another site, in a browser", "gets no answer it can read")
def test_unreachable_from_a_page_elsewhere(browser, address):
    """A page of another origin cannot make the browser use the server."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
    context = browser.new_context()
    page = context.new_page()
    page.route("http://evil.example/", lambda route: route.fulfill(body="<p>evil"))
    page.goto("http://evil.example/")
    status = page.evaluate(
        "async (to) => { const data = new FormData();"
        " data.append('photo', new Blob(['x']), 'x.jpg');"
        " return fetch(to + '/api/preview', {method: 'POST', body: data})"
        ".then((answer) => answer.status, () => 'refused'); }",
        address,
    )
    assert status == "refused"
    context.close()
