from pathlib import Path

import pytest

from pellucid.cli.plan import Format, Layers, PlanError, plan


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def targets(*photos, **options):
    return [list(job.targets.values()) for job in plan(photos, **options)]


def test_layers_go_beside_the_photo_in_its_format():
    Path("holiday").mkdir()
    assert targets("holiday/a.b.JPG") == [
        ["holiday/a.b.transmission.JPG", "holiday/a.b.reflection.JPG"]
    ]


def test_one_layer_may_have_a_file_name():
    assert targets("a.jpg", output="b.png", layers=Layers.REFLECTION) == [["b.png"]]


def test_an_existing_folder_is_a_folder_for_one_layer_too():
    Path("out").mkdir()
    assert targets("a.jpg", output="out", layers=Layers.REFLECTION) == [["out/a.reflection.jpg"]]


@pytest.mark.parametrize(
    ("photo", "format", "suffix"),
    [
        ("a.jpeg", Format.JPEG, ".jpeg"),
        ("a.jpg", Format.PNG, ".png"),
        ("a.gif", None, ".png"),
        ("a", None, ".png"),
        ("a.NEF", None, ".tif"),
        ("a.heif", None, ".heif"),
        ("a.avif", None, ".avif"),
        ("a.webp", Format.HEIC, ".heic"),
    ],
)
def test_suffix(photo, format, suffix):
    [[target]] = targets(photo, format=format, layers=Layers.TRANSMISSION)
    assert target == "a.transmission" + suffix


def test_streams():
    assert targets("-") == [["-"]]
    assert targets("-", layers=Layers.REFLECTION) == [["-"]]
    assert targets("a.jpg", output="-") == [["-"]]
    assert targets("-", output="x.png", layers=Layers.REFLECTION) == [["x.png"]]
    assert targets("-", output="x.png/") == [
        ["x.png/stdin.transmission.png", "x.png/stdin.reflection.png"]
    ]
    Path("out").mkdir()
    assert targets("-", output="out") == [
        ["out/stdin.transmission.png", "out/stdin.reflection.png"]
    ]


@pytest.mark.parametrize(
    ("photos", "options", "reason"),
    [
        (["-", "a.jpg"], {}, "must be the only photo"),
        (["-"], {"layers": Layers.BOTH}, "holds one picture"),
        (["a.jpg", "b.jpg"], {"output": "-"}, "holds one picture"),
        (["a.jpg"], {"output": "a file"}, "a file is a file, not a folder"),
        (["a.jpg"], {"output": "x.PNG"}, "x.PNG is the name of one file"),
        (["a.jpg"], {"output": "no/x.png", "layers": Layers.REFLECTION}, "folder no does not"),
        (["a.jpg", "b.jpg"], {"output": "x.png", "layers": Layers.REFLECTION}, "the name of one"),
        (["a.jpg", "a.png"], {"format": Format.PNG}, r"a\.jpg and a\.png would both"),
        (["a.jpg", "./a.jpg"], {}, "would both be written"),
        (["a.jpg", "a.transmission.jpg"], {}, "both a photo to read and a file to write"),
        (["a.jpg"], {"output": "a.jpg", "layers": Layers.REFLECTION}, "both a photo to read"),
    ],
)
def test_contradictions_are_refused(photos, options, reason):
    Path("a file").touch()
    with pytest.raises(PlanError, match=reason):
        plan(photos, **options)


def test_a_jpg_beside_a_png_are_kept_apart():
    assert targets("a.jpg", "a.png", layers=Layers.REFLECTION) == [
        ["a.reflection.jpg"],
        ["a.reflection.png"],
    ]


def test_same_names_from_two_folders_collide_in_one():
    for name in ("x", "y", "out"):
        Path(name).mkdir()
    with pytest.raises(PlanError, match="would both be written"):
        plan(["x/a.jpg", "y/a.jpg"], output="out")


def test_an_output_that_links_to_an_input_is_refused():
    Path("a.transmission.jpg").symlink_to("a.jpg")
    with pytest.raises(PlanError, match="both a photo to read"):
        plan(["a.jpg"])
