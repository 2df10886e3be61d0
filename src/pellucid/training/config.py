"""Everything a training run is told, as one TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pellucid.errors import ConfigError
from pellucid.network.separation import NetworkConfig
from pellucid.training.batches import BatchConfig
from pellucid.training.objective import ObjectiveConfig
from pellucid.training.optimiser import OptimiserConfig
from pellucid.training.words_first import WordsFirstConfig


@dataclass(frozen=True)
class ValidationConfig:
    """What is measured while training, and on what."""

    every: int = 2000
    pairs: tuple[str, ...] = ()
    """Files `pairs.jsonl` with real or synthetic pairs; the first decides the best."""
    mixtures: int = 48
    """Mixtures of validation photos, always the same."""


@dataclass(frozen=True)
class TrainingConfig:
    """One training run."""

    photos: str
    """Folder with captions.jsonl."""
    folder: str
    """Where checkpoints, metrics and sheets go."""
    cache: str = ""
    """Where decoded photos go; default: `folder`/cache."""
    steps: int = 100_000
    seed: int = 0
    checkpoint_every: int = 500
    start_from: str = ""
    """Weights (.safetensors) to begin with, of this network or of one with fewer blocks in its
    decoder, without a verdict or with one recovery; default: ImageNet for the encoder, random
    elsewhere."""
    only: tuple[str, ...] = ()
    """Parts of the network that learn, as "interaction"; all others stay as they are, to the bit.
    Default: all learn."""
    threads: int = 0
    """Threads of the computation; 0 leaves it to torch."""
    mixed_precision: bool = False
    """Compute in bfloat16 where that is safe: pays on processors that have it. Always on a GPU."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    words_first: WordsFirstConfig = field(default_factory=WordsFirstConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    @property
    def cache_folder(self) -> Path:
        """Where decoded photos go."""
        return Path(self.cache) if self.cache else Path(self.folder) / "cache"


def read_training_config(path: Path) -> TrainingConfig:
    """Read a TOML file; tables are the nested configurations, all keys have defaults but two.

    Raises:
        ConfigError: the file is missing, is not TOML, or has an unknown or mistyped key.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error
    try:
        return build(TrainingConfig, table)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


Built = TypeVar("Built")


def build(kind: type[Built], table: dict[str, Any], where: str = "") -> Built:
    """Build a (nested) configuration dataclass from a table.

    Raises:
        ConfigError: a key is unknown, missing, or has a value of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise ConfigError(f"unknown key {where}{unknown[0]}; known: {', '.join(hints)}")
    values = {key: _value(hints[key], value, where + key) for key, value in table.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{where or 'top level'}: {error}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{where} must be a table")
        return build(typing.cast(type, hint), value, f"{where}.")
    origin = typing.get_origin(hint)
    if origin is tuple:
        inner = typing.get_args(hint)[0]
        if not isinstance(value, list):
            raise ConfigError(f"{where} must be a list")
        return tuple(_value(inner, item, where) for item in value)
    if origin is types.UnionType:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ConfigError(f"{where} must be of type {hint.__name__}, not {value!r}")
    return value
