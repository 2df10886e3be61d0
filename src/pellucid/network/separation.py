"""The whole network, in the order of the paper's figure.

    mixture → encoder → hypercolumn → AGAM ─┬─ transmission features ─┐
                                            ├─ reflection features  ──┤ AGIM ← language gate ← words
                                            └─ verdicts ──────────────┤
                                                                      └→ recovery → T, R

Source: "Language-guided Image Reflection Separation", arXiv:2402.11874, §3. What the paper does not
print is designed and justified in the module that does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn

from pellucid.errors import ConfigError
from pellucid.network.addition import agree, recover
from pellucid.network.aggregation import GlobalAggregation
from pellucid.network.description import Description, DescriptionEncoder, Words, no_description
from pellucid.network.encoder import EfficientNetLite0, Pyramid, ResNet50
from pellucid.network.hypercolumn import Hypercolumn
from pellucid.network.interaction import (
    GlobalInteraction,
    GuidedLayers,
    word_attention_gate,
    word_reach,
)
from pellucid.network.language_gate import LanguageGate
from pellucid.network.recovery import Layers, Recovery
from pellucid.network.verdicts import (
    UNTAUGHT,
    Say,
    Verdict,
    Verdicts,
    agreement,
    encoded_values_added,
    say_of_words,
)

ENCODERS = {"efficientnet-lite0": EfficientNetLite0, "resnet50": ResNet50}


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes and choices of one network."""

    encoder: str = "efficientnet-lite0"
    token_channels: int = 256
    channels: int = 128
    heads: int = 4
    global_tokens: int = 8
    decoder_widths: tuple[int, int, int] = (160, 64, 48)
    decoder_blocks: tuple[int, int, int] = (10, 4, 2)
    attention: str = "vga-key"
    """Gate of the language cross-attention, one of `interaction.ATTENTIONS`."""
    language_gate: bool = True
    """False leaves every given description open (an ablation)."""

    @staticmethod
    def lite() -> NetworkConfig:
        """Return the shipped size: EfficientNet-Lite0 and wordllama's 256-d token vectors."""
        return NetworkConfig()

    @staticmethod
    def paper() -> NetworkConfig:
        """Return the paper's class of size: ResNet-50 and CLIP's 512-d text vectors."""
        return NetworkConfig(
            encoder="resnet50",
            token_channels=512,
            channels=256,
            heads=8,
            global_tokens=16,
            decoder_widths=(256, 128, 64),
            decoder_blocks=(8, 4, 4),
        )

    def __post_init__(self) -> None:
        if self.encoder not in ENCODERS:
            raise ConfigError(f"encoder {self.encoder!r} is not one of {', '.join(ENCODERS)}")
        if self.channels % self.heads:
            raise ConfigError(f"{self.channels} channels do not divide into {self.heads} heads")
        word_attention_gate(self.attention)


class Seen(NamedTuple):
    """What the network sees before a word is spoken."""

    pyramid: Pyramid
    features: Float[Tensor, "B C h w"]
    tokens: Float[Tensor, "B K C"]
    verdicts: Verdicts


class Heard(NamedTuple):
    """One description as it was heard: its words, and what the language gate made of it."""

    words: Words
    logit: Float[Tensor, " B"]
    gate: Float[Tensor, " B"]


class NetworkOutput(NamedTuple):
    """Both layers, and how the words were used."""

    layers: Layers
    transmission: Heard
    reflection: Heard
    transmission_map: Float[Tensor, "B N h w"]
    reflection_map: Float[Tensor, "B N h w"]
    seen: Seen


class SeparationNetwork(nn.Module):
    """Language-guided reflection separation."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.encoder = ENCODERS[config.encoder]()
        levels = self.encoder.channels
        self.hypercolumn = Hypercolumn(levels, channels)
        self.aggregation = GlobalAggregation(channels, config.heads, config.global_tokens)
        self.ambiguity, self.addition = (
            Verdict(channels, config.global_tokens, start) for start in UNTAUGHT
        )
        self.describe = DescriptionEncoder(config.token_channels, channels)
        self.language_gate = LanguageGate(channels)
        self.transmission_features = nn.Conv2d(channels, channels, 1)
        self.reflection_features = nn.Conv2d(channels, channels, 1)
        gate = word_attention_gate(config.attention)
        self.interaction = GlobalInteraction(channels, config.heads, gate)
        self.recovery, self.encoded_recovery = (
            Recovery(
                channels, (levels[0], levels[1]), config.decoder_widths, config.decoder_blocks, how
            )
            for how in (False, True)
        )

    def forward(
        self,
        mixture: Float[Tensor, "B 3 H W"],
        transmission: Description | None = None,
        reflection: Description | None = None,
        encoded: Bool[Tensor, " B"] | None = None,
    ) -> NetworkOutput:
        """Separate a batch of encoded mixtures (sides multiples of 32, values in [0, 1]).

        A description left out, or a row of one whose mask is False throughout, changes nothing.
        Which pictures are sums of encoded values is known in training; else the verdict says it.
        """
        return self.answer(mixture, self.look(mixture), transmission, reflection, encoded)

    def answer(
        self,
        mixture: Float[Tensor, "B 3 H W"],
        seen: Seen,
        transmission: Description | None,
        reflection: Description | None,
        encoded: Bool[Tensor, " B"] | None = None,
    ) -> NetworkOutput:
        """Separate mixtures that were looked at already."""
        about_t = self.listen(transmission, seen.tokens)
        about_r = self.listen(reflection, seen.tokens)
        say = say_of_words(seen.verdicts, about_t.gate, about_r.gate)
        guided = self.guide(seen.features, about_t, about_r, say)
        layers = recover(
            self.recovery,
            self.encoded_recovery,
            encoded_values_added(seen.verdicts) if encoded is None else encoded,
            (mixture, *seen.pyramid[:2], guided.transmission, guided.reflection),
        )
        if not self.training:  # heads learn each for itself, and to leave nothing
            layers = agree(layers, mixture, agreement(seen.verdicts))
        return NetworkOutput(
            layers, about_t, about_r, guided.transmission_map, guided.reflection_map, seen
        )

    def look(self, mixture: Float[Tensor, "B 3 H W"]) -> Seen:
        """Encode the mixture."""
        pyramid = self.encoder(mixture)
        features, tokens = self.aggregation(self.hypercolumn(pyramid))
        return Seen(pyramid, features, tokens, self.judge(tokens))

    def judge(self, tokens: Float[Tensor, "B K C"]) -> Verdicts:
        """Ask the photo about itself."""
        return Verdicts(self.ambiguity(tokens), self.addition(tokens))

    def listen(self, description: Description | None, tokens: Float[Tensor, "B K C"]) -> Heard:
        """Encode one description and gate it by the global tokens."""
        if description is None:
            description = no_description(len(tokens), self.config.token_channels, tokens.device)
        words = self.describe(description)
        logit, gate = self.language_gate(words, tokens)
        if not self.config.language_gate:
            gate = description.given.to(gate.dtype)
        return Heard(words, logit, gate)

    def guide(
        self,
        features: Float[Tensor, "B C h w"],
        about_t: Heard,
        about_r: Heard,
        say: Say,
    ) -> GuidedLayers:
        """Give each layer its features and guide both by both descriptions."""
        return self.interaction(
            self.transmission_features(features),
            self.reflection_features(features),
            (about_t.words, about_t.gate),
            (about_r.words, about_r.gate),
            word_reach(say),
        )
