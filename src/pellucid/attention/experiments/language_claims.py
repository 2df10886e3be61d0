"""What is claimed of language models with sinks, and the papers' own figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.attention.experiments.claims import DRAIN, Claim, Seed, lower, of_one
from pellucid.attention.experiments.methods import METHODS
from pellucid.attention.experiments.runs import Run, end, start
from pellucid.attention.experiments.summary import Published

# Paper's tables of BERT-base and OPT-125m, arXiv:2510.09017.
_GROUPS = ("vanilla", "registers", "learned-sink", "iga-key", "vga-key")
_BERT = {
    "full": ("4.52 · 812 · 2987", "4.53 · 1206 · 7813", "4.53 · 41.7 · 226", "4.53 · 38.7 · 90.7",
             "4.52 · 33.2 · 84.6"),
    "int8": ("+612.8", "+909.1", "+0.26", "+0.15", "+0.12"),
}  # fmt: skip
_OPT = {
    "full": ("15.95 · 1.01 · 2177", "15.85 · 0.75 · 8323", "15.92 · 0.77 · 22.2",
             "15.65 · 0.50 · 102", "15.49 · 0.45 · 34.8"),
    "int8": ("+27.83", "+108.0", "+1.39", "+1.12", "+0.93"),
}  # fmt: skip

# An extreme is this many times what it was before training, and this many times other tokens'.
GROWTH, ABOVE_OTHERS = 10.0, 3.0
SINK_RATE = 0.1
_REMEDIES = (
    *("learned-sink", "clipped", "bondarenko", "g1"),
    *("iga-key", "vga-key", "iga-query", "vga-query"),
)
PATHOLOGY = "Bondarenko et al., VGA paper"
PAPER = "VGA paper"


def _published(model: str, figures: dict[str, tuple[str, ...]]) -> tuple[Published, Published]:
    def cells(name: str) -> dict[str, str]:
        return dict(zip(_GROUPS, figures[name], strict=True))

    return (
        Published(f"paper, {model}: perplexity · inf norm · kurtosis", cells("full")),
        Published(f"paper, {model}: INT8, Δ", cells("int8")),
    )


PUBLISHED_DECODER = _published("OPT-125m", _OPT)
PUBLISHED_ENCODER = _published("BERT-base", _BERT)


def _vanilla(text: str, holds: Callable[[Run], bool]) -> Claim:
    return of_one(f"vanilla: {text}", PATHOLOGY, "vanilla", holds)


def _below(group: str, text: str, name: str, source: str, other: str = "vanilla") -> Claim:
    return lower(f"{METHODS[group].title}: {text}", source, name, group, other)


def cost(run: Run, bits: str) -> float:
    """Return what few bits add to the perplexity."""
    return end(run, bits) - end(run, "perplexity")


def _cheaper(group: str, source: str) -> Claim:
    def holds(seed: Seed) -> bool:
        return cost(seed[group], "W8A8") < cost(seed["vanilla"], "W8A8")

    title = METHODS[group].title
    return Claim(f"{title}: W8A8 costs less than vanilla's", source, holds, [group, "vanilla"])


def _extreme(name: str, where: str) -> Claim:
    def holds(run: Run) -> bool:
        return end(run, name) > ABOVE_OTHERS * end(run, "peak_other")

    return _vanilla(f"max abs h at {where} ends above {ABOVE_OTHERS:g} times others'", holds)


_GROWN = (
    _vanilla(
        f"max inf norm ends above {GROWTH:g} times its start",
        lambda run: end(run, "inf_norm") > GROWTH * start(run, "inf_norm"),
    ),
    _vanilla(
        "kurtosis ends above twice its start",
        lambda run: end(run, "kurtosis") > 2 * start(run, "kurtosis"),
    ),
)
_OTHERS = (
    _vanilla(
        f"sink rate at the first token ends above {SINK_RATE:g}",
        lambda run: end(run, "sink_first") > SINK_RATE,
    ),
    _vanilla(
        f"‖V_s‖ ends below {DRAIN:g} of the median", lambda run: end(run, "drain_first") < DRAIN
    ),
    *(
        claim
        for group in _REMEDIES
        for source in (PAPER if group in _GROUPS else "its purpose",)
        for claim in (
            _below(group, "a smaller max inf norm than vanilla", "inf_norm", source),
            _below(group, "a smaller kurtosis than vanilla", "kurtosis", source),
            _cheaper(group, source),
        )
    ),
    _below("vga-key", "a smaller kurtosis than IGA, key", "kurtosis", PAPER, "iga-key"),
    _below("vga-key", "a lower perplexity than vanilla", "perplexity", "VGA paper, OPT"),
    lower("registers: a larger kurtosis than vanilla", PAPER, "kurtosis", "vanilla", "registers"),
)

DECODER_CLAIMS: Sequence[Claim] = (*_GROWN, _extreme("peak_first", "⟨s⟩"), *_OTHERS)
ENCODER_CLAIMS: Sequence[Claim] = (
    *_GROWN,
    _extreme("peak_first", "[CLS]"),
    _extreme("peak_mask", "[MASK]"),
    *_OTHERS,
)
