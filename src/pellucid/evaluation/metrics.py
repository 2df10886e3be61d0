"""How close one image is to another: the measures of the protocol, in NumPy alone.

Every function takes (H, W, 3) images, uint8 or floating point in [0, 1], of one size, computes in
float64 on encoded sRGB values unless it says otherwise, and raises `ValueError` where the sizes
differ. PSNR and SSIM equal scikit-image's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.evaluation.images import Image, to_light, to_unit

_SSIM_SIGMA = 1.5
_SSIM_RADIUS = 5  # scikit-image truncates the window at 3.5 sigma
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2  # (K1 L)² and (K2 L)² with L = 1


def psnr(output: Image, truth: Image) -> float:
    """Peak signal-to-noise ratio in dB, from 0 up; infinite for equal images. Higher is better."""
    error = _mean_square(*_pair(output, truth))
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def ssim(output: Image, truth: Image) -> float:
    """Structural similarity in [-1, 1], 1 for equal images; mean over pixels and channels.

    Wang et al., "Image quality assessment: from error visibility to structural similarity",
    IEEE TIP 2004, with its Gaussian window (sigma 1.5, 11×11) and population covariance. Windows
    that would cross the border are left out, so both sides must be at least 11 pixels.
    """
    x, y = _pair(output, truth)
    if min(x.shape[:2]) < 2 * _SSIM_RADIUS + 1:
        raise ValueError(f"SSIM needs images of at least 11×11 pixels; got {x.shape[:2]}")
    # A channel at a time stays in the processor's cache.
    return float(np.mean([_ssim_of_channel(x[..., c], y[..., c]) for c in range(3)]))


def colour_aligned_psnr(output: Image, truth: Image) -> float:
    """PSNR in dB after the best affine fit a·output + b of each channel to the truth.

    What is left when global colour and exposure are forgiven. Never below `psnr`, up to rounding.
    """
    x, y = _pair(output, truth)
    return psnr(fit_colour(x, y), y)


def fit_colour(image: Image, target: Image) -> NDArray[np.float64]:
    """`image` with each channel mapped by the least-squares affine fit to `target`, not clipped."""
    x, y = _pair(image, target)
    x_mean, y_mean = x.mean((0, 1)), y.mean((0, 1))
    variance = ((x - x_mean) ** 2).mean((0, 1))
    covariance = ((x - x_mean) * (y - y_mean)).mean((0, 1))
    # A channel of one value cannot be scaled: only its mean is fitted.
    gain = np.divide(covariance, variance, out=np.zeros(3), where=variance > 1e-12)
    return gain * (x - x_mean) + y_mean


def gradient_error(output: Image, truth: Image) -> float:
    """Gradient-domain error in [0, 2]: are the edges where they belong? Lower is better.

    The mean absolute difference of the two images' forward differences, horizontal and vertical
    ones counted alike. Blind to a constant added to a whole image.
    """
    error = np.subtract(*_pair(output, truth))
    across, down = np.abs(np.diff(error, axis=1)), np.abs(np.diff(error, axis=0))
    return float((across.sum() + down.sum()) / max(1, across.size + down.size))


def recomposition_error(transmission: Image, reflection: Image, mixture: Image) -> float:
    """Root-mean-square of T + R − M in linear light, in [0, 1]. Lower is better.

    Light adds; T + R above white is clipped first, as the sensor did with the mixture.
    """
    if not transmission.shape == reflection.shape == mixture.shape:
        raise ValueError(
            f"layers and mixture differ in size: "
            f"{transmission.shape}, {reflection.shape}, {mixture.shape}"
        )
    together = np.minimum(to_light(transmission) + to_light(reflection), 1.0)
    return float(np.sqrt(_mean_square(together, to_light(mixture))))


def nearest_layer(output: Image, own: Image, other: Image) -> bool:
    """Tell whether `output` is strictly nearer, in mean square, to its own layer than the other.

    For symmetric mixtures, where only words can say which layer is which: chance is one half.
    """
    return _mean_square(*_pair(output, own)) < _mean_square(*_pair(output, other))


def _pair(a: Image, b: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if a.shape != b.shape:
        raise ValueError(f"images to compare differ in size: {a.shape} and {b.shape}")
    return to_unit(a), to_unit(b)


def _mean_square(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(np.mean((a - b) ** 2, dtype=np.float64))


def _ssim_of_channel(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    means = mean_x * mean_y
    squares = mean_x**2 + mean_y**2
    covariance = _window_mean(x * y) - means
    variances = _window_mean(x * x + y * y) - squares  # only the sum of the two is needed
    similarity = (2 * means + _SSIM_C1) * (2 * covariance + _SSIM_C2)
    similarity /= (squares + _SSIM_C1) * (variances + _SSIM_C2)
    return float(similarity.mean())


def _window_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W) to (H - 10, W - 10): the Gaussian mean of every whole window, one axis at a time."""
    distance = np.arange(_SSIM_RADIUS + 1)
    half = np.exp(-0.5 * (distance / _SSIM_SIGMA) ** 2)
    half /= half[0] + 2 * half[1:].sum()
    return _symmetric_filter(_symmetric_filter(values, half).T, half).T


def _symmetric_filter(
    values: NDArray[np.float64], half: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Filter along the first axis with a symmetric kernel given from its centre outwards."""
    radius = len(half) - 1
    rows = len(values) - 2 * radius
    result = half[0] * values[radius : radius + rows]
    for offset in range(1, radius + 1):
        before = values[radius - offset : radius - offset + rows]
        after = values[radius + offset : radius + offset + rows]
        result += half[offset] * (before + after)
    return result
