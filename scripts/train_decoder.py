"""Train a small GPT-2 on the source of Python's own standard library, and inspect it.

    python scripts/train_decoder.py decoder

Writes a folder as transformers loads it, `held-out.txt` (modules it was not trained on), and
`inspect.json`, the diagnostics of 64 held-out sequences. About six minutes of one free core.
"""

from __future__ import annotations

import math
import sys
import sysconfig
import time
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from pellucid.attention.diagnostics import Inspector
from pellucid.attention.retrofit.language import read_blocks

STEPS, BATCH, LENGTH, RATE = 600, 16, 128, 1e-3
VOCABULARY, WIDTH, LAYERS, HEADS = 2048, 128, 4, 4
END = "<|endoftext|>"
HELD_OUT = ("argparse.py", "ast.py", "calendar.py", "dis.py", "heapq.py", "textwrap.py")


def modules() -> tuple[list[Path], list[Path]]:
    """Return the modules at the top of the standard library: to train on, and held out."""
    every = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    return (
        [path for path in every if path.name not in HELD_OUT],
        [path for path in every if path.name in HELD_OUT],
    )


def train_tokenizer(files: list[Path]) -> PreTrainedTokenizerFast:
    pairs = ByteLevelBPETokenizer()
    pairs.train([str(path) for path in files], VOCABULARY, special_tokens=[END])
    return PreTrainedTokenizerFast(
        tokenizer_object=pairs._tokenizer, bos_token=END, eos_token=END, pad_token=END
    )


def train(blocks: Tensor) -> GPT2LMHeadModel:
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=LENGTH,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPT2LMHeadModel(config).train()
    optimiser = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda s: min(1.0, (s + 1) / 50) * (0.1 + 0.45 * (1 + math.cos(math.pi * s / STEPS))),
    )
    for step in range(STEPS):
        tokens = blocks[torch.randint(len(blocks), (BATCH,))]
        loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0 or step == STEPS - 1:
            print(f"step {step}: loss {loss:.3f}, {time.process_time():.0f} s of the processor")
    return model.eval()


@torch.no_grad()
def inspect(model: GPT2LMHeadModel, blocks: Tensor, target: Path) -> None:
    with Inspector(model, name="decoder of scripts/train_decoder.py") as inspector:
        for tokens in blocks.split(8):
            model(input_ids=tokens, use_cache=False)
    inspector.report().save(target)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    learnt, held_out = modules()
    tokenizer = train_tokenizer(learnt)
    text = folder / "held-out.txt"
    text.write_text("\n".join(path.read_text(encoding="utf-8") for path in held_out), "utf-8")
    model = train(read_blocks(tokenizer, learnt, LENGTH))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    inspect(model, read_blocks(tokenizer, [text], 64)[:64], folder / "inspect.json")


if __name__ == "__main__":
    main()
