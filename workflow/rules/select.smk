"""One row a star, the cuts and the cut flow (Sect. 2.1); then zero point and offsets (Sect. 3)."""


rule select_stars:
    """Stars that pass the cuts of the config, with their reference parallax, and the cut flow."""
    input:
        matched=matched_file,
        groups=group_file,
        learned=learned_file,
        manifests=manifests("reference.group"),
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
        runtime=by_input(5, 0.02),
    params:
        reference=lookup("samples/{sample}/reference", within=config),
        raw=raw_facts("reference.group"),
        one_row_per=lookup("samples/{sample}/one_row_per", within=config),
        cuts=lookup("samples/{sample}/cuts", within=config),
        codes=release_coding,
        solutions=kept_solutions,
        max_offset_mas=lookup("samples/{sample}/max_offset_mas", within=config, default=None),
        code=digest("select_stars.py"),
    script:
        "../scripts/select_stars.py"


rule correct_parallaxes:
    """Tracers: official zero point, corrected parallax [mas], raw and corrected offset [uas] of each star, other zero points."""
    input:
        unpack(correction_files),
        stars="<resources>/{sample}/stars.parquet",
    output:
        tracers="<results>/{sample}/tracers.parquet",
    log:
        "<logs>/correct_parallaxes/{sample}.log",
    benchmark:
        "<benchmarks>/correct_parallaxes/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        official=lookup("samples/{sample}/official", within=config),
        also=lookup("samples/{sample}/also", within=config),
        inflate=lookup("samples/{sample}/inflate", within=config, default=None),
        corrections=sample_corrections,
        code=digest("correct_parallaxes.py"),
    script:
        "../scripts/correct_parallaxes.py"
