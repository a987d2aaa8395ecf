"""The sample against other catalogues (Sect. 2, Figs. 1 to 3) and against other samples; tables first, then figures."""


rule compare_catalogue:
    """M_Ks against that from Gaia distances [mag] (Fig. 1), training stars (Fig. 2), and what the cut on parallax does [uas]."""
    input:
        matched=of("matched"),
        learned=of("learned"),
        stars="<resources>/{sample}/stars.parquet",
    output:
        magnitudes="<results>/{sample}/tables/magnitudes.csv",
        magnitudes_histogram="<results>/{sample}/tables/magnitudes_histogram.csv",
        training="<results>/{sample}/tables/training.csv",
        training_histogram="<results>/{sample}/tables/training_histogram.csv",
        parallax_cut="<results>/{sample}/tables/parallax_cut.json",
    log:
        "<logs>/compare_catalogue/{sample}.log",
    benchmark:
        "<benchmarks>/compare_catalogue/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(600, 1),
    params:
        comparison=of("comparison"),
        reference=lookup("samples/{sample}/reference", within=config),
        one_row_per=lookup("samples/{sample}/one_row_per", within=config),
        cuts=lookup("samples/{sample}/cuts", within=config),
        codes=of("coding"),
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        code=digest("compare_catalogue.py"),
    script:
        "../scripts/compare_catalogue.py"


rule compare_red_clump:
    """Reference parallax against that of red clump stars [mas], their difference [uas] and relative difference [%] (Fig. 3)."""
    input:
        stars="<resources>/{sample}/stars.parquet",
        red_clump=of("red_clump"),
    output:
        pairs="<results>/{sample}/tables/red_clump_pairs.parquet",
        trend="<results>/{sample}/tables/red_clump_trend.csv",
        summary="<results>/{sample}/tables/red_clump.csv",
    log:
        "<logs>/compare_red_clump/{sample}.log",
    benchmark:
        "<benchmarks>/compare_red_clump/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        radius_arcsec=lookup("samples/{sample}/comparison/red_clump_radius_arcsec", within=config),
        red_clump_error=lookup("samples/{sample}/comparison/red_clump_error", within=config),
        bin_uas=lookup("samples/{sample}/comparison/red_clump_bin_uas", within=config),
        columns=lookup("samples/{sample}/red_clump/columns", within=config, default={}),
        from_sample=lookup("samples/{sample}/red_clump/sample", within=config, default=None),
        epoch=of("red_clump_epoch"),
        release_epoch=of("epoch"),
        min_stars=lookup("samples/{sample}/measure/trends/min_stars", within=config),
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        code=digest("compare_red_clump.py"),
    script:
        "../scripts/compare_red_clump.py"


rule compare_samples:
    """The samples of the run beside published ones, global offsets, trends and scales [uas]; and the top of the run's report."""
    input:
        offsets=collect("<results>/{sample}/tables/global_offsets.csv", sample=SAMPLES),
        trends=collect("<results>/{sample}/tables/trends.csv", sample=SAMPLES),
        scale=collect("<results>/{sample}/tables/zero_point_scale.csv", sample=SAMPLES),
        corrections=collect("<results>/{sample}/tables/corrections.csv", sample=SAMPLES),
        offsets_figure=f"<results>/{SAMPLES[0]}/figures/fig4_offsets.png",
        maps_figure=f"<results>/{SAMPLES[0]}/figures/fig6_maps.png",
    output:
        **overview_files(),
        table="<results>/runs/<run>/samples.csv",
        index="<results>/runs/<run>/index.html",
    log:
        "<logs>/compare_samples/<run>.log",
    benchmark:
        "<benchmarks>/compare_samples/<run>.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        samples=[KNOWN[name].facts for name in SAMPLES],
        literature=content(LITERATURE),
        dpi=lookup("figures/dpi", within=config),
        code=digest("compare_samples.py"),
    script:
        "../scripts/compare_samples.py"
