"""A training-free baseline: reflection suppression by gradient thresholding.

Yang, Ma, Zheng, Cai, Xu, "Fast Single Image Reflection Suppression via Convex Optimization",
CVPR 2019, arXiv:1903.03889. Reflections are out of focus, so small gradients are taken to be theirs
and set to zero; the transmission T is the image whose Laplacian comes nearest to what is left of
the mixture Y, held to Y itself by a small ε:

    minimise over T:  ½ ‖L T − div δ_h(∇Y)‖² + ε/2 ‖T − Y‖²
    solution:         (L² + ε) T = L div δ_h(∇Y) + ε Y

L is the Laplacian with reflecting borders, so the cosine transform makes it a product.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.evaluation.images import Image, to_unit

THRESHOLD = 0.03  # h: gradients below are zeroed; the paper shows 0.01 to 0.13, set by eye
FIDELITY = 1e-8  # ε, as in the paper


def suppress_reflection(
    mixture: Image, threshold: float = THRESHOLD, fidelity: float = FIDELITY
) -> NDArray[np.float64]:
    """(H, W, 3) mixture to its transmission, encoded, clipped to [0, 1].

    `threshold` is compared with the gradient's length in each channel, in units of the full range.
    """
    image = to_unit(mixture)
    kept = _thresholded_laplacian(image, threshold)
    minus_laplacian = _laplacian_symbol(*image.shape[:2])
    # L turns into a product with −symbol, on both sides of the equation.
    numerator = -minus_laplacian * _transform(kept) + fidelity * _transform(image)
    restored = np.fft.irfft2(
        numerator / (minus_laplacian**2 + fidelity), s=_doubled(image), axes=(0, 1)
    )
    return np.clip(restored[: image.shape[0], : image.shape[1]], 0.0, 1.0)


def _thresholded_laplacian(image: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Return div δ_h(∇Y): forward differences, none across the border, then backward ones."""
    down = np.diff(image, axis=0, append=image[-1:])
    across = np.diff(image, axis=1, append=image[:, -1:])
    small = np.hypot(down, across) < threshold
    down[small] = across[small] = 0.0
    return np.diff(down, axis=0, prepend=0.0) + np.diff(across, axis=1, prepend=0.0)


def _doubled(image: NDArray[np.float64]) -> tuple[int, int]:
    return 2 * image.shape[0], 2 * image.shape[1]


def _transform(image: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Fourier transform of the image mirrored to twice its size, which is its cosine transform."""
    mirrored = np.concatenate([image, image[::-1]], axis=0)
    mirrored = np.concatenate([mirrored, mirrored[:, ::-1]], axis=1)
    return np.fft.rfft2(mirrored, axes=(0, 1))


def _laplacian_symbol(height: int, width: int) -> NDArray[np.float64]:
    """Eigenvalues of −L, (2H, W + 1, 1), in the order of `_transform`."""
    down = 2 - 2 * np.cos(np.pi * np.arange(2 * height) / height)
    across = 2 - 2 * np.cos(np.pi * np.arange(width + 1) / width)
    return (down[:, None] + across[None, :])[..., None]
