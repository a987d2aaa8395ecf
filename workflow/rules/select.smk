"""One row a star, the cuts and the cut flow (Sect. 2.1); then zero point and offsets (Sect. 3)."""


rule select_stars:
    """Stars that pass the cuts of the config, with their reference parallax, and the cut flow."""
    input:
        matched=of("matched"),
        groups=of("groups"),
        learned=of("learned"),
    output:
        stars="<resources>/{sample}/stars.parquet",
        cutflow="<results>/{sample}/tables/cutflow.csv",
    log:
        "<logs>/select_stars/{sample}.log",
    benchmark:
        "<benchmarks>/select_stars/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(500, 1.8),
    params:
        reference=lookup("samples/{sample}/reference", within=config),
        one_row_per=lookup("samples/{sample}/one_row_per", within=config),
        cuts=lookup("samples/{sample}/cuts", within=config),
        codes=of("coding"),
        solutions=of("kept_solutions"),
        max_offset_mas=lookup("samples/{sample}/max_offset_mas", within=config, default=None),
        code=digest("select_stars.py"),
    script:
        "../scripts/select_stars.py"


rule correct_parallaxes:
    """Tracers: official zero point, corrected parallax [mas], raw and corrected offset [uas] of each star, other zero points."""
    input:
        unpack(of("correction_maps")),
        stars="<resources>/{sample}/stars.parquet",
    output:
        tracers="<results>/{sample}/tracers.parquet",
    log:
        "<logs>/correct_parallaxes/{sample}.log",
    benchmark:
        "<benchmarks>/correct_parallaxes/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        official=lookup("samples/{sample}/official", within=config),
        also=lookup("samples/{sample}/also", within=config),
        inflate=lookup("samples/{sample}/inflate", within=config, default=None),
        corrections=of("corrections"),
        code=digest("correct_parallaxes.py"),
    script:
        "../scripts/correct_parallaxes.py"
