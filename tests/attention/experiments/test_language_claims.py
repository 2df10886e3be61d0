from __future__ import annotations

import pytest

from pellucid.attention.experiments.language_claims import (
    DECODER_CLAIMS,
    ENCODER_CLAIMS,
    PUBLISHED_DECODER,
    PUBLISHED_ENCODER,
    cost,
)
from pellucid.attention.experiments.runs import Run

SOUND = {"inf_norm": 5.0, "kurtosis": 3.0, "peak_first": 4.0, "peak_other": 4.0}
SOUND |= {
    "peak_mask": 5.0,
    "sink_first": 0.0,
    "drain_first": 1.0,
    "perplexity": 10.0,
    "W8A8": 10.0,
    "W8A4": 11.0,
}
SICK = {"inf_norm": 100.0, "kurtosis": 9.0, "peak_first": 90.0, "peak_other": 20.0}
SICK |= {
    "peak_mask": 95.0,
    "sink_first": 0.4,
    "drain_first": 0.2,
    "perplexity": 10.5,
    "W8A8": 20.0,
    "W8A4": 30.0,
}


def run(group: str, last: dict[str, float]) -> Run:
    return Run(group, 0, {}, [SOUND, last])


@pytest.mark.parametrize("claims", [DECODER_CLAIMS, ENCODER_CLAIMS])
def test_claims_tell_a_sick_vanilla_from_a_sound_one(claims):
    groups = {group for claim in claims for group in claim.groups}
    cured = {group: run(group, SOUND) for group in groups} | {"vanilla": run("vanilla", SICK)}
    held = {claim.text for claim in claims if claim.holds(cured)}
    missing = {claim.text for claim in claims} - held
    assert missing == {
        "VGA, key: a smaller kurtosis than IGA, key",
        "registers: a larger kurtosis than vanilla",
    }
    not_cured = {group: run(group, SICK) for group in groups} | {"vanilla": run("vanilla", SOUND)}
    assert [claim.text for claim in claims if claim.holds(not_cured)] == [
        "registers: a larger kurtosis than vanilla"
    ]


def test_the_cost_of_bits():
    assert cost(run("vanilla", SICK), "W8A8") == 9.5


@pytest.mark.parametrize("published", [PUBLISHED_DECODER, PUBLISHED_ENCODER])
def test_published_figures_are_of_the_papers_rows(published):
    full, few = published
    assert full.cells.keys() == few.cells.keys()
    assert "vga-key" in full.cells
    assert all(cell.startswith("+") for cell in few.cells.values())
