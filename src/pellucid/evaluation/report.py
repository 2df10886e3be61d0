"""`docs/results.md`, made from result files: no figure in it is typed by hand."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pellucid.benchmark.result import TITLES, Speed, cells, machine_line, read_speed
from pellucid.errors import DataError
from pellucid.evaluation.checks import read_checks
from pellucid.evaluation.int8 import ALLOWED_LOSS, Int8Loss, read_loss
from pellucid.evaluation.results import Summary, read_summary, replacing
from pellucid.evaluation.tables import TextTable, checks_table, int8_table, summary_table
from pellucid.untrusted import printable

_INTRODUCTION = """\
# Results

Generated from the files in `results/` by `pellucid evaluate --report results`. Do not edit.

Measures, over images of encoded sRGB values in [0, 1]:

- **PSNR** (dB) and **SSIM** (Gaussian window of sigma 1.5): as scikit-image computes them.
- **over the input**: PSNR of T above that of doing nothing, paired by photo; **over no words**:
  above the same method without descriptions.
- **colour-aligned**: PSNR after the best affine fit of each channel to the truth. A method that
  only corrects colour gains in PSNR and not here.
- **perceptual**: our own distance, in [0, 2]: 1 − cosine of ImageNet features of
  EfficientNet-Lite0, averaged over five levels (`pellucid.evaluation.perceptual`). Not fitted to
  people's judgements, not comparable with LPIPS; lower is better.
- **gradient error**: mean absolute difference of forward differences; lower is better.
- **T + R − M**: root-mean-square in linear light; 0 where the layers add up to the photo. CEILNet
  mixed encoded values, so that even its true layers do not add up in light.

Brackets hold 95 % bootstrap intervals over photos.
"""


def write_report(results: Path, target: Path) -> None:
    """Write the report of every result file below a folder, by path.

    Those are `summary.json`, `checks.json`, `speed.json` of `pellucid benchmark`, and `int8.json`
    of `scripts/int8_loss.py`.

    Raises `DataError` if there is none, or one cannot be read.
    """
    summaries = sorted(results.rglob("summary.json"))
    checks = sorted(results.rglob("checks.json"))
    speeds = sorted(results.rglob("speed.json"))
    losses = sorted(results.rglob("int8.json"))
    if not any((summaries, checks, speeds, losses)):
        raise DataError(
            f"{results}: no summary.json, checks.json, speed.json or int8.json below it"
        )
    sections = [_INTRODUCTION]
    sections += [_set_section(read_summary(path)) for path in summaries]
    sections += [_checks_section(path) for path in checks]
    sections += [_int8_section([read_loss(path) for path in losses])] if losses else []
    sections += [_speed_section(read_speed(path)) for path in speeds]
    sections.append(_published_section())
    with replacing(target) as file:
        file.write("\n".join(sections))


def _set_section(summary: Summary) -> str:
    heading = f"## {html.escape(printable(summary.set_name))}, {summary.images} photos"
    table = summary_table(summary).markdown()
    return f"{heading}\n\nProtocol: {summary.protocol}.\n\n{table}"


def _checks_section(path: Path) -> str:
    return (
        "## Checks on mixtures of validation photos\n\n"
        "Made in linear light from photos at 224×224 (recipes: `pellucid.evaluation.mixtures`).\n\n"
        f"{checks_table(read_checks(path)).markdown()}"
    )


def _int8_section(losses: Sequence[Int8Loss]) -> str:
    introduction = (
        "The 1×1 convolutions with 8 bits (`scripts/int8_loss.py`): transmission PSNR lost against "
        f"the model as shipped, paired by photo, at most {ALLOWED_LOSS:g} dB wanted; CPU seconds "
        "of the network on 320 × 320 pixels."
    )
    return f"## With 8 bits\n\n{introduction}\n\n{int8_table(losses).markdown()}"


def _speed_section(speed: Speed) -> str:
    peers = _shipped("peers_speed.json")
    megapixels = peers["megapixels"]
    rows = [[name, f"{spent:g}"] for name, spent in peers["cpu_seconds"].items()]
    nearest = min(speed.rows, key=lambda row: abs(row.megapixels - megapixels))
    for kind, cost in (("cold", nearest.cold), ("warm", nearest.warm)):
        if cost is not None:
            name = f"pellucid, {kind}, {round(nearest.megapixels, 2):g} Mpx"
            rows.append([name, f"{cost.cpu_seconds:.2f}"])
    beside = TextTable(["method", f"CPU seconds, {megapixels:g} Mpx"], rows).markdown()
    return f"## Speed\n\n{speed_text(speed)}\n{peers['note']}\n\n{beside}"


def speed_text(speed: Speed) -> str:
    """Return a benchmark's table in Markdown, and the machine it is of."""
    table = TextTable(list(TITLES), [cells(row) for row in speed.rows]).markdown()
    return (
        f"{machine_line(speed.machine)} Weights {speed.weights_id}, medians of "
        f"{speed.repetitions}; from a JPEG file to those of both layers, words for both. Cold: "
        f"from the start of the process to its end.\n\n{table}"
    )


def _shipped(name: str) -> dict[str, Any]:
    text = files("pellucid.evaluation").joinpath(name).read_text(encoding="utf-8")
    return json.loads(text)


def _published_section() -> str:
    published = _shipped("published.json")
    rows = [
        [_dated(method), *(_psnr_ssim(figure) for figure in method["figures"])]
        for method in published["methods"]
    ]
    table = TextTable(["method", *published["sets"]], rows).markdown()
    return f"## What papers print\n\n{published['note']}\n\n{table}"


def _dated(method: dict) -> str:
    return method["name"] if method["year"] is None else f"{method['name']}, {method['year']}"


def _psnr_ssim(figure: Sequence[float] | None) -> str:
    return "–" if figure is None else f"{figure[0]:.2f} / {figure[1]:.3f}"
