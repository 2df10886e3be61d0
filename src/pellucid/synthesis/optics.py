"""What glass, lens and sensor do to light, on batches.

Every function takes and returns linear light of shape (B, 3, H, W), white = 1.0, and draws what it
needs to draw from the generator it is given, so that a seed fixes the result.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

Light = Float[Tensor, "B 3 H W"]
PerPhoto = Float[Tensor, " B"]


def uniform(count: int, low: float, high: float, generator: Generator) -> PerPhoto:
    """Draw `count` numbers from [low, high)."""
    return low + (high - low) * torch.rand(count, generator=generator)


def log_uniform(count: int, low: float, high: float, generator: Generator) -> PerPhoto:
    """Draw `count` numbers whose logarithm is uniform between those of `low` and `high`."""
    return torch.exp(uniform(count, math.log(low), math.log(high), generator))


def per_photo(values: PerPhoto) -> Float[Tensor, "B 1 1 1"]:
    """Shape one number a photo so that it multiplies light."""
    return values[:, None, None, None]


def blur(light: Light, sigma: PerPhoto) -> Light:
    """Blur each photo by a Gaussian of its own sigma (pixels; below 0.2: untouched).

    Depth of field on the reflection (CEILNet, Fan et al. 2017, use sigma 2–5). Separable; a wide
    blur is done on a reduced copy, which costs the same and looks the same.
    """
    widest = float(sigma.max())
    if widest > 6.0 and min(light.shape[-2:]) >= 32:
        return _blur_by_width(light, sigma)
    radius = max(1, math.ceil(2.5 * widest))
    offsets = torch.arange(-radius, radius + 1, dtype=light.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma.clamp(min=0.05)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, dim=0)
    height, width = light.shape[-2:]
    planes = light.reshape(1, -1, height, width)
    radius_pad = min(radius, height - 1, width - 1)
    kernel = kernel[:, radius - radius_pad : radius + radius_pad + 1]
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    groups = planes.shape[1]
    for shape, pad in (
        ((1, -1), (radius_pad, radius_pad, 0, 0)),
        ((-1, 1), (0, 0, radius_pad, radius_pad)),
    ):
        weight = kernel.reshape(groups, 1, *shape)
        planes = F.conv2d(F.pad(planes, pad, mode="reflect"), weight, groups=groups)
    return planes.reshape(light.shape)


def _blur_by_width(light: Light, sigma: PerPhoto) -> Light:
    wide = sigma > 6.0
    blurred = light.clone()
    if not bool(wide.all()):
        blurred[~wide] = blur(light[~wide], sigma[~wide])
    small = F.avg_pool2d(light[wide], 4)
    reduced = blur(small, (sigma[wide] / 4.0).clamp(max=6.0))
    blurred[wide] = F.interpolate(reduced, light.shape[-2:], mode="bilinear", align_corners=False)
    return blurred


def defocus(light: Light, sigma: PerPhoto) -> Light:
    """Blur each photo by the disk of a wide open lens that has a Gaussian's sigma (pixels).

    What a lens does not focus on is drawn with an image of its aperture: the disk's edge leaves
    edges and bright dots with outlines of their own, which a Gaussian has not. Its radius is 2
    sigma; below a sigma of 0.2 the photo is untouched.
    """
    radius = 2.0 * sigma
    reach = min(math.ceil(float(radius.max())) + 1, *(side - 1 for side in light.shape[-2:]))
    padded = F.pad(light, (reach,) * 4, mode="reflect")
    height, width = padded.shape[-2:]
    y, x = torch.fft.fftfreq(height, 1.0 / height), torch.fft.fftfreq(width, 1.0 / width)
    distance = torch.hypot(y[:, None], x[None, :])
    disk = (radius[:, None, None] + 0.5 - distance).clamp(0.0, 1.0)
    disk = (disk / disk.sum(dim=(1, 2), keepdim=True))[:, None]
    blurred = torch.fft.irfft2(torch.fft.rfft2(padded) * torch.fft.rfft2(disk), s=(height, width))
    inner = blurred[..., reach : height - reach, reach : width - reach].clamp(min=0.0)
    return torch.where(per_photo(sigma < 0.2), light, inner)


def highlights(light: Light, gain: PerPhoto) -> Light:
    """Give back to near-white places the brightness that the photo's own sensor had clipped.

    Lamps and sky are far brighter than white; blurred, they make the large soft blobs of real
    reflections. The gain (≥ 1) is reached at white and fades out towards half of it.
    """
    brightest = light.amax(dim=1, keepdim=True)
    return light * (1.0 + (per_photo(gain) - 1.0) * ((brightest - 0.5) * 2.0).clamp(0.0, 1.0) ** 2)


def ghosting(light: Light, shift: Float[Tensor, "B 2"], weight: PerPhoto) -> Light:
    """Add the weaker, shifted copy that the pane's second surface mirrors.

    Args:
        light: The reflection.
        shift: Right and down, in pixels.
        weight: Share of the second surface, in [0, 0.5].
    """
    height, width = light.shape[-2:]
    theta = torch.zeros(len(light), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1.0
    theta[:, 0, 2] = -2.0 * shift[:, 0] / width
    theta[:, 1, 2] = -2.0 * shift[:, 1] / height
    grid = F.affine_grid(theta, list(light.shape), align_corners=False)
    second = F.grid_sample(light, grid, padding_mode="reflection", align_corners=False)
    share = per_photo(weight)
    return (1.0 - share) * light + share * second


def fresnel(reflectance: PerPhoto, angle: Float[Tensor, "B H W"]) -> Float[Tensor, "B 1 H W"]:
    """Schlick's approximation: reflectance at each place from that at normal incidence.

    Args:
        reflectance: At normal incidence, in [0, 1].
        angle: Angle of incidence in radians, in [0, π/2].
    """
    base = reflectance[:, None, None]
    return (base + (1.0 - base) * (1.0 - torch.cos(angle)) ** 5)[:, None]


def incidence(
    height: int, width: int, tilt: Float[Tensor, "B 2"], field: PerPhoto
) -> Float[Tensor, "B H W"]:
    """Angle between each pixel's ray and a pane's normal.

    Args:
        height: Of the photo, in pixels.
        width: Of the photo, in pixels.
        tilt: Tilt of the pane to the right and down, in radians.
        field: Half of the camera's field of view across the width, in radians.
    """
    scale = torch.tan(field)[:, None, None]
    x = torch.linspace(-1.0, 1.0, width)[None, None, :] * scale
    y = torch.linspace(-1.0, 1.0, height)[None, :, None] * scale * (height / width)
    tan_x, tan_y = torch.tan(tilt[:, 0])[:, None, None], torch.tan(tilt[:, 1])[:, None, None]
    dot = 1.0 + x * tan_x + y * tan_y
    norms = torch.sqrt(1.0 + x**2 + y**2) * torch.sqrt(1.0 + tan_x**2 + tan_y**2)
    return torch.acos((dot / norms).abs().clamp(max=1.0 - 1e-6))


def pane(height: int, width: int, count: int, generator: Generator) -> Float[Tensor, "B 1 H W"]:
    """Draw where the glass mirrors something: half-planes, strips and clouds in [0, 1]."""
    x = torch.linspace(-1.0, 1.0, width)[None, None, :]
    y = torch.linspace(-1.0, 1.0, height)[None, :, None]
    angle = uniform(count, 0.0, 2.0 * math.pi, generator)[:, None, None]
    along = x * torch.cos(angle) + y * torch.sin(angle)
    across = y * torch.cos(angle) - x * torch.sin(angle)
    hardness = log_uniform(count, 2.0, 80.0, generator)[:, None, None]
    edge = torch.sigmoid(hardness * (along - uniform(count, -0.8, 0.5, generator)[:, None, None]))
    half_width = uniform(count, 0.2, 1.2, generator)[:, None, None]
    strip = torch.sigmoid(hardness * (half_width - across.abs()))
    cloud = clouds(height, width, count, generator)[:, 0]
    kind = torch.rand(count, generator=generator)[:, None, None]
    chosen = torch.where(kind < 0.35, edge, torch.where(kind < 0.6, edge * strip, cloud))
    return chosen[:, None]


def clouds(height: int, width: int, count: int, generator: Generator) -> Float[Tensor, "B 1 H W"]:
    """Draw smooth random fields in [0, 1], each with a few bright and a few dark regions."""
    coarse = torch.randn(count, 1, 4, 4, generator=generator)
    field = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return torch.sigmoid(2.5 * field)


def white_balance(count: int, spread: float, generator: Generator) -> Float[Tensor, "B 3 1 1"]:
    """Draw gains of the channels: each up to ±spread (relative), luminance about kept."""
    gains = 1.0 + spread * (2.0 * torch.rand(count, 3, generator=generator) - 1.0)
    return (gains / gains.mean(dim=1, keepdim=True))[:, :, None, None]


def sensor_noise(light: Light, shot: PerPhoto, read: PerPhoto, generator: Generator) -> Light:
    """Add photon noise (variance ∝ light) and read noise."""
    deviation = torch.sqrt(per_photo(shot) ** 2 * light.clamp(min=0.0) + per_photo(read) ** 2)
    return light + deviation * torch.randn(light.shape, generator=generator)
