from __future__ import annotations

import pytest

from pellucid.attention.experiments.backcopy_claims import CLAIMS
from pellucid.attention.experiments.catalogue import EXPERIMENTS
from pellucid.attention.experiments.claims import Claim, count, verdicts
from pellucid.attention.experiments.runs import Run, end


def run(group: str, seed: int, **figures: tuple[float, ...]) -> Run:
    steps = len(next(iter(figures.values())))
    points = [{"step": i, **{k: v[i] for k, v in figures.items()}} for i in range(steps)]
    return Run(group, seed, {}, points)


def test_a_claim_is_counted_over_the_seeds_that_all_its_groups_have():
    lower = Claim(
        "a < b", "x", lambda runs: end(runs["a"], "risk") < end(runs["b"], "risk"), ("a", "b")
    )
    groups = {
        "a": [run("a", seed, risk=(r,)) for seed, r in enumerate((1.0, 2.0, 0.0))],
        "b": [run("b", seed, risk=(r,)) for seed, r in enumerate((2.0, 1.0))],
    }
    assert count(groups, lower) == (1, 2)
    assert verdicts(groups, [lower]).splitlines()[-1] == "| a < b | x | 1 of 2 seeds |"
    assert len(verdicts({"a": groups["a"]}, [lower]).splitlines()) == 2  # not decided


VANILLA = {"attention": (0.04, 0.8), "delta_logit": (0.0, 9.0), "drain": (1.0, 0.2)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 1),
        ({"attention": (0.04, 0.2)}, 0),
        ({"delta_logit": (0.0, 0.5)}, 0),
        ({"drain": (1.0, 0.9)}, 0),
    ],
)
def test_the_pathology_needs_sink_logit_and_drain(change, expected):
    groups = {"vanilla": [run("vanilla", 0, **(VANILLA | change))]}
    assert count(groups, CLAIMS[0]) == (expected, 1)


def test_no_sink_means_at_no_time():
    claim = next(c for c in CLAIMS if c.text.startswith("VGA, key: Attn"))
    passing = run("vga-key", 0, attention=(0.04, 0.9, 0.1))
    assert count({"vga-key": [passing]}, claim) == (0, 1)


def test_every_claim_is_about_groups_that_are_run():
    for name, chosen in EXPERIMENTS.items():
        for claim in chosen.claims:
            # A shorter list of groups decides fewer claims, but none may be about nothing.
            known = EXPERIMENTS[chosen.folder.removesuffix("-long")].groups | chosen.groups
            assert set(claim.groups) <= known.keys(), (name, claim.text)
