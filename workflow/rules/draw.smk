"""Figures 4 to 6 and two pictures of the selection; these rules only read tables."""


rule draw_offsets:
    """Distributions of the offsets with their fits (Fig. 4), mean offset against G, colour and latitude (Fig. 5), zero point [uas] and scale."""
    input:
        histograms="<results>/{sample}/tables/histograms.csv",
        offsets="<results>/{sample}/tables/global_offsets.csv",
        trends="<results>/{sample}/tables/trends.csv",
        settings="<results>/{sample}/tables/trends.json",
        scale="<results>/{sample}/tables/zero_point_scale.csv",
    output:
        offsets=[
            report(
                "<results>/{sample}/figures/fig4_offsets.png",
                caption="../report/fig4.rst",
                category="Figures",
                labels={"sample": "{sample}", "figure": "4: offsets"},
            ),
            "<results>/{sample}/figures/fig4_offsets.pdf",
        ],
        trends=[
            report(
                "<results>/{sample}/figures/fig5_trends.png",
                caption="../report/fig5.rst",
                category="Figures",
                labels={"sample": "{sample}", "figure": "5: trends"},
            ),
            "<results>/{sample}/figures/fig5_trends.pdf",
        ],
        scale=[
            report(
                "<results>/{sample}/figures/scale.png",
                caption="../report/scale.rst",
                category="Figures",
                labels={"sample": "{sample}", "figure": "zero point and scale"},
            ),
            "<results>/{sample}/figures/scale.pdf",
        ],
    log:
        "<logs>/draw_offsets/{sample}.log",
    benchmark:
        "<benchmarks>/draw_offsets/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        title=lookup("samples/{sample}/title", within=config),
        simulated=lookup("samples/{sample}/simulated", within=config),
        min_stars=lookup("samples/{sample}/measure/trends/min_stars", within=config),
        dpi=lookup("figures/dpi", within=config),
        solutions=solutions,
        code=digest("draw_offsets.py"),
    script:
        "../scripts/draw_offsets.py"


rule draw_maps:
    """Maps of the mean offset, uas, raw and corrected, in both frames (Fig. 6), and of the number of stars."""
    input:
        equatorial="<results>/{sample}/tables/map_equatorial.csv",
        galactic="<results>/{sample}/tables/map_galactic.csv",
        settings="<results>/{sample}/tables/map_equatorial.json",
    output:
        maps=[
            report(
                "<results>/{sample}/figures/fig6_maps.png",
                caption="../report/fig6.rst",
                category="Figures",
                labels={"sample": "{sample}", "figure": "6: maps"},
            ),
            "<results>/{sample}/figures/fig6_maps.pdf",
        ],
        raw=report(
            "<results>/{sample}/figures/fig6_map_raw.png",
            caption="../report/fig6.rst",
            category="Map before and after correction",
            labels={"sample": "{sample}", "figure": "6", "parallax": "raw"},
        ),
        corrected=report(
            "<results>/{sample}/figures/fig6_map_corrected.png",
            caption="../report/fig6.rst",
            category="Map before and after correction",
            labels={"sample": "{sample}", "figure": "6", "parallax": "corrected"},
        ),
        counts=[
            report(
                "<results>/{sample}/figures/counts.png",
                caption="../report/counts.rst",
                category="Figures",
                labels={"sample": "{sample}", "figure": "stars by pixel"},
            ),
            "<results>/{sample}/figures/counts.pdf",
        ],
    log:
        "<logs>/draw_maps/{sample}.log",
    benchmark:
        "<benchmarks>/draw_maps/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        title=lookup("samples/{sample}/title", within=config),
        simulated=lookup("samples/{sample}/simulated", within=config),
        colour_range=lookup("figures/colour_range_uas", within=config),
        dpi=lookup("figures/dpi", within=config),
        solution=standard_solution,
        code=digest("draw_maps.py"),
    script:
        "../scripts/draw_maps.py"


rule draw_cutflow:
    """Stars kept after each step of the selection (Sect. 2.1)."""
    input:
        cutflow="<results>/{sample}/tables/cutflow.csv",
    output:
        png=report(
            "<results>/{sample}/figures/cutflow.png",
            caption="../report/cutflow.rst",
            category="Figures",
            labels={"sample": "{sample}", "figure": "cut flow"},
        ),
        pdf="<results>/{sample}/figures/cutflow.pdf",
    log:
        "<logs>/draw_cutflow/{sample}.log",
    benchmark:
        "<benchmarks>/draw_cutflow/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        title=lookup("samples/{sample}/title", within=config),
        simulated=lookup("samples/{sample}/simulated", within=config),
        dpi=lookup("figures/dpi", within=config),
        solutions=solutions,
        code=digest("draw_cutflow.py"),
    script:
        "../scripts/draw_cutflow.py"


rule draw_smooth:
    """The smooth map, uas, raw and corrected, and its standard error, in both frames."""
    input:
        equatorial="<results>/{sample}/tables/smooth_equatorial.csv",
        galactic="<results>/{sample}/tables/smooth_galactic.csv",
        settings="<results>/{sample}/tables/smooth.json",
    output:
        png=report(
            "<results>/{sample}/figures/smooth_map.png",
            caption="../report/smooth_map.rst",
            category="Figures",
            labels={"sample": "{sample}", "figure": "smooth map"},
        ),
        pdf="<results>/{sample}/figures/smooth_map.pdf",
    log:
        "<logs>/draw_smooth/{sample}.log",
    benchmark:
        "<benchmarks>/draw_smooth/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        title=lookup("samples/{sample}/title", within=config),
        simulated=lookup("samples/{sample}/simulated", within=config),
        colour_range=lookup("figures/colour_range_uas", within=config),
        dpi=lookup("figures/dpi", within=config),
        solution=standard_solution,
        code=digest("draw_smooth.py"),
    script:
        "../scripts/draw_smooth.py"


rule draw_dependence:
    """Offset against G and colour, from the differences of stars inside pixels [uas]; for samples that ask for splines."""
    input:
        dependence="<results>/{sample}/tables/smooth_dependence.csv",
    output:
        png=report(
            "<results>/{sample}/figures/smooth_dependence.png",
            caption="../report/smooth_dependence.rst",
            category="Figures",
            labels={"sample": "{sample}", "figure": "smooth map: G and colour"},
        ),
        pdf="<results>/{sample}/figures/smooth_dependence.pdf",
    log:
        "<logs>/draw_dependence/{sample}.log",
    benchmark:
        "<benchmarks>/draw_dependence/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        title=lookup("samples/{sample}/title", within=config),
        simulated=lookup("samples/{sample}/simulated", within=config),
        dpi=lookup("figures/dpi", within=config),
        colour=standard_colour,
        code=digest("draw_dependence.py"),
    script:
        "../scripts/draw_dependence.py"


rule draw_corrections:
    """Corrections side by side, standard class: offsets and what they leave [uas]; and all of the table as a page."""
    input:
        corrections="<results>/{sample}/tables/corrections.csv",
    output:
        png=report(
            "<results>/{sample}/figures/corrections.png",
            caption="../report/corrections.rst",
            category="Figures",
            labels={"sample": "{sample}", "figure": "corrections side by side"},
        ),
        page=report(
            "<results>/{sample}/corrections.html",
            caption="../report/corrections.rst",
            category="Corrections",
            labels={"sample": "{sample}"},
        ),
        pdf="<results>/{sample}/figures/corrections.pdf",
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
        dpi=lookup("figures/dpi", within=config),
        solution=standard_solution,
        code=digest("draw_corrections.py"),
    script:
        "../scripts/draw_corrections.py"


rule draw_explorer:
    """A page to explore a sample in a browser, offline: sky, trends, pixels and claims [uas]."""
    input:
        pixels_equatorial="<results>/{sample}/tables/pixels_equatorial.csv",
        pixels_galactic="<results>/{sample}/tables/pixels_galactic.csv",
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
