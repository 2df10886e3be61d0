import json
import os
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from pellucid.cli.work import Worker

from ..faults import fault
from .conftest import SOURCE_FIRST, files, write_png


def pixels(path):
    return np.asarray(Image.open(path))


def test_both_layers_go_beside_the_photo(cli, photo):
    result = cli("separate", photo, "-t", "a room", "--reflection", "the sky")
    assert result.code == 0, result.err
    assert files(photo.parent) == {
        "photo.png", "photo.transmission.png", "photo.reflection.png"
    }  # fmt: skip
    assert pixels(photo.with_suffix(".transmission.png")).shape == (40, 60, 3)
    assert result.out == b""
    assert "photo.transmission.png" in result.err


def test_one_layer_to_a_named_file(cli, photo, tmp_path):
    result = cli("separate", photo, "--layers", "reflection", "-o", tmp_path / "mirror.tif")
    assert result.code == 0, result.err
    assert files(tmp_path) == {"photo.png", "mirror.tif"}


def test_into_a_folder_in_another_format(cli, photo, tmp_path):
    (tmp_path / "out").mkdir()
    assert cli("separate", photo, "-o", tmp_path / "out", "--format", "jpeg").code == 0
    assert files(tmp_path / "out") == {"photo.transmission.jpg", "photo.reflection.jpg"}


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg"])
@fault("command line and batch", "--strength 0", "the input, bit for bit")
def test_strength_zero_is_the_input_bit_for_bit(cli, tmp_path, name):
    photo = write_png(tmp_path / name)
    out = tmp_path / f"zero{photo.suffix}"
    assert cli("separate", photo, "--strength", 0, "--layers", "transmission", "-o", out).code == 0
    assert out.read_bytes() == photo.read_bytes()


def test_strength_zero_in_another_format_has_the_same_pixels(cli, photo, tmp_path):
    out = tmp_path / "zero.tif"
    assert cli("separate", photo, "--strength", 0, "--layers", "transmission", "-o", out).code == 0
    np.testing.assert_array_equal(pixels(out), pixels(photo))


def test_negative_strength_shows_the_reflection(cli, photo, tmp_path):
    out = tmp_path / "out.png"
    transmission = ("--layers", "transmission", "-o", out)
    assert cli("separate", photo, "--strength", "-100", *transmission).code == 0
    assert cli("separate", photo).code == 0
    np.testing.assert_array_equal(pixels(out), pixels(tmp_path / "photo.reflection.png"))


def test_strength_needs_the_transmission(cli, photo):
    result = cli("separate", photo, "--strength", 50, "--layers", "reflection")
    assert result.code == 2
    assert "--strength shapes the transmission" in result.err


def test_json_is_one_object_a_photo(cli, photo, tmp_path):
    other = write_png(tmp_path / "other.png", seed=1)
    missing = tmp_path / "missing.png"
    result = cli("separate", photo, missing, other, "--json", "-t", "a red car")
    assert result.code == 1
    first, second, third = (json.loads(line) for line in result.out.splitlines())
    assert first["ok"]
    assert first["photo"] == str(photo)
    assert first["size"] == [60, 40]
    assert first["outputs"]["reflection"] == str(tmp_path / "photo.reflection.png")
    assert first["gates"] == {"transmission": 0.5, "reflection": None}
    assert [word["word"] for word in first["words"]["transmission"]] == ["a", "red", "car"]
    assert not second["ok"]
    assert "missing.png" in second["error"]
    assert third["ok"]


def test_one_bad_photo_does_not_stop_the_rest(cli, photo, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff nothing")
    result = cli("separate", bad, photo, "-q")
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert files(tmp_path) == {
        "bad.jpg", "photo.png", "photo.transmission.png", "photo.reflection.png"
    }  # fmt: skip


def empty(path):
    path.write_bytes(b"")


def truncated(path):
    whole = path.with_name("whole.jpg")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)).save(whole)
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()


def text(path):
    path.write_text("Dear all, the photo is attached.")


def unknown(path):
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")


def folder(path):
    path.mkdir()


def fifo(path):
    os.mkfifo(path)


def loop(path):
    path.symlink_to(path)


def absent(path):
    pass


@pytest.mark.parametrize("fault", [empty, truncated, text, unknown, folder, fifo, loop, absent])
def test_bad_input_is_one_line_and_leaves_nothing(cli, tmp_path, fault):
    bad = tmp_path / "bad.jpg"
    fault(bad)
    before = files(tmp_path)
    result = cli("separate", bad)
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert "bad.jpg" in result.err
    assert result.err.count("\n") == 1
    assert files(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(cli, photo):
    photo.chmod(0)
    result = cli("separate", photo)
    assert result.code == 1
    assert "photo.png" in result.err


@fault("command line and batch", "a photo that may not be read", "one line, code 1")
def test_an_unreadable_file_is_named_for_root_too(cli, photo, monkeypatch):
    def refuse(path, *args, real=os.open, **kwargs):
        if str(path) == str(photo):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    result = cli("separate", photo)
    assert result.code == 1
    assert "photo.png: no permission to read it" in result.err


def test_a_missing_output_folder_is_made(cli, photo, tmp_path):
    folder = tmp_path / "new" / "layers"
    assert cli("separate", photo, "-o", folder).code == 0
    assert files(folder) == {"photo.transmission.png", "photo.reflection.png"}


def test_no_folder_is_made_for_a_photo_that_cannot_be_read(cli, tmp_path):
    assert cli("separate", tmp_path / "none.jpg", "-o", tmp_path / "new").code == 1
    assert files(tmp_path) == set()


def test_an_output_folder_that_cannot_be_made_is_named(cli, photo, tmp_path):
    result = cli("separate", photo, "-o", photo / "within")
    assert (result.code, files(tmp_path)) == (1, {"photo.png"})
    assert "within: cannot be made (Not a directory): choose another with -o" in result.err


def test_the_missing_folder_of_a_named_file_is_wrong_use(cli, photo, tmp_path):
    result = cli("separate", photo, "--layers", "reflection", "-o", tmp_path / "none" / "x.png")
    assert (result.code, files(tmp_path)) == (2, {"photo.png"})
    assert "none does not exist: create it first" in result.err


def test_same_output_for_two_inputs_is_refused_before_any_work(cli, photo, tmp_path):
    write_png(tmp_path / "photo.jpg")
    before = files(tmp_path)
    result = cli("separate", photo, tmp_path / "photo.jpg", "--format", "png")
    assert (result.code, files(tmp_path)) == (2, before)
    assert "would both be written" in result.err


@fault("command line and batch", "the output is there already", "kept, unless --overwrite")
def test_existing_files_are_kept_unless_asked(cli, photo):
    assert cli("separate", photo).code == 0
    written = photo.with_suffix(".transmission.png")
    written.write_bytes(b"mine")
    result = cli("separate", photo)
    assert result.code == 1
    assert "exists already: pass --overwrite" in result.err
    assert written.read_bytes() == b"mine"
    assert cli("separate", photo, "--overwrite").code == 0
    assert written.read_bytes() != b"mine"


def test_a_failed_write_leaves_nothing(cli, photo, tmp_path, monkeypatch):
    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pellucid.photo.write.os.fsync", full_disk)
    result = cli("separate", photo)
    assert result.code == 1
    assert "No space left" in result.err
    assert files(tmp_path) == {"photo.png"}


def test_a_megabyte_of_description_is_wrong_use(cli, photo, tmp_path):
    result = cli("separate", photo, "-r", "x" * 100_000)
    assert (result.code, files(tmp_path)) == (2, {"photo.png"})
    assert "at most 2000" in result.err


@pytest.mark.parametrize("name", ["-dash.png", "two words.png", "[red]x.png", "é中.png"])
def test_odd_names(cli, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_png(tmp_path / name)
    assert cli("separate", "--", name).code == 0
    assert len(files(tmp_path)) == 3


@fault("output", "ANSI in the name of a photo", "shown as text")
def test_a_name_cannot_steer_the_terminal(cli, tmp_path):
    photo = write_png(tmp_path / "a\x1b[31m\n[bold]b.png")
    result = cli("separate", photo)
    assert result.code == 0
    assert "\x1b" not in result.err
    assert "a\\x1b[31m\\n[bold]b.png" in result.err
    assert result.err.count("\n") == 1


def test_gps_is_left_out_on_demand(cli, tmp_path):
    photo = tmp_path / "gps.jpg"
    exif = Image.Exif()
    exif[271] = "Maker"
    exif.get_ifd(34853)[2] = (52.0, 31.0, 0.0)
    Image.new("RGB", (32, 32), "teal").save(photo, exif=exif)
    assert cli("separate", photo).code == 0
    kept = Image.open(tmp_path / "gps.transmission.jpg").getexif()
    assert kept.get_ifd(34853)[2] == (52.0, 31.0, 0.0)
    assert cli("separate", photo, "--no-gps", "--overwrite", "--strength", 0).code == 0
    clean = Image.open(tmp_path / "gps.transmission.jpg").getexif()
    assert not clean.get_ifd(34853)
    assert clean[271] == "Maker"


def test_missing_weights_are_one_line(cli, photo, tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid.model.SHIPPED_WEIGHTS", tmp_path / "lite.onnx")
    result = cli("separate", photo)
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert "lite.onnx cannot be read" in result.err


def test_ctrl_c_stops_with_130(cli, photo, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Worker, "work", interrupt)
    result = cli("separate", photo)
    assert result.code == 130
    assert "Traceback" not in result.err


def process(tiny_weights, *args, **options):
    """Start the command line in a process of its own, which heeds Ctrl-C.

    A process started in the background of a script inherits that SIGINT is ignored.
    """
    code = (
        "import signal, sys, pathlib, pellucid.model as model\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "model.SHIPPED_WEIGHTS = pathlib.Path(sys.argv.pop(1))\n"
        "from pellucid.cli import main\nmain()"
    )
    command = [sys.executable, "-c", code, str(tiny_weights), *map(str, args)]
    return subprocess.Popen(
        command,
        env=SOURCE_FIRST,
        stdin=subprocess.PIPE,
        stdout=options.get("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
    )


def test_standard_input_to_standard_output(tiny_weights, photo):
    run = process(tiny_weights, "separate", "-", "--strength", "0")
    out, err = run.communicate(photo.read_bytes(), timeout=60)
    assert run.returncode == 0, err
    assert out == photo.read_bytes()


def test_a_layer_to_standard_output_is_a_whole_picture(tiny_weights, photo, tmp_path):
    run = process(tiny_weights, "separate", photo, "-o", "-", "--format", "png")
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    (tmp_path / "got.png").write_bytes(out)
    assert pixels(tmp_path / "got.png").shape == (40, 60, 3)


@fault("command line and batch", "standard output closed by its reader", "code 1, no traceback")
def test_closed_standard_output_is_clean(tiny_weights, photo):
    read_end, write_end = os.pipe()
    os.close(read_end)
    run = process(tiny_weights, "separate", photo, "-o", "-", stdout=write_end)
    os.close(write_end)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
@fault("command line and batch", "no standard input or output at all", "one line, code 1")
def test_a_missing_stream_is_one_line(cli, photo, monkeypatch, stream):
    monkeypatch.setattr(sys, stream, None)
    result = cli("separate", "-" if stream == "stdin" else photo, "-o", "-")
    assert result.code == 1
    assert result.err.startswith(f"error: <{stream}>: standard")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@fault(
    "command line and batch", "Ctrl-C and SIGTERM in mid-write", "no torn file, code 128 + signal"
)
def test_a_signal_leaves_no_partial_file(tiny_weights, tmp_path, number):
    for seed in range(60):
        pixels = np.random.default_rng(seed).integers(0, 256, (400, 500, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{seed}.png", compress_level=0)
    run = process(tiny_weights, "separate", *tmp_path.glob("*.png"))
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*.transmission.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert b"Traceback" not in err
    assert not list(tmp_path.glob(".pellucid*"))
    for path in tmp_path.glob("*.transmission.png"):
        assert Image.open(path).load() is not None
        assert stat.S_ISREG(path.stat().st_mode)


def test_a_region_limits_the_effect(cli, photo, tmp_path):
    mask = np.zeros((40, 60), np.uint8)
    mask[:, 30:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    result = cli("separate", photo, "--region", tmp_path / "mask.png")
    assert result.code == 0
    before = np.asarray(Image.open(photo))
    after = np.asarray(Image.open(tmp_path / "photo.transmission.png"))
    assert np.array_equal(after[:, :30], before[:, :30])
    assert not np.array_equal(after[:, 30:], before[:, 30:])
    mirrored = np.asarray(Image.open(tmp_path / "photo.reflection.png"))
    assert mirrored[:, :30].max() == 0


def test_a_region_of_another_shape_fails_and_writes_nothing(cli, photo, tmp_path):
    Image.new("L", (10, 40)).save(tmp_path / "mask.png")
    result = cli("separate", photo, "--region", tmp_path / "mask.png")
    assert result.code == 1
    assert "draw it over the photo" in result.err
    assert files(tmp_path) == {"photo.png", "mask.png"}
