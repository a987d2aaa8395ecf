"""Giants of a Galaxy, kept by a window in apparent magnitude: a survey that selects as LAMOST does.

Thin and thick disc and halo after Bland-Hawthorn & Gerhard 2016, ARA&A 54, 529; the window is our choice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SUN_KPC = 8.2  # from the Galactic centre
DISCS = ((1.0, 2.6, 0.3), (0.1, 2.0, 0.9))  # local share, radial scale, vertical scale [kpc]: thin, thick
HALO_SHARE, HALO_SLOPE, HALO_FLATTENING, HALO_CORE_KPC = 0.005, -2.7, 0.7, 1.0
MODULI = np.arange(5.0, 20.0, 0.05)  # mag; 0.1 to 100 kpc


def place(modulus: np.ndarray, longitude: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the Galactic axis and height [kpc] of a true distance modulus [mag] towards l, b [deg]."""
    distance = 10.0 ** (0.2 * modulus - 2.0)
    across, height = distance * np.cos(np.radians(b)), distance * np.sin(np.radians(b))
    return np.sqrt(SUN_KPC**2 + across**2 - 2.0 * SUN_KPC * across * np.cos(np.radians(longitude))), height


def line_of_sight(longitude: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Stars per mag of distance modulus in a cone, at MODULI, to a factor: (directions, moduli)."""
    radius, height = place(MODULI, longitude[:, None], b[:, None])
    density = sum(share * np.exp(-(radius - SUN_KPC) / scale - np.abs(height) / up) for share, scale, up in DISCS)
    halo = np.sqrt(radius**2 + (height / HALO_FLATTENING) ** 2 + HALO_CORE_KPC**2) / SUN_KPC
    return (density + HALO_SHARE * halo**HALO_SLOPE) * 10.0 ** (0.6 * MODULI)


def draw_moduli(rng: np.random.Generator, lines: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """True distance moduli [mag] (N,), each after the `lines` (what line_of_sight gives) of its direction."""
    running = np.cumsum(lines, axis=1)
    running = running / running[:, -1:] + np.arange(len(lines))[:, None]  # one rising row for all directions
    index = np.searchsorted(running.ravel(), direction + rng.random(len(direction))) % len(MODULI)
    return MODULI[index] + (MODULI[1] - MODULI[0]) * (rng.random(len(direction)) - 0.5)


def chance(g: np.ndarray, window: Mapping[str, float], shift: np.ndarray) -> np.ndarray:
    """Chance (N,) of a spectrum at magnitude G: from `bright` to `faint`, soft by `edge`, moved by `shift` [mag]."""
    g, edge = g - shift, window["edge"]
    return 1.0 / (1.0 + np.exp((window["bright"] - g) / edge)) / (1.0 + np.exp((g - window["faint"]) / edge))
