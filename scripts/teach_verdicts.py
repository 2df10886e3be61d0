"""Teach the verdicts of a trained network, with everything else still.

    python scripts/teach_verdicts.py CONFIG.toml WEIGHTS.safetensors OUT.safetensors --groups 250

CONFIG is a run's file: its photos, batches and recipes are used. The global tokens of that many
groups of mixtures are worked out once, and the heads learn from them in seconds; joint training
(`pellucid train`) goes on from there. Prints how well each tells kinds apart on mixtures of
validation photos (area under the curve; .5 is chance). Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pellucid.network.growth import fit_grown_weights
from pellucid.network.separation import SeparationNetwork
from pellucid.network.verdicts import Verdict
from pellucid.network.weights import load_weights, save_weights
from pellucid.training.batches import Batches
from pellucid.training.config import read_training_config
from pellucid.training.losses.language import verdict_error
from pellucid.training.parts import VERDICTS
from pellucid.training.photos import PhotoStore

EPOCHS = 40
BATCH = 64
RATE, WEIGHT_DECAY = 1e-3, 0.3
HELD_OUT = 5
"""Groups to learn from for each that is held out."""


@dataclass(frozen=True)
class Lessons:
    """Global tokens of mixtures, and the right answers by verdict."""

    tokens: Float[Tensor, "M K C"]
    answers: dict[str, Bool[Tensor, " M"]]


def main() -> None:
    """Teach verdicts and write the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--groups", type=int, default=250)
    parser.add_argument("--verdicts", nargs="+", default=VERDICTS, choices=VERDICTS)
    given = parser.parse_args()
    config = read_training_config(given.config)
    torch.manual_seed(config.seed)
    network = SeparationNetwork(config.network).eval()
    fit_grown_weights(network, load_weights(given.weights), given.weights)
    photos, cache = Path(config.photos), config.cache_folder
    batch = replace(config.batch, groups=1)
    train = Batches(PhotoStore(photos, "train", cache), batch, config.seed)
    val = Batches(PhotoStore(photos, "val", cache), batch, config.seed + 1)
    lessons = gather(network, train, given.groups)
    test = gather(network, val, given.groups // HELD_OUT)
    for name in given.verdicts:
        verdict = network.get_submodule(name)
        assert isinstance(verdict, Verdict)
        teach(verdict, lessons.tokens, lessons.answers[name])
        with torch.no_grad():
            area = area_under_curve(verdict(test.tokens), test.answers[name])
        print(f"{name}: {area:.3f} on {len(test.tokens)} mixtures of validation photos")
    save_weights(dict(network.state_dict()), given.out)


@torch.no_grad()
def gather(network: SeparationNetwork, batches: Batches, groups: int) -> Lessons:
    """Look at mixtures and keep what a verdict is read from."""
    tokens, ambiguous, adds = [], [], []
    for number in range(groups):
        mixtures = batches.group(number, 0).mixtures
        tokens.append(network.look(mixtures.mixture).tokens)
        ambiguous.append(mixtures.ambiguous)
        adds.append(mixtures.adds)
    answers = {"ambiguity": torch.cat(ambiguous), "addition": torch.cat(adds)}
    return Lessons(torch.cat(tokens), answers)


def teach(verdict: Verdict, tokens: Float[Tensor, "M K C"], answers: Bool[Tensor, " M"]) -> None:
    """Teach one verdict from the beginning; its doubt becomes how often the answer is yes."""
    with torch.no_grad():
        verdict.logit.bias.fill_(torch.logit(answers.float().mean()))
    optimiser = torch.optim.AdamW(verdict.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(tokens)).split(BATCH):
            optimiser.zero_grad()
            verdict_error(verdict(tokens[chosen]), answers[chosen]).backward()
            optimiser.step()


def area_under_curve(logits: Float[Tensor, " M"], answers: Bool[Tensor, " M"]) -> float:
    """Return how often a yes has a higher logit than a no."""
    yes, no = logits[answers], logits[~answers]
    return float((yes[:, None] > no[None]).float().mean())


if __name__ == "__main__":
    main()
