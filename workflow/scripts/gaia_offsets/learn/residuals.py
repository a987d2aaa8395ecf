"""Learned magnitudes against Gaia, and against known magnitudes, of stars that the model has not seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.learn import learned
from gaia_offsets.offsets.groups import MAD_TO_SIGMA
from gaia_offsets.offsets.weighted import hampel_weights

BINS = 20  # of the residuals, with as many stars each


def unseen_residuals(
    stars: learned.Stars, zero_point: np.ndarray, extra: float, predicted: pd.DataFrame
) -> pd.DataFrame:
    """Input of `residual_table`: training stars, each with the zero point [mas] (N,) and the prediction of its fold.

    `extra` [mas] is the scatter of all of them beside Gaia's errors.
    """
    reference, fraction = predicted["parallax"].to_numpy(), predicted["fraction"].to_numpy()
    gaia_variance = stars.gaia_error**2 + extra**2
    variance = {"variance": gaia_variance + (fraction * reference) ** 2, "gaia_variance": gaia_variance}
    residual = stars.gaia - zero_point - reference
    return pd.DataFrame({"residual": residual, **variance, "reference": reference, "fraction": fraction})


def residual_table(variables: Mapping[str, np.ndarray], fitted: pd.DataFrame) -> pd.DataFrame:
    """Residuals [mag] in bins of each variable, each with as many stars: mean, its error, scatter, that of the model.

    `fitted` has `residual`, `variance`, `gaia_variance`, `reference` [mas] and `fraction` of stars that the model
    has not seen. A residual of +0.1 mag: the star is 0.1 mag fainter than the model says.
    """
    return pd.concat([_bins(name, values, fitted) for name, values in variables.items()], ignore_index=True)


def _bins(name: str, values: np.ndarray, fitted: pd.DataFrame) -> pd.DataFrame:
    stars = fitted.assign(x=values)[np.isfinite(values)]
    robust = hampel_weights(stars["residual"] / np.sqrt(stars["variance"]), learned.HAMPEL)
    weight = robust / stars["variance"]
    sure = robust * (stars["reference"] ** 2 / stars["variance"]) ** 2
    parts = {
        "x_mean": stars["x"],
        "top": weight * stars["residual"] * stars["reference"],
        "bottom": weight * stars["reference"] ** 2,
        "square": sure * (stars["residual"] ** 2 - stars["gaia_variance"]) / stars["reference"] ** 2,
        "said": sure * stars["fraction"] ** 2,
        "sure": sure,
    }
    edges = np.unique(np.quantile(stars["x"], np.linspace(0.0, 1.0, BINS + 1))) if len(stars) else np.zeros(0)
    if len(edges) < 2:
        return pd.DataFrame()
    place = np.clip(np.searchsorted(edges, stars["x"], side="right") - 1, 0, len(edges) - 2)
    sums = pd.DataFrame(parts).groupby(place).sum()
    count = pd.Series(place).groupby(place).size()
    return pd.DataFrame(
        {
            "variable": name,
            "bin_low": edges[sums.index],
            "bin_high": edges[sums.index + 1],
            "x_mean": sums["x_mean"] / count,
            "n": count,
            "mean": learned.MAG * sums["top"] / sums["bottom"],
            "mean_error": learned.MAG / np.sqrt(sums["bottom"]),
            "scatter": learned.MAG * np.sqrt(np.maximum(sums["square"], 0.0) / sums["sure"]),
            "predicted_scatter": learned.MAG * np.sqrt(sums["said"] / sums["sure"]),
        }
    )


def against_known(learned_magnitude: np.ndarray, known: np.ndarray) -> dict[str, Any]:
    """Learned minus known magnitudes [mag], which the training has not seen: number, mean, sd and robust ones."""
    difference = (learned_magnitude - known)[np.isfinite(learned_magnitude + known)]
    if len(difference) < 2:
        return {"n": len(difference)}
    sd, median = float(difference.std(ddof=1)), float(np.median(difference))
    mad = float(MAD_TO_SIGMA * np.median(np.abs(difference - median)))
    error = sd / np.sqrt(len(difference))
    return {"n": len(difference), "mean": float(difference.mean()), "mean_error": error, "sd": sd} | {
        "median": median,
        "robust_sd": mad,
    }
