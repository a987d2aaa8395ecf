"""Offsets of the whole sample, in bins and in pixels (Sect. 3): one family of estimators, three groupings."""


rule measure_global:
    """Global offsets of each solution and parallax, and the histograms of Fig. 4 [uas]."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
    output:
        offsets="<results>/{sample}/tables/global_offsets.csv",
        histograms="<results>/{sample}/tables/histograms.csv",
    log:
        "<logs>/measure_global/{sample}.log",
    benchmark:
        "<benchmarks>/measure_global/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        gaussian=lookup("measure/gaussian", within=config),
        width=lookup("measure/histogram_width_uas", within=config),
        code=digest("measure_global.py"),
    script:
        "../scripts/measure_global.py"


rule measure_trends:
    """Offsets in bins of G, colour and ecliptic latitude [uas] (Fig. 5)."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
    output:
        trends="<results>/{sample}/tables/trends.csv",
    log:
        "<logs>/measure_trends/{sample}.log",
    benchmark:
        "<benchmarks>/measure_trends/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        gaussian=lookup("measure/gaussian", within=config),
        trends=lookup("measure/trends", within=config),
        code=digest("measure_trends.py"),
    script:
        "../scripts/measure_trends.py"


rule measure_map:
    """Offsets in the HEALPix pixels of one frame [uas] (Fig. 6, Table 1)."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
    output:
        offsets="<results>/{sample}/tables/map_{frame}.csv",
    log:
        "<logs>/measure_map/{sample}.{frame}.log",
    benchmark:
        "<benchmarks>/measure_map/{sample}.{frame}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        gaussian=lookup("measure/gaussian", within=config),
        nside=lookup("measure/map/nside", within=config),
        ordering=lookup("measure/map/ordering", within=config),
        code=digest("measure_map.py"),
    script:
        "../scripts/measure_map.py"
