"""Teach the words' way of a trained network once more, with everything else still.

    python scripts/words_last.py WEIGHTS PHOTOS OUT [--cache CACHE] [--groups N] [--steps N]

While a network is trained, what it makes of its mixtures moves under its words. Here description
encoder, language gate and AGIM learn with the usual losses from the network as it is now, and more
descriptions are wrong than in training, so that the gate learns to refuse. What the network does
without words stays as it is, to the bit. PHOTOS is a folder with captions.jsonl. Run it between
`pellucid train` and `pellucid export`. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from pellucid.network.export import load_shipped_network
from pellucid.network.separation import NetworkConfig
from pellucid.training.batches import BatchConfig, Batches
from pellucid.training.captions import CaptionConfig
from pellucid.training.checkpoint import save_weights
from pellucid.training.language_tuning import TuningConfig, look, teach_words
from pellucid.training.photos import PhotoStore

CAPTIONS = CaptionConfig(dropped=0.25, wrong=0.4, noun=0.1, template=0.1)
LAST = TuningConfig(steps=300, groups=100, batch=BatchConfig(captions=CAPTIONS))


def main() -> None:
    """Teach, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("weights", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("out/cache"))
    parser.add_argument("--groups", type=int, default=LAST.groups)
    parser.add_argument("--steps", type=int, default=LAST.steps)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    config = replace(LAST, groups=given.groups, steps=given.steps)
    network = load_shipped_network(given.weights, NetworkConfig.lite())
    store = PhotoStore(given.photos, "train", given.cache)
    looked = look(network, Batches(store, config.batch, given.seed), config.groups)
    teach_words(network, looked, config, given.seed)
    save_weights(dict(network.state_dict()), given.out)


if __name__ == "__main__":
    main()
