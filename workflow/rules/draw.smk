"""Figures and pages of a sample; these rules only read tables."""

for DRAWN, OF in alike(KNOWN.values(), attrgetter("figures")).items():

    rule:
        """All figures of a sample: offsets, trends and maps [uas] (Figs. 4 to 6), the selection, and what else it has tables of."""
        name:
            family("draw_figures", OF)
        input:
            unpack(of_sample("figure_tables")),
            cutflow="<results>/{sample}/tables/cutflow.csv",
            histograms="<results>/{sample}/tables/histograms.csv",
            global_offsets="<results>/{sample}/tables/global_offsets.csv",
            zero_point_scale="<results>/{sample}/tables/zero_point_scale.csv",
            trends="<results>/{sample}/tables/trends.csv",
            trends_made="<results>/{sample}/tables/trends.json",
            map_equatorial="<results>/{sample}/tables/map_equatorial.csv",
            map_galactic="<results>/{sample}/tables/map_galactic.csv",
            map_made="<results>/{sample}/tables/map_equatorial.json",
            smooth_equatorial="<results>/{sample}/tables/smooth_equatorial.csv",
            smooth_galactic="<results>/{sample}/tables/smooth_galactic.csv",
            smooth_made="<results>/{sample}/tables/smooth.json",
            smooth_dependence="<results>/{sample}/tables/smooth_dependence.csv",
            corrections="<results>/{sample}/tables/corrections.csv",
        output:
            **figure_files(DRAWN),
        log:
            "<logs>/draw_figures/{sample}.log",
        benchmark:
            "<benchmarks>/draw_figures/{sample}.jsonl"
        wildcard_constraints:
            sample="|".join(OF),
        group:
            "sample"  # here, because profiles name groups by rule
        conda:
            "../../envs/analysis.yaml"
        resources:
            mem_mb=by_input(400, 10),
            runtime=by_input(5, 0.02),
        params:
            title=lookup("samples/{sample}/title", within=config),
            simulated=lookup("samples/{sample}/simulated", within=config),
            experimental=experimental_corrections,
            max_ebv=lookup("samples/{sample}/comparison/max_ebv_training", within=config, default=None),
            abscissa=lookup("samples/{sample}/comparison/abscissa", within=config, default=None),
            min_stars=lookup("samples/{sample}/measure/trends/min_stars", within=config),
            colour_range=lookup("figures/colour_range_uas", within=config),
            dpi=lookup("figures/dpi", within=config),
            solution=standard_solution,
            solutions=solutions,
            code=digest("draw_figures.py"),
        script:
            "../scripts/draw_figures.py"


rule draw_corrections:
    """The table of the corrections of a sample side by side as a page of the report [uas]."""
    input:
        corrections="<results>/{sample}/tables/corrections.csv",
    output:
        page=report(
            "<results>/{sample}/corrections.html",
            caption="../report/corrections.rst",
            category="Corrections",
            labels={"sample": "{sample}"},
        ),
    log:
        "<logs>/draw_corrections/{sample}.log",
    benchmark:
        "<benchmarks>/draw_corrections/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        title=lookup("samples/{sample}/title", within=config),
        simulated=lookup("samples/{sample}/simulated", within=config),
        experimental=experimental_corrections,
        solution=standard_solution,
        code=digest("draw_corrections.py"),
    script:
        "../scripts/draw_corrections.py"


rule draw_explorer:
    """A page to explore a sample in a browser, offline: sky, trends, pixels and claims [uas]."""
    input:
        map_equatorial="<results>/{sample}/tables/map_equatorial.csv",
        map_galactic="<results>/{sample}/tables/map_galactic.csv",
        smooth_equatorial="<results>/{sample}/tables/smooth_equatorial.csv",
        smooth_galactic="<results>/{sample}/tables/smooth_galactic.csv",
        settings="<results>/{sample}/tables/map_equatorial.json",
        smooth_settings="<results>/{sample}/tables/smooth.json",
        offsets="<results>/{sample}/tables/global_offsets.csv",
        trends="<results>/{sample}/tables/trends.csv",
        claims=claims_table,
    output:
        page=report(
            "<results>/{sample}/explore.html",
            caption="../report/explore.rst",
            category="A page to explore",
            labels={"sample": "{sample}"},
        ),
    log:
        "<logs>/draw_explorer/{sample}.log",
    benchmark:
        "<benchmarks>/draw_explorer/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 20),
        runtime=by_input(5, 0.02),
    params:
        title=lookup("samples/{sample}/title", within=config),
        simulated=lookup("samples/{sample}/simulated", within=config),
        corrections=compared_corrections,
        colour_range=lookup("figures/colour_range_uas", within=config),
        solutions=solutions,
        code=digest("draw_explorer.py"),
    script:
        "../scripts/draw_explorer.py"
