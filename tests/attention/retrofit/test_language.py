from __future__ import annotations

import pytest
import torch

from pellucid.attention.retrofit.language import hold_out, load_language_model, read_blocks
from pellucid.errors import ConfigError, DataError

from .models import bert, build, gpt2, masked_bert
from .saved import WORDS, save_model, tokenizer


@pytest.mark.parametrize(
    ("make", "task"), [(gpt2, "causal"), (masked_bert, "masked"), (bert, "distillation")]
)
def test_models_come_with_their_task(make, task, tmp_path):
    folder = save_model(build(make), tmp_path / "model")
    language = load_language_model(str(folder))
    assert language.task == task
    assert type(language.model) is type(build(make))
    tokens = torch.randint(5, 20, (2, 8))
    with torch.no_grad():
        loss = language.objective()(language.model, tokens).loss
    assert torch.isfinite(loss)
    assert (loss == 0) == (task == "distillation")


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(ConfigError, match="cannot be loaded as a language model"):
        load_language_model(str(tmp_path))


def test_blocks_hold_the_text_between_first_and_last_token(tmp_path):
    (tmp_path / "a.txt").write_text(" ".join(WORDS[:7]), encoding="utf-8")
    (tmp_path / "b.txt").write_text(" ".join(WORDS[7:10]), encoding="utf-8")
    tokens = tokenizer()
    blocks = read_blocks(tokens, [tmp_path / "a.txt", tmp_path / "b.txt"], 6)
    assert blocks.shape == (2, 6)
    assert blocks[:, 0].tolist() == [tokens.cls_token_id] * 2
    assert blocks[:, -1].tolist() == [tokens.sep_token_id] * 2
    assert tokens.convert_ids_to_tokens(blocks[:, 1:-1].flatten()) == WORDS[:8]


def test_text_that_cannot_be_used(tmp_path):
    short, binary = tmp_path / "short.txt", tmp_path / "binary.txt"
    short.write_text("w1 w2")
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="2 tokens, less than one block"):
        read_blocks(tokenizer(), [short], 16)
    with pytest.raises(DataError, match=r"binary\.txt cannot be read"):
        read_blocks(tokenizer(), [binary], 16)
    with pytest.raises(DataError, match=r"none\.txt cannot be read"):
        read_blocks(tokenizer(), [tmp_path / "none.txt"], 16)
    with pytest.raises(DataError, match="too short"):
        read_blocks(tokenizer(), [short], 3)


def test_hold_out():
    blocks = torch.arange(20).reshape(10, 2)
    train, held_out = hold_out(blocks)
    assert torch.equal(torch.cat((train, held_out)), blocks)
    assert len(held_out) == 1
    assert len(hold_out(torch.zeros(1000, 2))[1]) == 32
    with pytest.raises(DataError, match="one block only"):
        hold_out(blocks[:1])
