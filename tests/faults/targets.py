"""What is fuzzed: each target takes any bytes, and only errors for people may come of them.

`test_fuzz.py` tries them with hypothesis, `scripts/fuzz.py` guided by the lines that run.
`corpus/NAME/` holds the files that the target NAME starts from, and those that once broke it.
"""

from __future__ import annotations

import asyncio
import io
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from pellucid.batch.stores import FolderStore
from pellucid.batch.tasks import Record
from pellucid.batch.words import WordBook, read_table
from pellucid.errors import DataError, DescriptionError, PhotoError, WeightsError
from pellucid.photo import ReadLimits, WriteOptions, read_photo, write_photo
from pellucid.text import MAX_TOKENS, word_table

CORPUS = Path(__file__).parent / "corpus"
LIMITS = ReadLimits(max_pixels=1_000_000)
SLOWEST = 10.0
"""Seconds that no input of a few kB may take, on a busy machine."""

Target = Callable[[bytes, Path], None]
"""Takes the input and an empty folder to write into."""


def photo(data: bytes, _: Path) -> None:
    """Read a photo and write it again without its place; only a PhotoError may come of it."""
    begin = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = read_photo(data, limits=LIMITS)
        except PhotoError as error:
            assert "\n" not in str(error)
        else:
            assert min(found.size) >= 1
            for kind in ("png", "jpeg"):
                try:
                    write_photo(
                        found, io.BytesIO(), format=kind, options=WriteOptions(keep_gps=False)
                    )
                except PhotoError as error:
                    assert kind == "jpeg"
                    assert "transparency" in str(error) or "pixels a side" in str(error)
    assert time.monotonic() - begin < SLOWEST


def words(data: bytes, folder: Path) -> None:
    """Read bytes as a description, every kind of file that holds words, a line of a manifest."""
    description(data.decode("utf-8", "surrogateescape"))
    for name in ("a.json", "a.txt", "words.csv", "words.jsonl"):
        (folder / name).write_bytes(data)
    store = FolderStore(folder)
    for name in ("a.json", "a.txt"):
        with suppress(DataError, PhotoError, DescriptionError):  # an empty file is a PhotoError
            said = WordBook(sidecars=frozenset({name})).find("a.png", store)
            word_table().encode(said.transmission)
    for name in ("words.csv", "words.jsonl"):
        with suppress(DataError):
            read_table(folder / name)
    record = Record.parse(data.decode("utf-8", "replace"))
    assert record is None or isinstance(record.photo, str)


def description(text: str) -> None:
    """Turn words into tokens; only too many of them may be refused."""
    try:
        found = word_table().encode(text)
    except DescriptionError:
        assert len(text) > 2_000
        return
    assert np.isfinite(found.tokens).all()
    assert len(found.tokens) <= MAX_TOKENS


def weights(data: bytes, folder: Path) -> None:
    """Read bytes as weights of training, as gates for a model, and as the manifest of a model."""
    from pellucid.attention.retrofit import load_retrofit
    from pellucid.model import SeparationModel
    from pellucid.network.weights import load_weights

    (folder / "tiny.onnx").touch()
    for name in ("w.safetensors", "tiny.json"):
        (folder / name).write_bytes(data)
    try:
        tensors = load_weights(folder / "w.safetensors")
    except WeightsError as error:
        assert "w.safetensors" in str(error)
    else:
        assert all(tensor.numel() < len(data) for tensor in tensors.values())
    try:
        load_retrofit(tiny_bert(), folder / "w.safetensors").undo()
    except WeightsError as error:
        assert "w.safetensors" in str(error)
    try:
        SeparationModel.load(folder / "tiny.onnx", threads=1)
        raise AssertionError("a model of no bytes was loaded")
    except WeightsError as error:
        assert "tiny" in str(error)


@cache
def tiny_bert() -> Any:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=4,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=4,
        vocab_size=4,
        max_position_embeddings=4,
    )
    return BertModel(config)


def api(data: bytes, folder: Path) -> None:
    """Send bytes as a request; they must pass h11, the parser that the server has in front."""
    import h11

    head, _, body = data.partition(b"\r\n\r\n")
    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(head + b"\r\n\r\n")
        request = connection.next_event()
    except h11.RemoteProtocolError:
        return
    if isinstance(request, h11.Request) and request.target[:1] == b"/":
        status, headers, answer = service(folder).ask(request, body)
        assert status < 500 or status == 503, answer
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert status < 400 or request.method == b"HEAD" or answer


@cache
def service(folder: Path) -> Asgi:
    from pellucid.separator import Separator
    from pellucid.service.app import create_app
    from pellucid.service.settings import ServiceSettings

    from ..helpers.tiny_model import write_tiny_model

    tiny = write_tiny_model(folder / "tiny.onnx")
    settings = ServiceSettings(max_bytes=100_000, max_pixels=10_000, max_text=60)
    return Asgi(create_app(lambda: Separator.load(tiny, threads=1), settings))


class Asgi:
    """An application, asked without a server: the body comes in two pieces, then the client goes.

    Nothing catches what the application does not: a crash is raised here.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(app.state.service.start())

    def ask(self, request: Any, body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        """Return status, headers and body of the answer."""
        path, _, query = request.target.partition(b"?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method.decode("ascii"),
            "scheme": "http",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(bytes(name), bytes(value)) for name, value in request.headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 7860),
        }
        half = len(body) // 2
        pieces = [(body[:half], True), (body[half:], False)]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not pieces:
                await asyncio.sleep(SLOWEST)
                return {"type": "http.disconnect"}
            piece, more = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": more}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asked = asyncio.wait_for(self._app(scope, receive, send), SLOWEST)
        self._loop.run_until_complete(asked)
        begin, *rest = sent
        answer = b"".join(message.get("body", b"") for message in rest)
        return begin["status"], dict(begin["headers"]), answer


TARGETS: dict[str, Target] = {"photo": photo, "words": words, "weights": weights, "api": api}


def seeds(name: str) -> dict[str, bytes]:
    """Return the corpus of a target by name of the file."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / name).iterdir())}


def mend_sums(data: bytearray) -> None:
    """Make a PNG's check sums agree again, as far as its chunks can be followed."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            return
        struct.pack_into(">I", data, at + 8 + length, zlib.crc32(data[at + 4 : at + 8 + length]))
        at += 12 + length
