"""The offsets of a simulated sky: a random field of known covariance, a global part and the Galactic plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gaia_offsets.sky.covariance import angular_covariance
from gaia_offsets.sky.positions import to_galactic

Survey = Mapping[str, Any]

FIELD_STREAM, PLATE_STREAM, STAR_STREAM, WINDOW_STREAM = 0, 1, 2, 3  # of random numbers, after the seed
MAP_NSIDE = 128  # 0.46 deg, half the small scale of the field
TRUTH_NSIDE = 32  # the paper's pixels (Fig. 6)
PLANE_WIDTH_DEG = 10.0  # of the part that belongs to the Galactic plane


def covariance(angle_deg: np.ndarray, offset: Survey) -> np.ndarray:
    """Covariance [uas2] of the residual field at angular distances in degrees, after the `pattern` of the offset.

    The variances of the two scales are added up where a pattern has one scale only; `angular_covariance` has its own.
    """
    angle = np.asarray(angle_deg, dtype=float)
    large, small = offset["large_scale_uas2"], offset["small_scale_uas2"]
    pattern, scale = offset.get("pattern", "two_scales"), offset["large_scale_deg"]
    if pattern == "maiz_apellaniz2021":
        return angular_covariance(angle)
    if pattern == "steep":
        return (large + small) * np.exp(-0.5 * (angle / scale) ** 2)
    return large * np.exp(-angle / scale) + small * np.exp(-angle / offset["small_scale_deg"])


def angular_power(offset: Survey, degree: int) -> np.ndarray:
    """Power spectrum C_l [uas2], l = 0..degree, of that covariance: 2 pi times the integral of C P_l dcos(theta)."""
    nodes, weights = np.polynomial.legendre.leggauss(32)
    panels = 4 + degree // 6  # at most six waves of P_l in each
    s = (np.arange(panels)[:, None] + 0.5 * (nodes + 1.0)).ravel() / panels
    # theta = pi s^2 puts most nodes at small angles, where the covariance falls from its cusp.
    theta = np.pi * s**2
    weighted = np.tile(weights / panels, panels) * np.pi * s * np.sin(theta) * covariance(np.degrees(theta), offset)
    x, before, now = np.cos(theta), np.zeros_like(theta), np.ones_like(theta)
    power = np.empty(degree + 1)
    for order in range(degree + 1):
        power[order] = 2.0 * np.pi * np.sum(weighted * now)
        before, now = now, ((2 * order + 1) * x * now - order * before) / (order + 1)
    return np.maximum(power, 0.0)


def residual_field(offset: Survey, seed: int, nside: int = MAP_NSIDE) -> np.ndarray:
    """Gaussian random field [uas] with `covariance` on the nested HEALPix pixels, equatorial, (12 nside^2,).

    What the harmonics up to 3 nside - 1 leave out of the variance is added as independent noise of the pixels. The
    pattern `white` has one independent number in each pixel of TRUTH_NSIDE, `none` has none.
    """
    import healpy as hp

    rng = np.random.default_rng([seed, FIELD_STREAM])
    pattern = offset.get("pattern", "two_scales")
    if pattern in ("white", "none"):
        variance = offset["large_scale_uas2"] + offset["small_scale_uas2"] if pattern == "white" else 0.0
        return np.sqrt(variance) * np.repeat(rng.standard_normal(12 * TRUTH_NSIDE**2), (nside // TRUTH_NSIDE) ** 2)
    degree = 3 * nside - 1
    power = angular_power(offset, degree)
    order, m = hp.Alm.getlm(degree)
    real, imaginary = rng.standard_normal((2, len(order)))
    alm = np.sqrt(power[order]) * np.where(m == 0, real, (real + 1j * imaginary) / np.sqrt(2.0))
    field = hp.reorder(hp.alm2map(alm, nside, lmax=degree), r2n=True)
    missing = covariance(0.0, offset) - np.sum((2 * np.arange(degree + 1) + 1) * power) / (4.0 * np.pi)
    return field + np.sqrt(max(missing, 0.0)) * rng.standard_normal(len(field))


def position_offsets(offset: Survey, seed: int, nside: int = MAP_NSIDE) -> np.ndarray:
    """Residual offset [uas] by position: field, global part and Galactic plane; nested, equatorial, (12 nside^2,)."""
    import healpy as hp

    centres = hp.pix2ang(nside, np.arange(12 * nside**2), nest=True, lonlat=True)
    _, b = to_galactic(*centres)
    plane = offset["plane_uas"] * np.exp(-0.5 * (b / PLANE_WIDTH_DEG) ** 2)
    return residual_field(offset, seed, nside) + offset["global_uas"] + plane
