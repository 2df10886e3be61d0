"""Stores: sorted names, whole files, errors that name the file."""

from __future__ import annotations

import pytest

from pellucid.batch.stores import FolderStore, RemoteStore, open_store
from pellucid.errors import PhotoError


@pytest.fixture(params=["folder", "remote"])
def store(request, tmp_path):
    if request.param == "folder":
        return FolderStore(tmp_path)
    pytest.importorskip("fsspec")
    return RemoteStore(f"memory://{tmp_path.name}-{request.node.name}")


def test_what_is_written_is_listed_read_and_there(store):
    store.write("b/c.bin", b"two")
    store.write("a.bin", b"one")
    store.write("a.bin", b"three")
    assert list(store.names()) == ["a.bin", "b/c.bin"]
    assert store.read("a.bin") == b"three"
    assert store.exists("b/c.bin")
    assert not store.exists("b")


def test_a_missing_file_is_named(store):
    with pytest.raises(PhotoError, match=r"gone\.jpg: cannot be read"):
        store.read("gone.jpg")


def test_links_that_loop_end(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"x")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in", target_is_directory=True)
    assert list(FolderStore(tmp_path / "in").names()) == ["a.jpg"]


def test_an_empty_file_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(PhotoError, match=r"a\.jpg: the file is empty"):
        FolderStore(tmp_path).read("a.jpg")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "b").write_text("a file in the way")
    with pytest.raises(PhotoError, match=r"b/c\.jpg: its folder cannot be made"):
        FolderStore(tmp_path).write("b/c.jpg", b"x")


def test_a_place_with_a_scheme_is_remote():
    assert isinstance(open_store("s3://bucket/photos"), RemoteStore)
    assert isinstance(open_store("C:photos"), FolderStore)
