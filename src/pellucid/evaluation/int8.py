"""What computing with 8 bits costs in quality and saves in time, for any exported model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps

from pellucid.errors import DataError
from pellucid.evaluation.images import Image8, from_light, read_image, to_8bit, to_light
from pellucid.evaluation.methods import separator_method
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.pairs import Pair
from pellucid.evaluation.protocol import Figure, Protocol, summarise
from pellucid.evaluation.results import rounded, write_json
from pellucid.evaluation.run import Score, answer_all, separator_modes
from pellucid.model import ModelOutput, SeparationModel, model_inputs
from pellucid.separator import Separator
from pellucid.text import NO_DESCRIPTION, Description, word_table
from pellucid.untrusted import parse_json

if TYPE_CHECKING:
    from pellucid.network.int8 import Feed

ALLOWED_LOSS = 0.05
"""dB of transmission PSNR that an 8-bit model may be worse by and still be of use."""

CALIBRATION_WORDS = (
    (None, None),
    ("a room with a lamp", "houses and trees in the street"),
    ("a shop window with clothes", None),
    (None, "the sky and a person with a camera"),
)
_TIMED_SIDE = 320
_TIMED_RUNS = 9


@dataclass(frozen=True)
class Int8Loss:
    """An 8-bit model against its original, on one set.

    Attributes:
        weights_id, architecture: of the original.
        set_name, images, protocol: what it was measured on.
        loss: PSNR of T, original − 8-bit, in dB, paired by image, for each mode of words.
        bytes, int8_bytes: of the files.
        cpu_seconds, int8_cpu_seconds: of the network on 320 × 320 pixels on one thread, medians.
    """

    weights_id: str
    architecture: str
    set_name: str
    images: int
    protocol: str
    loss: dict[str, Figure]
    bytes: int
    int8_bytes: int
    cpu_seconds: float
    int8_cpu_seconds: float

    @property
    def pays(self) -> bool:
        """Whether it loses no more than `ALLOWED_LOSS` in every mode, and is faster."""
        small = all(figure.mean <= ALLOWED_LOSS for figure in self.loss.values())
        return small and self.int8_cpu_seconds < self.cpu_seconds


class _Recorder(SeparationModel):
    """Runs a model and keeps what it was given."""

    def __init__(self, model: SeparationModel) -> None:
        self._model = model
        self.info = model.info
        self.feeds: list[Feed] = []

    def run(
        self,
        mixture: np.ndarray,
        transmission: Description,
        reflection: Description,
    ) -> ModelOutput:
        self.feeds.append(model_inputs(mixture, transmission, reflection))
        return self._model.run(mixture, transmission, reflection)


def calibration_feeds(weights: Path, photos: Sequence[Path]) -> list[Feed]:
    """Return what the network is given for these photos, with words for both, one or no layer.

    One photo in three is as it is; the others mirror the next one, for the ranges of a network that
    has something to take away are wider than those of one that has not.
    """
    recorder = _Recorder(SeparationModel.load(weights))
    separator = Separator(recorder, word_table())
    images = [read_image(photo) for photo in photos]
    for number, behind in enumerate(images):
        transmission, reflection = CALIBRATION_WORDS[number % len(CALIBRATION_WORDS)]
        mirrored = images[(number + 1) % len(images)]
        shown = _mirroring(behind, mirrored) if number % 3 else behind
        separator.separate(shown, transmission=transmission, reflection=reflection)
    return recorder.feeds


def _mirroring(behind: Image8, mirrored: Image8) -> Image8:
    """Add two photos, dimmed, in linear light, at the first one's size."""
    height, width = behind.shape[:2]
    fitted = np.asarray(ImageOps.fit(PillowImage.fromarray(mirrored), (width, height)))
    return to_8bit(from_light(0.8 * to_light(behind) + 0.5 * to_light(fitted)))


def measure_loss(
    weights: Path,
    int8: Path,
    set_name: str,
    pairs: Sequence[Pair],
    modes: Sequence[Mode],
    protocol: Protocol,
) -> Int8Loss:
    """Score both models on every pair in every mode, and time their networks."""
    contenders = []
    for name, path in (("float", weights), ("int8", int8)):
        method = separator_method(Separator.load(path))
        contenders += separator_modes(name, method, modes, pairs, protocol.seed)
    scores = [
        answer.score for _, answers in answer_all(pairs, contenders, protocol) for answer in answers
    ]
    models = [SeparationModel.load(path, threads=1) for path in (weights, int8)]
    return Int8Loss(
        models[0].info.weights_id,
        models[0].info.architecture,
        set_name,
        len(pairs),
        protocol.describe(),
        {str(mode): summarise(_losses(scores, mode), protocol) for mode in modes},
        weights.stat().st_size,
        int8.stat().st_size,
        *(_cpu_seconds(model) for model in models),
    )


def _losses(scores: Sequence[Score], mode: Mode) -> list[float]:
    psnr = {
        (one.method, one.image): one.measures["transmission.psnr"]
        for one in scores
        if one.mode is mode
    }
    images = [image for method, image in psnr if method == "float"]
    return [psnr["float", image] - psnr["int8", image] for image in images]


def _cpu_seconds(model: SeparationModel) -> float:
    mixture = np.random.default_rng(0).random((_TIMED_SIDE, _TIMED_SIDE, 3), np.float32)
    times = []
    for _ in range(1 + _TIMED_RUNS):
        begin = time.process_time()
        model.run(mixture, NO_DESCRIPTION, NO_DESCRIPTION)
        times.append(time.process_time() - begin)
    return statistics.median(times[1:])


def write_loss(path: Path, loss: Int8Loss) -> None:
    """Write `int8.json`."""
    document = asdict(loss) | {
        "loss": {mode: rounded(figure) for mode, figure in loss.loss.items()},
        "cpu_seconds": round(loss.cpu_seconds, 4),
        "int8_cpu_seconds": round(loss.int8_cpu_seconds, 4),
    }
    write_json(path, document)


def read_loss(path: Path) -> Int8Loss:
    """Read an `int8.json` back; raises `DataError` if it is not one."""
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
        loss = {mode: Figure(**figure) for mode, figure in document.pop("loss").items()}
        return Int8Loss(loss=loss, **document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a measurement of an 8-bit model ({error!r})") from error
