"""The page as text: what a browser needs not be started for."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from pellucid.service.app import PAGE

from ..faults import fault

HTML = (PAGE / "index.html").read_text("utf-8")
SCRIPTS = {path.name: path.read_text("utf-8") for path in PAGE.glob("*.js")}


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(HTML)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


ELEMENTS = Elements().found
IDS = [attributes["id"] for _, attributes in ELEMENTS if "id" in attributes]


def test_ids_are_unique_and_those_the_scripts_use_exist():
    assert len(IDS) == len(set(IDS))
    used = set(re.findall(r'\bat\("([^"]+)"\)', SCRIPTS["app.js"]))
    assert used and used <= set(IDS)


def test_every_control_has_a_label():
    labelled = {a.get("for") for tag, a in ELEMENTS if tag == "label"}
    wrapped = re.findall(r'<label class="check"><input id="([^"]+)"', HTML)
    controls = {a["id"] for tag, a in ELEMENTS if tag == "input"}
    assert controls <= labelled | set(wrapped)


@fault("server", "links to elsewhere and inline scripts in the page", "none")
def test_nothing_comes_from_elsewhere_and_nothing_is_inline():
    for text in (HTML, *SCRIPTS.values(), (PAGE / "style.css").read_text("utf-8")):
        assert not re.search(r"https?://|@import|innerHTML|eval\(", text)
    assert not re.search(r"<style|<script(?![^>]*src=)|\son\w+=|\sstyle=", HTML)


def test_it_says_what_happens_to_people_who_cannot_see():
    roles = {a.get("role") for _, a in ELEMENTS}
    assert {"status", "alert"} <= roles
    assert all("alt" in a for tag, a in ELEMENTS if tag == "img")
    assert ("html", {"lang": "en"}) in ELEMENTS
