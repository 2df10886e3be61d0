"""Language models of the transformers library and texts for them, from disk or the hub."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from pellucid.attention.retrofit.objectives import (
    CausalObjective,
    DistillationObjective,
    MaskedObjective,
    Objective,
)
from pellucid.errors import ConfigError, DataError


@dataclass(frozen=True)
class LanguageModel:
    """A model, its tokenizer, and what it can be trained on.

    Attributes:
        model: a `PreTrainedModel`, in evaluation mode.
        tokenizer: its tokenizer.
        task: `"causal"`, `"masked"`, or `"distillation"` for a model without a head.

    """

    model: Any
    tokenizer: Any
    task: str

    def objective(self) -> Objective:
        """Make the objective; for distillation the model as it is now becomes the teacher."""
        match self.task:
            case "causal":
                return CausalObjective()
            case "masked":
                return MaskedObjective(self.tokenizer.mask_token_id)
        return DistillationObjective(copy.deepcopy(self.model))


def load_language_model(name: str) -> LanguageModel:
    """Load a local folder or a model of the hub, with the head that it was saved with.

    Raises:
        ConfigError: transformers is missing, or cannot load the model or its tokenizer.

    """
    try:
        import transformers
    except ImportError as error:
        raise ConfigError("Models are loaded with the package transformers: install it.") from error
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        task = _task(config)
        kind = {
            "causal": transformers.AutoModelForCausalLM,
            "masked": transformers.AutoModelForMaskedLM,
            "distillation": transformers.AutoModel,
        }[task]
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        model = kind.from_pretrained(name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"{name} cannot be loaded as a language model: {reason}") from error
    return LanguageModel(model.eval(), tokenizer, task)


def read_blocks(
    tokenizer: Any, files: Sequence[Path], length: int
) -> Int[Tensor, "blocks {length}"]:
    """Cut texts into blocks of equal length, each between the tokenizer's own first and last token.

    A rest shorter than a block is left out.

    Raises:
        DataError: a file cannot be read as UTF-8, or there is less text than one block.

    """
    begin, cls = tokenizer.bos_token_id, tokenizer.cls_token_id
    first = cls if begin is None else begin
    last = None if cls is None else tokenizer.sep_token_id
    inner = length - (first is not None) - (last is not None)
    if inner < 2:
        raise DataError(f"Blocks of {length} tokens are too short.")
    tokens = [token for file in files for token in _tokenise(tokenizer, read_text(file))]
    blocks = torch.tensor(tokens[: len(tokens) // inner * inner], dtype=torch.long)
    blocks = blocks.reshape(-1, inner)
    if not len(blocks):
        raise DataError(f"The text has {len(tokens)} tokens, less than one block of {inner}.")
    if first is not None:
        blocks = F.pad(blocks, (1, 0), value=first)
    return blocks if last is None else F.pad(blocks, (0, 1), value=last)


def read_text(file: Path) -> str:
    """Read a text.

    Raises:
        DataError: the file cannot be read, or is not UTF-8.

    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as text: {error}") from error


def hold_out(
    blocks: Int[Tensor, "blocks tokens"], share: float = 0.1, most: int = 32
) -> tuple[Tensor, Tensor]:
    """Split off the last blocks to measure on: a share of them, at least one, at most `most`.

    Raises:
        DataError: there are fewer than two blocks.

    """
    if len(blocks) < 2:
        raise DataError("The text is one block only: give more text, or shorter blocks.")
    count = min(most, max(1, round(share * len(blocks))))
    return blocks[:-count], blocks[-count:]


def _task(config: Any) -> str:
    architecture = (getattr(config, "architectures", None) or [""])[0]
    if architecture.endswith(("ForCausalLM", "LMHeadModel")):
        return "causal"
    return "masked" if architecture.endswith("ForMaskedLM") else "distillation"


def _tokenise(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
