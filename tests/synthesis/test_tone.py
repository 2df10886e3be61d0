"""Tone curves: they keep black and white, can be undone, and do to detail what cameras do."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from pellucid.synthesis.tone import Tone

LIGHT = torch.linspace(0.0, 1.0, 300).reshape(1, 3, 10, 10)


def tone(toe: float, shoulder: float) -> Tone:
    return Tone(torch.tensor([toe]), torch.tensor([shoulder]))


def gain_of_detail(curve: Tone, behind: float, added: float) -> float:
    """Contrast of a little detail behind a reflection over that without one."""
    light = torch.tensor([behind, behind * 1.01]).reshape(1, 1, 1, 2).expand(1, 3, 1, 2)
    bare, veiled = (curve.develop(light + extra).diff().mean() for extra in (0.0, added))
    return float(veiled / bare)


@given(st.floats(1.0, 2.0), st.floats(0.0, 12.0))
def test_a_curve_rises_from_black_to_white_and_can_be_undone(toe, shoulder):
    curve = tone(toe, shoulder)
    developed = curve.develop(LIGHT)
    assert developed.flatten()[0] == 0.0
    torch.testing.assert_close(developed.flatten()[-1], torch.tensor(1.0))
    assert (developed.flatten().diff() > 0).all()
    torch.testing.assert_close(curve.undo(developed), LIGHT, atol=1e-5, rtol=1e-4)


def test_no_curve_leaves_light_and_layers_as_they_are():
    none = tone(1.0, 0.0)
    assert torch.equal(none.develop(LIGHT), LIGHT)
    behind, added = none.develop_layers(0.5 * LIGHT, 0.3 * LIGHT)
    torch.testing.assert_close((behind, added), (0.5 * LIGHT, 0.3 * LIGHT))


@given(st.floats(1.0, 2.0), st.floats(0.0, 12.0))
def test_developed_layers_add_up(toe, shoulder):
    curve = tone(toe, shoulder)
    behind, added = curve.develop_layers(0.6 * LIGHT, 0.4 * LIGHT.flip(3))
    torch.testing.assert_close(behind + added, curve.develop(0.6 * LIGHT + 0.4 * LIGHT.flip(3)))


def test_reflections_give_contrast_to_dark_detail_and_take_it_from_bright_detail():
    camera = tone(1.4, 1.0)
    assert gain_of_detail(camera, behind=0.02, added=0.05) > 1.1
    assert gain_of_detail(camera, behind=0.4, added=0.4) < 0.9
