"""A network small enough for tests."""

from pellucid.network.separation import NetworkConfig

SMALL = NetworkConfig(
    token_channels=8,
    channels=16,
    heads=2,
    global_tokens=3,
    decoder_widths=(16, 8, 8),
    decoder_blocks=(1, 1, 1),
)
