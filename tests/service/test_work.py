from __future__ import annotations

import os
from pathlib import PurePath, PureWindowsPath

from hypothesis import given
from hypothesis import strategies as st

from pellucid.service.work import LONGEST_NAME, LayerFile, _stem, zipped


@given(st.text())
def test_a_stem_is_a_plain_file_name(name):
    stem = _stem(name)
    assert 0 < len(stem) <= LONGEST_NAME and stem.isprintable()
    assert PurePath(stem).name == stem == PureWindowsPath(stem).name
    assert os.fsencode(stem)


def test_ordinary_names_stay():
    assert _stem("Shop window (1).JPG") == "Shop window (1)"


def test_equal_layers_give_equal_archives():
    files = [LayerFile("a.jpg", b"1"), LayerFile("b.jpg", b"2")]
    assert zipped(files) == zipped(files)
