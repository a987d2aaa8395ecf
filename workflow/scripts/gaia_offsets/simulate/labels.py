"""Effective temperature and log g of simulated stars, and the errors with which a spectrum tells them.

Two models, `labels` of a survey: `straight_lines` in the M_Ks of a star, whose log g knows nothing of its mass, and
`physical`, where M_Ks follows from Teff, log g and the mass, which no spectrum tells. Constants without a source are
our choice.
"""

from __future__ import annotations

import numpy as np

SUN_TEFF, SUN_LOGG, SUN_MBOL, SUN_MKS = 5772.0, 4.438, 4.74, 3.28  # IAU 2015; M_Ks: Willmer 2018
TEFF_RANGE = (3600.0, 7500.0)  # K

# M_bol - M_Ks = -6.75 log10(Teff / 9500 K): the form of Buzzoni et al. 2010, MNRAS 403, 1592, for red giants; its
# numbers are not checked against the paper. It gives 1.46 for the Sun, as the values above do, so dwarfs take it too.
BC_SLOPE, BC_TEFF = -6.75, 9500.0

# Giants. Masses of field giants: median 1.2, 20 % scatter. The branch at the M_Ks of the clump, its slopes, and the red
# clump, which is hotter: about as in models of stellar evolution.
CLUMP_MKS, GIANT_FEH = -1.61, -0.2  # Hawkins et al. 2017; mean of the survey
GIANT_MASS, MASS_SCATTER = 1.2, 0.2  # solar masses; of ln(mass)
BRANCH_TEFF, TEFF_PER_MAG, TEFF_PER_LN_MASS, TEFF_PER_DEX = 4650.0, 140.0, 200.0, -250.0
CLUMP_TEFF, TEFF_SCATTER = 4850.0, 40.0  # K; at the same M_Ks, mass and [Fe/H]: mixing, helium, binaries
DWARF_LOG_MASS_PER_MAG = -0.1  # 0.75 solar masses at 4.5 (K4 V), 1.4 at 1.8 (F0 V)

# One standard deviation at SNR 50 of Teff [K], log g and [Fe/H] [dex]. Errors go as 1 / SNR down to this share of them.
SNR_GOOD = 50.0
ERRORS = {
    "straight_lines": {"teff": 60.0, "logg": 0.12, "feh": 0.08},
    "physical": {"teff": 80.0, "logg": 0.12, "feh": 0.08},
}
FLOOR = {"straight_lines": 1.0, "physical": 0.8}


def bolometric_magnitude(mks: np.ndarray, teff: np.ndarray) -> np.ndarray:
    """M_bol [mag] from M_Ks [mag] and the effective temperature [K]."""
    return mks + BC_SLOPE * np.log10(teff / BC_TEFF)


def surface_gravity(mks: np.ndarray, teff: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """log g [cgs] by Stefan and Boltzmann: M_Ks in mag, the effective temperature in K, the mass in solar masses."""
    log_luminosity = 0.4 * (SUN_MBOL - bolometric_magnitude(mks, teff))
    return SUN_LOGG + np.log10(mass) + 4.0 * np.log10(teff / SUN_TEFF) - log_luminosity


def true_labels(
    kind: str, rng: np.random.Generator, *, mks: np.ndarray, feh: np.ndarray, giant: np.ndarray, clump: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Effective temperature [K] and log g [cgs] of dwarfs, `giant` and among these red `clump` stars."""
    dwarf_teff = SUN_TEFF - 900.0 * (mks - SUN_MKS)
    if kind == "straight_lines":
        # Through the red clump (2.45, 4800 K at -1.61), the foot of the branch and the Sun (M_Ks = 3.28).
        logg = np.where(giant, 2.45 + 0.36 * (mks + 1.61), 4.44 + 0.12 * (mks - 3.28))
        teff = np.where(giant, 4800.0 + 430.0 * (logg - 2.45) - 200.0 * (feh + 0.2), dwarf_teff)
        return np.clip(teff + rng.normal(0.0, 60.0, len(mks)), *TEFF_RANGE), logg
    ln_ratio = MASS_SCATTER * rng.standard_normal(len(mks))
    mass = np.where(giant, GIANT_MASS * np.exp(ln_ratio), 10.0 ** (DWARF_LOG_MASS_PER_MAG * (mks - SUN_MKS)))
    branch_teff = BRANCH_TEFF + TEFF_PER_MAG * (mks - CLUMP_MKS) + TEFF_PER_LN_MASS * ln_ratio
    giant_teff = np.where(clump, CLUMP_TEFF, branch_teff) + TEFF_PER_DEX * (feh - GIANT_FEH)
    teff = np.where(giant, giant_teff, dwarf_teff) + TEFF_SCATTER * rng.standard_normal(len(mks))
    teff = np.clip(teff, *TEFF_RANGE)
    return teff, surface_gravity(mks, teff, mass)


def label_errors(kind: str, snr: np.ndarray) -> dict[str, np.ndarray]:
    """Standard errors of teff [K], logg and feh [dex] of spectra of that SNR."""
    growth = np.maximum(FLOOR[kind], SNR_GOOD / snr)
    return {name: error * growth for name, error in ERRORS[kind].items()}
