"""Simulated skies through the whole chain against their truth: `make validate`, docs/validation.md."""


rule compare_with_truth:
    """Each quoted number of a simulated sample beside the mean injected offset of the stars behind it [uas]."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
        truth="<resources>/simulated/{sample}/truth.parquet",
        truth_map="<resources>/simulated/{sample}/truth_map.fits",
        settings="<results>/{sample}/tables/map_equatorial.json",
        scatter="<results>/{sample}/tables/scatter.csv",
        global_offsets="<results>/{sample}/tables/global_offsets.csv",
        zero_point_scale="<results>/{sample}/tables/zero_point_scale.csv",
        trends="<results>/{sample}/tables/trends.csv",
        map_equatorial="<results>/{sample}/tables/map_equatorial.csv",
        map_galactic="<results>/{sample}/tables/map_galactic.csv",
        smooth_equatorial="<results>/{sample}/tables/smooth_equatorial.csv",
        smooth_galactic="<results>/{sample}/tables/smooth_galactic.csv",
    output:
        compared="<results>/{sample}/tables/compared_with_truth.parquet",
        power="<results>/{sample}/tables/truth_power.csv",
    log:
        "<logs>/compare_with_truth/{sample}.log",
    benchmark:
        "<benchmarks>/compare_with_truth/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        reference=lookup("samples/{sample}/reference/kind", within=config),
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        solutions=of("solutions"),
        code=digest("compare_with_truth.py"),
    script:
        "../scripts/compare_with_truth.py"


LEARNERS = [name for name in VALIDATED if KNOWN[name].learns]


rule summarise_validation:
    """Bias, errors and coverage of every number over the skies [uas], each map against the paper\'s, and a page of figures."""
    input:
        compared=collect("<results>/{sample}/tables/compared_with_truth.parquet", sample=VALIDATED),
        power=collect("<results>/{sample}/tables/truth_power.csv", sample=VALIDATED),
        ways=collect("<results>/{sample}/tables/learned_zero_points.csv", sample=LEARNERS),
        settings=collect("<results>/{sample}/tables/map_equatorial.json", sample=VALIDATED[:1]),
    output:
        coverage=report(
            "<results>/validation/coverage.csv",
            caption="../report/validation_coverage.rst",
            category="Validation",
            labels={"figure": "bias and coverage, table"},
        ),
        maps=report(
            "<results>/validation/maps.csv",
            caption="../report/validation_maps.rst",
            category="Validation",
            labels={"figure": "maps, table"},
        ),
        power="<results>/validation/power.csv",
        training="<results>/validation/training.csv",
        pulls="<results>/validation/pulls.csv",
        headline="<results>/validation/headline.txt",
        png=report(
            "<results>/validation/validation.png",
            caption="../report/validation.rst",
            category="Validation",
            labels={"figure": "simulated skies"},
        ),
        pdf="<results>/validation/validation.pdf",
    log:
        "<logs>/summarise_validation/all.log",
    benchmark:
        "<benchmarks>/summarise_validation/all.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 40),
    params:
        skies=SKIES,
        learning=LEARNERS,
        standards=sorted({KNOWN[name].standard for name in VALIDATED}),
        dpi=lookup("figures/dpi", within=config),
        code=digest("summarise_validation.py"),
    script:
        "../scripts/summarise_validation.py"
