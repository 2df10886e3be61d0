"""Errors a person can act on: each message says what was wrong, in which file, and what to do.

Library code raises these and never prints or exits; the command line turns them into one line
and a non-zero exit code.
"""


class PellucidError(Exception):
    """Root of every error that Pellucid raises on purpose."""


class PhotoError(PellucidError):
    """A photo cannot be read, decoded or written."""


class DescriptionError(PellucidError):
    """A description of a layer cannot be used."""


class WeightsError(PellucidError):
    """The model's weights are missing, damaged or belong to another model."""


class ConfigError(PellucidError):
    """A configuration contradicts itself or cannot be built."""


class DataError(PellucidError):
    """A data set on disk is missing, damaged or in another layout."""


class BenchmarkError(PellucidError):
    """A measurement could not be made."""
