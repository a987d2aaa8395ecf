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
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        width=lookup("samples/{sample}/measure/histogram_width_uas", within=config),
        code=digest("measure_global.py"),
    script:
        "../scripts/measure_global.py"


rule measure_trends:
    """Offsets in bins of G, colour and ecliptic latitude [uas] (Fig. 5)."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
    output:
        trends="<results>/{sample}/tables/trends.csv",
        settings="<results>/{sample}/tables/trends.json",
    log:
        "<logs>/measure_trends/{sample}.log",
    benchmark:
        "<benchmarks>/measure_trends/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        trends=lookup("samples/{sample}/measure/trends", within=config),
        code=digest("measure_trends.py"),
    script:
        "../scripts/measure_trends.py"


rule measure_map:
    """Offsets in the HEALPix pixels of one frame [uas] (Fig. 6, Table 1)."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
    output:
        offsets="<results>/{sample}/tables/map_{frame}.csv",
        settings="<results>/{sample}/tables/map_{frame}.json",
    log:
        "<logs>/measure_map/{sample}.{frame}.log",
    benchmark:
        "<benchmarks>/measure_map/{sample}.{frame}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 12),
        runtime=by_input(5, 0.1),
    params:
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        map=lookup("samples/{sample}/measure/map", within=config),
        code=digest("measure_map.py"),
    script:
        "../scripts/measure_map.py"
