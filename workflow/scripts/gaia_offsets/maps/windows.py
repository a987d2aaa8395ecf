"""The smooth map: kriging of the pixels with stars in windows, farther out by coarser cells (docs/method.md).

A window is a nested pixel WINDOW levels above the map's. Its pixels are predicted from all pixels with stars in it and
in its neighbours, and from the means of ever coarser cells of the rest of the sky. Time grows as the number of pixels,
memory is that of one window and of the means. Offsets are in uas, pixels nested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from gaia_offsets.maps.kernel import SAME, Kernel, centres, log_distances
from gaia_offsets.maps.nodes import Nodes
from gaia_offsets.sky.healpix import hp

WINDOW = 3


def cell_means(nodes: Nodes) -> list[np.ndarray]:
    """For each level, down to the map's, a row a cell: unit vector, variance, share of the white part, offset, terms.

    A cell has the weighted means of its nodes and stands at their weighted centre; null where it has none.
    """
    weight = 1.0 / nodes.variance
    values = [centres(nodes.pixels, nodes.level), np.ones(len(weight)), weight, nodes.offset, nodes.terms]
    rows = np.column_stack(values) * weight[:, None]
    sums = np.zeros((12 * 4**nodes.level, rows.shape[1]))
    sums[nodes.pixels] = rows
    levels = []
    while True:
        with np.errstate(invalid="ignore", divide="ignore"):
            rows = sums / sums[:, 3:4]
            rows[:, :3] /= np.linalg.norm(rows[:, :3], axis=1, keepdims=True)
            rows[:, 3:5] = np.column_stack([np.ones(len(rows)), rows[:, 4]]) / sums[:, 3:4]
        levels.insert(0, rows)
        if len(sums) == 12:
            return levels
        sums = sums.reshape(-1, 4, sums.shape[1]).sum(axis=1)


def around(cell: int, level: int) -> np.ndarray:
    """The cell and those that touch it."""
    touching = hp.get_all_neighbours(2**level, cell, nest=True)
    return np.union1d(touching[touching >= 0], cell)


def parts(cells: np.ndarray, levels: int) -> np.ndarray:
    """The cells that many levels below that make up the cells."""
    return (cells[:, None] * 4**levels + np.arange(4**levels)).ravel()


def window(cell: int, level: int, finest: int) -> Iterator[tuple[int, np.ndarray]]:
    """Level and cells, the whole sky once: pixels in and around the cell, then rings of ever coarser cells.

    A ring is what touches the cell one level up but not the cell; its cells are half as wide as the cell.
    """
    near = around(cell, level)
    yield finest, parts(near, finest - level)
    for above in range(level, -1, -1):
        wider = parts(around(cell >> 2, above - 1), 1) if above else np.arange(12)
        finer = min(1, finest - above)
        yield above + finer, parts(np.setdiff1d(wider, near), finer)
        cell = cell >> 2
        near = around(cell, above - 1) if above else near


def predict(nodes: Nodes, kernel: Kernel, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and variance (M,) of the pixels `wanted`, ascending, the white part included."""
    from scipy.linalg import cholesky, solve_triangular

    cells, top = cell_means(nodes), max(nodes.level - WINDOW, 0)
    offset, variance = np.empty((2, len(wanted)))
    numbers, starts = np.unique(wanted >> 2 * (nodes.level - top), return_index=True)
    for number, start, stop in zip(numbers, starts, [*starts[1:], len(wanted)], strict=True):
        rows = np.concatenate([cells[level][some] for level, some in window(number, top, nodes.level)])
        rows = rows[np.isfinite(rows[:, 3])]
        at, values = rows[:, :3], rows[:, 5:]
        covariance = kernel.field(log_distances(at, at))
        covariance[np.diag_indices(len(at))] = kernel.amplitude + rows[:, 3] + kernel.white * rows[:, 4]
        distance = log_distances(at, centres(wanted[start:stop], nodes.level))
        cross = kernel.field(distance) + kernel.white * (distance < SAME)
        factor = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        sides = np.column_stack([np.ones(len(at)), values, cross])
        sides = solve_triangular(factor, sides, lower=True, overwrite_b=True, check_finite=False)
        one, values, cross = np.split(sides, [1, 1 + values.shape[1]], axis=1)
        # Offset and terms alike: an error of the curves' coefficients goes into the offset by the predicted terms.
        mean = one.T @ values / (one.T @ one)
        left = 1.0 - one.T @ cross  # of the constant, which is not known either
        values = mean + cross.T @ (values - one * mean)
        offset[start:stop] = values[:, 0]
        variance[start:stop] = kernel.amplitude + kernel.white - np.einsum("ij,ij->j", cross, cross)
        variance[start:stop] += left[0] ** 2 / np.vdot(one, one)
        variance[start:stop] += np.einsum("ij,jk,ik->i", values[:, 1:], nodes.covariance, values[:, 1:])
    return offset, np.maximum(variance, 0.0)


def smooth_map(
    nodes: Nodes, kernels: Iterable[tuple[Kernel, float]], *, reach_deg: float, wanted: np.ndarray | None = None
) -> pd.DataFrame:
    """hindex (nested), offset, error [uas] and n of the nodes and of the pixels, or those `wanted`, within reach.

    `kernels` have their weights; offset and error are the mean and the sd of the mixture.
    """
    from scipy.spatial import cKDTree

    everywhere = np.arange(12 * 4**nodes.level)
    pixels = everywhere if wanted is None else np.union1d(nodes.pixels, wanted)
    chord = 2.0 * np.sin(np.radians(min(reach_deg, 180.0)) / 2.0) + 1e-12
    distance, _ = cKDTree(centres(nodes.pixels, nodes.level)).query(centres(pixels, nodes.level))
    pixels = pixels[distance <= chord]
    offset, square = np.zeros((2, len(pixels)))
    for kernel, weight in kernels:
        mean, variance = predict(nodes, kernel, pixels)
        offset += weight * mean
        square += weight * (variance + mean**2)
    n = pd.Series(nodes.n, nodes.pixels).reindex(pixels, fill_value=0).to_numpy()
    error = np.sqrt(np.maximum(square - offset**2, 0.0))
    return pd.DataFrame({"hindex": pixels, "offset": offset, "error": error, "n": n})
