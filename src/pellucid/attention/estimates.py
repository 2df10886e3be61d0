"""A mean and how well it is known: what reports say of every figure."""

from __future__ import annotations

from dataclasses import dataclass

# Two-sided 95 % quantile of the normal distribution, and of Student's t with 1 to 9 degrees of
# freedom.
Z95 = 1.959963984540054
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True)
class Estimate:
    """A mean over samples, or over repetitions, and how well it is known.

    Attributes:
        mean: NaN if there were no samples.
        half_width: half of the 95 % confidence interval; NaN below two samples. Whoever estimates
            says of which distribution: normal over samples, Student's t over few repetitions.
        samples: how many samples had a value.

    """

    mean: float
    half_width: float
    samples: int
