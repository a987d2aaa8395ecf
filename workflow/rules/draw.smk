"""Figures and pages of a sample; these rules only read tables."""

for DRAWN, OF in alike(KNOWN.values(), attrgetter("figures")).items():

    rule:
        """All figures of a sample: offsets, trends and maps [uas] (Figs. 4 to 6), the selection, and what else it has tables of."""
        name:
            family("draw_figures", OF)
        input:
            unpack(of("figure_tables")),
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
        params:
            title=lookup("samples/{sample}/title", within=config),
            simulated=lookup("samples/{sample}/simulated", within=config),
            correction=of("correction"),
            words=of("words"),
            max_ebv=lookup("samples/{sample}/comparison/max_ebv_training", within=config, default=None),
            abscissa=lookup("samples/{sample}/comparison/abscissa", within=config, default=None),
            min_stars=lookup("samples/{sample}/measure/trends/min_stars", within=config),
            colour_range=lookup("figures/colour_range_uas", within=config),
            dpi=lookup("figures/dpi", within=config),
            titles=lookup("figures/titles", within=config),
            solution=of("standard"),
            solutions=of("solutions"),
            code=digest("draw_figures.py"),
        script:
            "../scripts/draw_figures.py"


for SHOWN, OF in alike(KNOWN.values(), attrgetter("pages")).items():

    rule:
        """The pages of a sample in the report: results, sky to explore, corrections, claims, budget, learned magnitudes [uas]."""
        name:
            family("write_pages", OF)
        input:
            unpack(of("page_tables")),
            cutflow="<results>/{sample}/tables/cutflow.csv",
            offsets="<results>/{sample}/tables/global_offsets.csv",
            scatter="<results>/{sample}/tables/scatter.csv",
            scale="<results>/{sample}/tables/zero_point_scale.csv",
            trends="<results>/{sample}/tables/trends.csv",
            validation="<results>/{sample}/tables/cross_validation.csv",
            corrections="<results>/{sample}/tables/corrections.csv",
            map_equatorial="<results>/{sample}/tables/map_equatorial.csv",
            map_galactic="<results>/{sample}/tables/map_galactic.csv",
            map_made="<results>/{sample}/tables/map_equatorial.json",
            smooth_equatorial="<results>/{sample}/tables/smooth_equatorial.csv",
            smooth_galactic="<results>/{sample}/tables/smooth_galactic.csv",
            smooth_made="<results>/{sample}/tables/smooth.json",
        output:
            **page_files(SHOWN),
        log:
            "<logs>/write_pages/{sample}.log",
        benchmark:
            "<benchmarks>/write_pages/{sample}.jsonl"
        wildcard_constraints:
            sample="|".join(OF),
        group:
            "sample"
        conda:
            "../../envs/analysis.yaml"
        resources:
            mem_mb=by_input(400, 20),
        params:
            title=lookup("samples/{sample}/title", within=config),
            simulated=lookup("samples/{sample}/simulated", within=config),
            correction=of("correction"),
            corrections=of("compared_corrections"),
            words=of("words"),
            experimental=of("experimental"),
            colour_range=lookup("figures/colour_range_uas", within=config),
            solution=of("standard"),
            solutions=of("solutions"),
            code=digest("write_pages.py"),
        script:
            "../scripts/write_pages.py"
