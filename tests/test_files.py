"""Files that appear whole or not at all."""

from __future__ import annotations

import pytest

from pellucid.files import appearing_whole


def test_the_file_is_there_only_at_the_end(tmp_path):
    path = tmp_path / "result.json"
    with appearing_whole(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), appearing_whole(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("half way")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
