"""Pixels and frames against known values."""

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from unit.shared import refuses

from gaia_offsets.sky import positions as sky
from gaia_offsets.sky.positions import FINEST_NSIDE, complete_angles, ecliptic_latitude, finest_nside, pixel_index


@pytest.mark.parametrize(("ordering", "poles"), [("ring", [0, 12 * 32**2 - 4]), ("nested", [1023, 8192])])
def test_poles_and_centres_lie_in_their_pixels(ordering, poles):
    grid = {"nside": 32, "ordering": ordering}
    assert pixel_index([0.0, 0.0], [90.0, -90.0], **grid).tolist() == poles
    index = np.arange(12 * 32**2)
    assert (pixel_index(*sky.pixel_centre(index, **grid), **grid) == index).all()
    # Barnard's star and 61 Cyg A (Gaia EDR3): a source_id holds the nested pixel.
    ids, ra, dec = np.array([4472832130942575872, 1872046609345556480]), [269.448503, 316.748480], [4.739420, 38.763862]
    assert (pixel_index(ra, dec, nside=32, ordering="nested") == ids >> 49).all()


@pytest.mark.parametrize("nside", [1, 4, 32, FINEST_NSIDE])
def test_the_finest_nside_is_the_one_whose_pixels_are_full(nside):
    # Eleven stars at the centre of each pixel: full at this nside, and as full in the one finer pixel that holds them.
    centre = sky.pixel_centre(np.arange(min(12 * nside**2, 3000)), nside=nside, ordering="nested")
    apart = centre[0][:, None] + np.linspace(-0.3, 0.3, 11) * 58.6 / nside, np.repeat(centre[1][:, None], 11, axis=1)
    ra, dec = (angle.ravel() for angle in apart)
    expected = finest_nside(ra % 360, dec, more_than=10)
    counts = {n: np.bincount(pixel_index(ra % 360, dec, nside=n, ordering="nested")) for n in (expected, 2 * expected)}
    full = {n: c[c > 10].sum() / len(ra) for n, c in counts.items()}
    same, half = np.full(100, 10.0), np.concatenate([np.full(50, 10.0), np.linspace(0, 359, 50)])
    none = np.zeros(0)  # no pixel is full
    assert finest_nside(same, same, more_than=99) == finest_nside(half, same, more_than=49) == FINEST_NSIDE
    assert finest_nside(same, same, more_than=100) == finest_nside(none, none, more_than=1) == 1
    assert full[expected] >= 0.5 and (expected == FINEST_NSIDE or full[2 * expected] < 0.5)


def test_galactic_and_ecliptic_poles():
    assert sky.to_galactic([192.85948], [27.12825])[1] == pytest.approx([90.0], abs=1e-4)
    ra, dec = sky.to_equatorial(*sky.to_galactic([10.0, 359.0], [-80.0, 3.0]))
    assert ra == pytest.approx([10.0, 359.0]) and dec == pytest.approx([-80.0, 3.0])
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 500), np.degrees(np.arcsin(rng.uniform(-1, 1, 500)))
    expected = SkyCoord(ra, dec, unit="deg").barycentricmeanecliptic.lat.deg
    assert ecliptic_latitude(ra, dec) == pytest.approx(expected, abs=2e-5)
    assert ecliptic_latitude([270.0, 90.0], [66.5607, -66.5607]) == pytest.approx([90.0, -90.0], abs=1e-3)


def test_angles_are_derived_where_absent_or_null_and_stay_where_given():
    full = complete_angles(pd.DataFrame({"ra": [10.0, 200.0], "dec": [5.0, -40.0]}))
    holes = full.assign(l=[np.nan, full["l"][1]], ecl_lat=[full["ecl_lat"][0], np.nan])
    for part in (full[["l", "b"]], holes):
        assert complete_angles(part)[full.columns].to_numpy() == pytest.approx(full.to_numpy())
    given = pd.DataFrame({"ra": [10.0], "dec": [5.0], "l": [1.0], "b": [2.0], "ecl_lat": [3.0]})
    assert complete_angles(given).equals(given)
    refuses("neither ra, dec nor l, b", complete_angles, pd.DataFrame({"ra": [10.0]}))
