"""One server with the shipped model for all tests of the API."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra web")

from fastapi.testclient import TestClient

from pellucid.separator import Separator
from pellucid.service.app import create_app
from pellucid.service.settings import ServiceSettings

ADDRESS = "http://localhost:7860"
# schemathesis calls the application itself "testserver".
LIMITS = ServiceSettings(
    hosts=("testserver",), max_bytes=2_000_000, max_pixels=400_000, max_text=60
)


def jpeg(width: int = 96, height: int = 64, **how: Any) -> bytes:
    random = np.random.default_rng(width)
    codes = random.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(codes).resize((width, height)).save(encoded, "JPEG", quality=95, **how)
    return encoded.getvalue()


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    app = create_app(lambda: Separator.load(threads=1), LIMITS)
    with TestClient(app, base_url=ADDRESS) as client:
        for _ in range(500):
            if client.get("/readyz").status_code == 200:
                break
            time.sleep(0.02)
        yield client
