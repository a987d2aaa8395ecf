"""Offsets of the whole sample, in bins and in pixels (Sect. 3): one family of estimators, three groupings."""


rule measure_global:
    """Scatter beyond the errors, global offsets of each class and parallax, histograms of Fig. 4 [uas]; zero point and distance scale."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
    output:
        scatter="<results>/{sample}/tables/scatter.csv",
        offsets="<results>/{sample}/tables/global_offsets.csv",
        histograms="<results>/{sample}/tables/histograms.csv",
        scale="<results>/{sample}/tables/zero_point_scale.csv",
    log:
        "<logs>/measure_global/{sample}.log",
    benchmark:
        "<benchmarks>/measure_global/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(800, 4),
    params:
        reference=lookup("samples/{sample}/reference/kind", within=config),
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        width=lookup("samples/{sample}/measure/histogram_width_uas", within=config),
        solutions=of("solutions"),
        code=digest("measure_global.py"),
    script:
        "../scripts/measure_global.py"


rule measure_trends:
    """Offsets in bins of G, colour and ecliptic latitude [uas] (Fig. 5)."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
        scatter="<results>/{sample}/tables/scatter.csv",
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
        mem_mb=by_input(800, 4),
    params:
        reference=lookup("samples/{sample}/reference/kind", within=config),
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        trends=lookup("samples/{sample}/measure/trends", within=config),
        solutions=of("solutions"),
        code=digest("measure_trends.py"),
    script:
        "../scripts/measure_trends.py"


rule measure_map:
    """Offsets in the HEALPix pixels of both frames [uas] (Fig. 6, Table 1), also of the sample's further corrections."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
        scatter="<results>/{sample}/tables/scatter.csv",
    output:
        offsets=collect("<results>/{{sample}}/tables/map_{frame}.csv", frame=FRAMES),
        settings=collect("<results>/{{sample}}/tables/map_{frame}.json", frame=FRAMES),
    log:
        "<logs>/measure_map/{sample}.log",
    benchmark:
        "<benchmarks>/measure_map/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(800, 4),
    params:
        reference=lookup("samples/{sample}/reference/kind", within=config),
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        map=lookup("samples/{sample}/measure/map", within=config),
        corrections=of("compared_corrections"),
        solutions=of("solutions"),
        code=digest("measure_map.py"),
    script:
        "../scripts/measure_map.py"


rule compare_corrections:
    """Each correction of the sample side by side: offset, distance scale, what it leaves in G, colour, latitude and on the sky [uas]."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
        scatter="<results>/{sample}/tables/scatter.csv",
        trends="<results>/{sample}/tables/trends.csv",
        settings="<results>/{sample}/tables/map_equatorial.json",
    output:
        corrections="<results>/{sample}/tables/corrections.csv",
    log:
        "<logs>/compare_corrections/{sample}.log",
    benchmark:
        "<benchmarks>/compare_corrections/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        reference=lookup("samples/{sample}/reference/kind", within=config),
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        corrections=of("compared_corrections"),
        solutions=of("solutions"),
        code=digest("compare_corrections.py"),
    script:
        "../scripts/compare_corrections.py"


rule smooth_map:
    """The smooth map of both frames [uas]: kriging of the pixels with stars, with its errors."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
        scatter="<results>/{sample}/tables/scatter.csv",
        settings="<results>/{sample}/tables/map_equatorial.json",
    output:
        equatorial="<results>/{sample}/tables/smooth_equatorial{grid}.csv",
        galactic="<results>/{sample}/tables/smooth_galactic{grid}.csv",
        dependence="<results>/{sample}/tables/smooth_dependence{grid}.csv",
        settings="<results>/{sample}/tables/smooth{grid}.json",
    log:
        "<logs>/smooth_map/{sample}{grid}.log",
    benchmark:
        "<benchmarks>/smooth_map/{sample}{grid}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(1000, 4),
        runtime=by_input(10, 0.5),
    params:
        reference=lookup("samples/{sample}/reference/kind", within=config),
        reach_deg=lookup("samples/{sample}/measure/smooth/reach_deg", within=config),
        splines=lookup("samples/{sample}/measure/smooth/splines", within=config),
        solution=of("standard"),
        colour=of("standard_colour"),
        code=digest("smooth_map.py"),
    script:
        "../scripts/smooth_map.py"


rule measure_errors:
    """Bootstrap, jackknife and correlated floor of the global offsets [uas], beside their analytic errors."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
        scatter="<results>/{sample}/tables/scatter.csv",
        offsets="<results>/{sample}/tables/global_offsets.csv",
    output:
        errors="<results>/{sample}/tables/errors.csv",
    log:
        "<logs>/measure_errors/{sample}.log",
    benchmark:
        "<benchmarks>/measure_errors/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(800, 4),
        runtime=by_input(10, 0.5),
    params:
        reference=lookup("samples/{sample}/reference/kind", within=config),
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        bootstrap=lookup("publish/bootstrap", within=config),
        code=digest("measure_errors.py"),
    script:
        "../scripts/measure_errors.py"


rule cross_validate:
    """What corrections learned from some of the stars say of the others: by star and by blocks of the sky."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
        settings="<results>/{sample}/tables/map_equatorial.json",
    output:
        validation="<results>/{sample}/tables/cross_validation.csv",
    log:
        "<logs>/cross_validate/{sample}.log",
    benchmark:
        "<benchmarks>/cross_validate/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(1200, 4),
        runtime=by_input(20, 2),
    params:
        reference=lookup("samples/{sample}/reference/kind", within=config),
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        reach_deg=lookup("samples/{sample}/measure/smooth/reach_deg", within=config),
        splines=lookup("samples/{sample}/measure/smooth/splines", within=config),
        validation=lookup("samples/{sample}/measure/cross_validation", within=config),
        solution=of("standard"),
        colour=of("standard_colour"),
        code=digest("cross_validate.py"),
    script:
        "../scripts/cross_validate.py"
