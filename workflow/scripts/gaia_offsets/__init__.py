"""Zero point of Gaia parallaxes, measured against reference parallaxes and mapped (Wang, Yuan & Huang 2022)."""
