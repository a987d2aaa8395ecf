"""Simulated surveys: the same kinds of files as the archives give, with a known truth."""


rule simulate:
    """A survey of simulated stars from the model of `surveys` in the config: spectra, Gaia, 2MASS, and the truth [mas, uas]."""
    output:
        targets="<resources>/simulated/{survey}/targets.fits",
        gaia_source="<resources>/simulated/{survey}/gaia_source.parquet",
        tmass="<resources>/simulated/{survey}/tmass.parquet",
        distances="<resources>/simulated/{survey}/distances.parquet",
        red_clump="<resources>/simulated/{survey}/red_clump.fits",
        truth="<resources>/simulated/{survey}/truth.parquet",
        truth_map="<resources>/simulated/{survey}/truth_map.fits",
    log:
        "<logs>/simulate/{survey}.log",
    benchmark:
        "<benchmarks>/simulate/{survey}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        survey=lookup("surveys/{survey}", within=config),
        code=digest("simulate.py"),
    script:
        "../scripts/simulate.py"
