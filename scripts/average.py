"""Average the weights of two moments of one training run, before `pellucid export`.

    python scripts/average.py FIRST SECOND OUT --share 0.6 --only-first describe interaction

Either may have fewer blocks in its decoder than the network has now. `--refuse` lowers the language
gate's logit, so that fewer descriptions are let in, right ones and wrong ones; `--follow` scales
what words add to the layers' features. `--plain` lowers the logit of ambiguity, so that words
decide less often. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from pellucid.network.separation import NetworkConfig, SeparationNetwork
from pellucid.network.weights import save_weights
from pellucid.training.averaging import average


def main() -> None:
    """Average, and write the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second weights")
    parser.add_argument("--only-first", nargs="*", default=(), help="parts that are not averaged")
    parser.add_argument("--refuse", type=float, default=0.0, help="off the language gate's logit")
    parser.add_argument("--follow", type=float, default=1.0, help="factor on the words' updates")
    parser.add_argument("--plain", type=float, default=0.0, help="off the ambiguity's logit")
    given = parser.parse_args()
    network = SeparationNetwork(NetworkConfig.lite())
    average(network, given.first, given.second, given.share, given.only_first)
    with torch.no_grad():
        network.language_gate.logit.bias.sub_(given.refuse)
        network.ambiguity.logit.bias.sub_(given.plain)
        for attention in (network.interaction.own, network.interaction.other):
            attention.out.weight.mul_(given.follow)
    save_weights(dict(network.state_dict()), given.out)


if __name__ == "__main__":
    main()
