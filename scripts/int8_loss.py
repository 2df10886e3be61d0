"""Turn an exported model into an 8-bit one and measure what that costs and saves.

    python scripts/int8_loss.py MODEL.onnx PHOTOS PAIRS RESULT [INT8.onnx]

PHOTOS is a folder of photos to calibrate on (the first 24 by name, never those of PAIRS), PAIRS a
set that `pellucid evaluate` reads, RESULT the file to write, results/int8/NAME/int8.json. With a
fifth name the 8-bit model is kept. Needs the extra `train`.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from pellucid.evaluation.int8 import calibration_feeds, measure_loss, write_loss
from pellucid.evaluation.layouts import read_pairs
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.protocol import STATED
from pellucid.evaluation.study import applicable_modes
from pellucid.network.int8 import quantise

CALIBRATION_PHOTOS = 24


def main() -> None:
    model, photos, pairs, result = (Path(argument) for argument in sys.argv[1:5])
    logging.disable(logging.WARNING)  # the quantiser recommends steps that were taken here
    shown = sorted(path for path in photos.iterdir() if path.is_file())[:CALIBRATION_PHOTOS]
    with tempfile.TemporaryDirectory() as folder:
        int8 = Path(sys.argv[5] if len(sys.argv) > 5 else f"{folder}/int8.onnx")
        quantise(model, int8, calibration_feeds(model, shown))
        listed = read_pairs(pairs)
        modes = [mode for mode in applicable_modes(listed) if mode in (Mode.NONE, Mode.RIGHT)]
        folder_of_set = pairs.parent if pairs.is_file() else pairs
        loss = measure_loss(model, int8, folder_of_set.resolve().name, listed, modes, STATED)
    write_loss(result, loss)
    for mode, figure in loss.loss.items():
        print(f"words {mode}: {figure.mean:.3f} dB lost [{figure.low:.3f}, {figure.high:.3f}]")
    print(
        f"network {loss.cpu_seconds:.3f} -> {loss.int8_cpu_seconds:.3f} CPU s, "
        f"file {loss.bytes:,} -> {loss.int8_bytes:,} bytes; pays: {loss.pays}"
    )


if __name__ == "__main__":
    main()
