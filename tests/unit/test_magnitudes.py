"""Fig. 1 in numbers worked out by hand: signs of extinction and distance, edges of bins, giants and dwarfs."""

import pandas as pd
import pytest

from gaia_offsets.comparison import magnitude_differences, magnitude_histogram

REFERENCE = {
    "absolute_magnitude": "mks",
    "apparent_magnitude": "ks_m",
    "extinction": {"column": "ebv", "coefficient": 0.3},
}
STARS = pd.DataFrame(
    {
        "r_med_geo": [1000.0, 100.0, 100.0],  # distance moduli 10, 5, 5
        "ks_m": [10.0, 9.5, 9.5],
        "ebv": [0.1, 0.2, 0.2],  # extinctions 0.03, 0.06, 0.06: M of -0.03, 4.44, 4.44
        "mks": [-0.05, 4.5, 4.5],
        "logg": [3.8, 3.81, 4.5],
        "parallax": [1.0, 10.0, 10.0],
    }
)


def test_magnitudes_of_three_stars_and_their_bins():
    table = magnitude_differences(STARS, REFERENCE, max_logg=3.8)
    assert table["kind"].tolist() == ["giant", "dwarf", "dwarf"]
    assert table["difference"].to_numpy() == pytest.approx([0.02, -0.06, -0.06])
    bins = magnitude_histogram(table)
    filled = bins[bins["count"] > 0]
    assert filled[["kind", "count"]].to_numpy().tolist() == [["dwarf", 2], ["giant", 1]]
    assert filled["bin_low"].to_numpy() == pytest.approx([-0.07, 0.01])
    assert filled["bin_high"].to_numpy() == pytest.approx([-0.05, 0.03])
    assert bins["bin_low"].min() == pytest.approx(-1.01) and bins["bin_high"].max() == pytest.approx(1.01)
