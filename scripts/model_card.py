"""Write the model card, src/pellucid/weights/MODEL_CARD.md, from the manifest and the results.

    python scripts/model_card.py [RUN_FOLDER STAGE [STEPS [MIXTURES]]]

Figures are read, never typed: results/*/summary.json and results/training-history.json. With the
folder of a training run, what it measured is first added to the history under the name STAGE (or
takes the place of that stage); STEPS are those after which its weights were taken, by default those
of its best validation, as `pellucid train` keeps them; MIXTURES are those of a step, 16 by default.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HISTORY = ROOT / "results" / "training-history.json"
DECIDING = "real20-dev words"
SYNTHETIC = "ceilnet-table2-dev none"
WEIGHTS = ROOT / "src" / "pellucid" / "weights"

CARD = """\
# Model card: lite

Weights `{weights_id}`, {parameters:.1f} million numbers, {megabytes:.1f} MB as ONNX. Splits a photo
taken through glass into transmission and reflection, guided by words for either, both or none.

- **Network**: EfficientNet-Lite0 encoder, hypercolumn, global aggregation, language gate,
  verdicts, global interaction (Value-State Gated Attention over the words), two recoveries with
  two heads each, one for photos and one for pictures whose encoded values were added; run on the
  photo and on its mirror image. After
  "Language-guided Image Reflection Separation", arXiv:2402.11874; equations that the paper does not
  print are our own. Code: `pellucid.network`.
- **Text**: the word table of wordllama (`l2_supercat`, 256-d, MIT), not part of these files.
- **Training so far**: {steps:,} steps, {mixtures:,} mixtures of 128 to 224 pixels a side, in
  {hours:.1f} hours on a CPU with two cores shared with other work:

{history}

  "Told apart" is the share of symmetric mixtures of validation photos that the language path alone,
  at 8×8 places, told apart. The model takes soft veils away; strong, sharp reflections only in
  part, with words better than without. On real pairs words add a few tenths of a decibel on
  average, and cost some photos where they mistake how much to take. Where light adds up, as in a
  camera's photos, 15 % of what both heads find is left in the transmission on purpose.

## Data

Mixtures are synthesised (`pellucid.synthesis`) from 6,191 captioned photos. The photos are not
shipped. Their sources state:

| source | photos used for | licence stated |
| --- | --- | --- |
| Flickr8k | photos with five human captions | research and education only; rights with the users |
| ImageNet samples | objects, caption from the label | non-commercial research and education |
| COCO samples | scenes, caption from the labels | Creative Commons, by image |
| Houses | facades and rooms | none stated |
| EfficientNet-Lite0, ImageNet weights | start of the encoder | Apache-2.0 |

No real mixture was trained on. The choice among checkpoints looks at `real20-dev`, ten real pairs,
and the average of several of them at `ceilnet-table2-dev` too; how readily the language gate opens
and how far words are followed were chosen by both and by mixtures of validation photos.

**Licence of the weights**: Apache-2.0 as far as the project's own rights go. Some training photos
were licensed for research only; whether that binds weights is not settled law. For a commercial
product, train on photos of your own: `pellucid train`.

## Figures

Protocol and intervals: `docs/results.md`. Regenerate: `pellucid evaluate`, see there.

{figures}

## Limits

- It can mistake what is behind the glass for a reflection, and the other way round: keep your
  original. It can see a veil over a clean photo, most of all over dark, smooth or drawn ones. Where
  the photo is clipped to white, no light is recovered.
- It works at a short side of 256 pixels; finer detail is shared out by a local linear model.
- It invents nothing on purpose: the transmission never has more light than the photo.
- Descriptions are English words; the table knows nothing of grammar.
- Photos differ from the training mixtures: polarised reflections, dirty or tinted glass, double
  glazing with several ghosts and reflections on water or varnish were not trained on.
"""


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def row(summary: dict[str, Any], run: dict[str, Any]) -> str:
    psnr, gain = run["figures"]["transmission.psnr"], run["figures"]["transmission.psnr_gain"]
    ssim = run["figures"]["transmission.ssim"]["mean"]
    return (
        f"| {summary['set']} ({summary['images']}) | {run['method']} | {run['mode']} "
        f"| {psnr['mean']:.2f} | {gain['mean']:+.2f} [{gain['low']:+.2f}, {gain['high']:+.2f}] "
        f"| {ssim:.3f} |"
    )


def figures() -> str:
    lines = [
        "| set (photos) | method | words | T PSNR | over the input | T SSIM |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for path in sorted((ROOT / "results").glob("*/summary.json")):
        summary = read(path)
        lines += [row(summary, run) for run in summary["runs"]]
    return "\n".join(lines)


def take_stage(run: Path, name: str, steps: int | None = None, mixtures: int = 16) -> None:
    """Add a run's own record to the history."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    curve = [
        {"step": record["step"], "seconds": record["seconds"], **record["validation"]}
        for record in records
        if "validation" in record
    ]
    taken = steps or max(curve, key=lambda row: row[DECIDING])["step"]
    seconds = max(row["seconds"] for row in records if row.get("step", taken + 1) <= taken)
    stage = {
        "stage": name,
        "mixtures_a_step": mixtures,
        "steps": taken,
        "hours": round(seconds / 3600, 2),
        "words_first": [row["told apart"] for row in records if "told apart" in row],
        "curve": curve,
    }
    history = [old for old in read(HISTORY) if old["stage"] != name] + [stage]
    HISTORY.write_text(json.dumps(history, indent=1) + "\n", "utf-8")


def history_table(history: list[dict[str, Any]]) -> str:
    lines = [
        "| stage | told apart before | steps | real20-dev with words, after "
        "| ceilnet-table2-dev, after | hours |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for stage in history:
        told = f"{stage['words_first'][-1]:.0%}" if stage["words_first"] else "–"
        after = " | ".join(reached(stage, name) for name in (DECIDING, SYNTHETIC))
        lines.append(
            f"| {stage['stage']} | {told} | {stage['steps']:,} | {after} | {stage['hours']:.1f} |"
        )
    return "\n".join(lines)


def reached(stage: dict[str, Any], name: str) -> str:
    """Return the last figure of that name that the steps taken had reached."""
    curve = [row for row in stage["curve"] if row["step"] <= stage["steps"] and name in row]
    return f"{curve[-1][name]:.2f} dB" if curve else "–"


def main() -> None:
    if len(sys.argv) > 2:
        take_stage(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
    manifest, history = read(WEIGHTS / "lite.json"), read(HISTORY)
    files = manifest["files"]
    card = CARD.format(
        weights_id=manifest["weights_id"],
        parameters=files["lite.safetensors"]["bytes"] / 2e6,
        megabytes=files["lite.onnx"]["bytes"] / 1e6,
        steps=sum(stage["steps"] for stage in history),
        mixtures=sum(stage["steps"] * stage["mixtures_a_step"] for stage in history),
        hours=sum(stage["hours"] for stage in history),
        history=history_table(history),
        figures=figures(),
    )
    (WEIGHTS / "MODEL_CARD.md").write_text(card, "utf-8")


if __name__ == "__main__":
    main()
