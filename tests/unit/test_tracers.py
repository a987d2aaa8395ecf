"""Stars drawn from a large sample, pixels in pieces: what keeps a sample of tens of millions of stars in memory."""

import numpy as np
import pandas as pd
import pytest

from gaia_offsets.maps import nodes
from gaia_offsets.offsets import stars as star_errors
from gaia_offsets.offsets.groups import group_stars
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.stars import drawn_stars
from gaia_offsets.offsets.weighted import weighted_means
from gaia_offsets.sky.positions import complete_angles


def test_stars_are_drawn_evenly(monkeypatch):
    table = pd.DataFrame({"x": np.arange(3000), "solution": np.where(np.arange(3000) % 6, "5p", "6p")})
    five, six = (table[table["solution"] == name]["x"].tolist() for name in ("5p", "6p"))
    for limit, steps in ((2500, (1, 1)), (2499, (2, 1)), (300, (16, 2)), (1, (4096, 512))):
        monkeypatch.setattr(star_errors, "DRAWN", limit)
        assert drawn_stars(table)["x"].tolist() == sorted(five[:: steps[0]] + six[:: steps[1]])
    assert len(drawn_stars(table[:0])) == 0


def test_a_group_among_others_has_its_own_numbers():
    rng = np.random.default_rng(6)
    group = np.repeat([3, 4, 9, 70_000], [5, 4000, 300, 900])[rng.permutation(5205)]
    values, variance = rng.standard_t(3, 5205), rng.uniform(0.5, 2.0, 5205)
    values[:3], variance[3:5] = np.nan, [0.0, np.nan]
    together = group_stars(values, group)
    sigmas, means = together.robust_sigmas(together.medians()), weighted_means(values, variance, group)
    for label, sigma, mean in zip(together.labels, sigmas, means[1], strict=True):
        here = group == label
        some = values[here & np.isfinite(values)]
        assert sigma == pytest.approx(1.482602218505602 * np.median(np.abs(some - np.median(some))), rel=1e-14)
        alone = weighted_means(values[here], variance[here], np.zeros(here.sum(), dtype=int))
        assert mean == pytest.approx(alone[1][0], rel=1e-12)
    part = together.restrict(np.array([False, True, False, True]))
    assert part.labels.tolist() == [4, 70_000] and part.starts.tolist() == [0, part.counts[0]]
    assert (np.sort(values[part.rows]) == np.sort(part.values)).all() and set(group[part.rows]) == {4, 70_000}
    assert part.medians() == pytest.approx(together.medians()[[1, 3]])


def test_sums_of_the_smooth_map_do_not_hang_on_the_slices(monkeypatch):
    rng = np.random.default_rng(5)
    n = 3000
    reference, error = rng.uniform(0.3, 2.0, n), rng.uniform(0.01, 0.04, n)
    table = pd.DataFrame({"ra": rng.uniform(0, 360, n), "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, n)))})
    table = table.assign(phot_g_mean_mag=rng.uniform(10, 16, n), colour=rng.uniform(1.2, 1.7, n), parallax_error=error)
    table = table.assign(parallax=reference + rng.normal(-0.03, error), reference_parallax=reference)
    table = table.assign(reference_parallax_error=0.05 * reference, parallax_corrected=table["parallax"] + 0.03)
    table = complete_angles(table)
    rows = [("5p", parallax, 1.1, 12.0, -20.0) for parallax in ("raw", "corrected")]
    scatter = Scatter("distance", pd.DataFrame(rows, columns=["solution", "parallax", "factor", "extra", "centre"]))
    curves = nodes.curves_of(table, 4, nodes.nested_pixels(table, 4)["equatorial"])
    assert curves
    found = []
    for size in (nodes.AT_ONCE, 700):
        monkeypatch.setattr(nodes, "AT_ONCE", size)
        found.append(nodes.sums_of_stars(table, "5p", scatter, curves, 4)["corrected"]["galactic"].nodes())
    assert (found[0].n == found[1].n).all() and found[0].n.sum() > 0.9 * n
    assert found[1].offset == pytest.approx(found[0].offset, rel=1e-9, abs=1e-9)
