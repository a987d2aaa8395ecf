"""Absolute magnitudes that the sample learns itself (reference.kind learned_magnitude): docs/method.md, "Learned magnitudes"."""


rule learn_magnitudes:
    """M_Ks of each spectrum from its labels, by a model that has not seen the star [mag]; the zero point of its training [uas]."""
    input:
        unpack(of("correction_maps")),
        matched=of("matched"),
    output:
        learned="<resources>/{sample}/learned.parquet",
        alternatives="<results>/{sample}/tables/learned_zero_points.csv",
        residuals="<results>/{sample}/tables/learned_residuals.csv",
        settings="<results>/{sample}/tables/learned.json",
    log:
        "<logs>/learn_magnitudes/{sample}.log",
    benchmark:
        "<benchmarks>/learn_magnitudes/{sample}.jsonl"
    conda:
        "../../envs/learn.yaml"
    resources:
        mem_mb=by_input(1000, 10),
        runtime=by_input(10, 0.1),
    params:
        reference=of("learning"),
        one_row_per=lookup("samples/{sample}/one_row_per", within=config),
        cuts=lookup("samples/{sample}/cuts", within=config),
        codes=of("coding"),
        official=lookup("samples/{sample}/official", within=config),
        corrections=of("corrections"),
        code=digest("learn_magnitudes.py"),
    script:
        "../scripts/learn_magnitudes.py"
