"""Sentences that are true or false of every seed, and in how many of them they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pellucid.attention.experiments.runs import Run, end
from pellucid.attention.experiments.summary import Groups

Seed = Mapping[str, Run]
"""The runs of one seed, by group."""

# ε of Gu et al. 2025, "When Attention Sink Emerges in Language Models", for a mean over queries.
SINK = 0.3
# A value half as long as the others' is called drained here; the paper gives no threshold.
DRAIN = 0.5


@dataclass(frozen=True)
class Claim:
    """A claim.

    Attributes:
        text: the claim.
        source: whose it is.
        holds: whether it holds for one seed.
        groups: the groups whose runs it looks at.

    """

    text: str
    source: str
    holds: Callable[[Seed], bool]
    groups: Sequence[str]


def of_one(text: str, source: str, group: str, holds: Callable[[Run], bool]) -> Claim:
    """Return a claim about the run of one group."""
    return Claim(text, source, lambda runs: holds(runs[group]), (group,))


def lower(text: str, source: str, name: str, one: str, other: str) -> Claim:
    """Return the claim that a figure ends lower in one group than in another."""
    return Claim(
        text, source, lambda runs: end(runs[one], name) < end(runs[other], name), (one, other)
    )


def verdicts(groups: Groups, claims: Sequence[Claim]) -> str:
    """Return a Markdown table of the claims whose groups were all run."""
    lines = ["| claim | whose | holds in |", "|---|---|---|"]
    for claim in claims:
        if all(group in groups for group in claim.groups):
            held, seeds = count(groups, claim)
            lines.append(f"| {claim.text} | {claim.source} | {held} of {seeds} seeds |")
    return "\n".join(lines)


def count(groups: Groups, claim: Claim) -> tuple[int, int]:
    """Return in how many seeds a claim holds, and of how many; seeds with all its groups count."""
    by_seed = [{run.seed: run for run in groups[group]} for group in claim.groups]
    seeds = set.intersection(*(set(runs) for runs in by_seed))
    held = [
        claim.holds({group: runs[seed] for group, runs in zip(claim.groups, by_seed, strict=True)})
        for seed in seeds
    ]
    return sum(held), len(held)


def has_sink(run: Run) -> bool:
    """Whether <s> takes more than ε of the attention at the end."""
    return end(run, "attention") > SINK


def is_drained(run: Run) -> bool:
    """Whether ‖V_s‖ is below half of the median at the end."""
    return end(run, "drain") < DRAIN
