"""Average the weights of two moments of one training run, before `pellucid export`.

    python scripts/average.py EARLIER LATER OUT --share 0.6 --only-later describe interaction

The earlier network may have fewer blocks in its decoder. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pellucid.network.separation import NetworkConfig, SeparationNetwork
from pellucid.training.averaging import average
from pellucid.training.checkpoint import save_weights


def main() -> None:
    """Average, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("earlier", type=Path)
    parser.add_argument("later", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the later weights")
    parser.add_argument("--only-later", nargs="*", default=(), help="parts not averaged")
    given = parser.parse_args()
    network = SeparationNetwork(NetworkConfig.lite())
    average(network, given.earlier, given.later, given.share, given.only_later)
    save_weights(dict(network.state_dict()), given.out)


if __name__ == "__main__":
    main()
