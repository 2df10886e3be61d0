"""Run `pellucid separate` on every photo of a folder and verify what it wrote.

    python scripts/separate_folder.py PHOTOS OUTPUT [-- more arguments for pellucid separate]

OUTPUT is made if it is missing. Fails unless the command exits with 0 and each photo has two
layers of its own size (after turning the photo upright).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageOps


def upright_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).size


def separate(photos: list[Path], output: Path, more: list[str]) -> list[dict]:
    command = ["pellucid", "separate", "--json", "--overwrite", "-o", str(output), *more, "--"]
    run = subprocess.run([*command, *map(str, photos)], stdout=subprocess.PIPE, check=False)
    records = [json.loads(line) for line in run.stdout.splitlines()]
    if run.returncode != 0:
        sys.exit(f"pellucid separate exited with {run.returncode}")
    return records


def verify(record: dict) -> None:
    wanted = upright_size(Path(record["photo"]))
    if set(record["outputs"]) != {"transmission", "reflection"}:
        sys.exit(f"{record['photo']}: not two layers: {record['outputs']}")
    for path in record["outputs"].values():
        if upright_size(Path(path)) != wanted:
            sys.exit(f"{path}: not the photo's size, {wanted[0]} × {wanted[1]}")


def main() -> None:
    folder, output, *more = (argument for argument in sys.argv[1:] if argument != "--")
    photos = sorted(path for path in Path(folder).iterdir() if path.is_file())
    Path(output).mkdir(parents=True, exist_ok=True)
    records = separate(photos, Path(output), more)
    for record in records:
        verify(record)
    if len(records) != len(photos):
        sys.exit(f"{len(photos)} photos, but {len(records)} results")
    seconds = sum(record["seconds"] for record in records)
    print(f"{len(records)} photos, two layers each, sizes equal to the input, {seconds:.1f} s")


if __name__ == "__main__":
    main()
