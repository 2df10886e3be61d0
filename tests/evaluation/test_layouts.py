from collections.abc import Callable
from pathlib import Path

import pytest

from pellucid.errors import DataError
from pellucid.evaluation.layouts import read_pairs

LAYOUTS = {
    "Real20": [("blended/3.jpg", "transmission_layer/3.jpg", None)],
    "Nature": [
        ("blended/1_2.jpg", "transmission_layer/1_2.jpg", None),
        ("blended/m.jpg", "transmission_layer/m.jpg", None),  # a name of SIR²'s, no SIR² pair
    ],
    "SIR² objects and wild": [
        ("SolidObjectDataset/Focus/1/11/m.jpg", "SolidObjectDataset/Focus/1/11/g.jpg", "r"),
        ("WildSceneDataset/withgt/7/m.jpg", "WildSceneDataset/withgt/7/g.jpg", "r"),
    ],
    "SIR² postcards": [("Postcard Dataset/a/b/1-m-2.png", "Postcard Dataset/a/b/1-g-2.png", "r")],
    "SIR² beside ERRNet": [
        ("blended/5-m-2.png", "transmission_layer/5-g-2.png", "reflection_layer/5-r-2.png"),
        ("blended/ab-m.png", "transmission_layer/ab-g.png", "reflection_layer/ab-r.png"),
    ],
    "CEILNet": [("7-input.png", "7-label1.png", "7-label2.png")],
    "CDR as published": [("with_gt/C1/55_M.png", "with_gt/C1/55_T.png", "with_gt/C1/55_R.png")],
    "CDR converted": [("test/M/C1_55_M_2.png", "test/T/C1_55_T_2.png", "test/R/C1_55_R_2.png")],
    "OpenRR": [("val_100/blended/4.jpg", "val_100/transmission_layer/4.jpg", None)],
    "OpenRR renamed": [("val_100/input/4.jpg", "val_100/gt/4.png", None)],
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_reads_the_published_layout(
    write_images: Callable[..., Path], files: list[tuple[str, str, str | None]]
) -> None:
    expected = {}
    for mixture, transmission, reflection in files:
        if reflection == "r":
            reflection = mixture.replace("m.jpg", "r.jpg").replace("-m-", "-r-")
        expected[mixture] = (transmission, reflection)
    names = [name for mixture, layers in expected.items() for name in (mixture, *layers) if name]
    folder = write_images(*names)

    pairs = read_pairs(folder)

    assert len({pair.name for pair in pairs}) == len(pairs) == len(expected)
    for pair in pairs:
        transmission, reflection = expected[pair.mixture.relative_to(folder).as_posix()]
        assert pair.transmission == folder / transmission
        assert pair.reflection == (folder / reflection if reflection else None)


def test_prefers_its_own_list(pairs_folder: Path) -> None:
    assert [pair.name for pair in read_pairs(pairs_folder)] == ["photo-0", "photo-1", "photo-2"]
    assert read_pairs(pairs_folder / "pairs.jsonl") == read_pairs(pairs_folder)


def test_other_files_are_passed_over(write_images: Callable[..., Path]) -> None:
    folder = write_images("blended/3.jpg", "transmission_layer/3.jpg")
    (folder / "blended" / "Thumbs.db").write_bytes(b"")
    assert len(read_pairs(folder)) == 1


def test_a_mixture_without_transmission_is_named(write_images: Callable[..., Path]) -> None:
    folder = write_images("blended/3.jpg", "transmission_layer/3.jpg", "blended/4.jpg")
    with pytest.raises(DataError, match="blended/4"):
        read_pairs(folder)


def test_nothing_to_read(write_images: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_images("holiday.jpg")
    with pytest.raises(DataError, match="no pairs found"):
        read_pairs(folder)
    with pytest.raises(DataError, match="no such file"):
        read_pairs(tmp_path / "gone")
