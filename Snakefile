"""The zero-point offset of Gaia parallaxes (Wang, Yuan & Huang 2022, AJ 163, 149), from raw catalogues to Figs 4-6 and Table 1."""

from snakemake.utils import min_version

min_version("9.25")


configfile: workflow.source_path("config/config.yaml")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/retrieve.smk"
include: "workflow/rules/query.smk"
include: "workflow/rules/crossmatch.smk"
include: "workflow/rules/xmatch.smk"
include: "workflow/rules/archive.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/draw.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/publish.smk"


rule all:
    """Figures, tables and dataset of every sample in run.samples."""
    default_target: True
    input:
        figures=collect(
            "<results>/{sample}/figures/{figure}.{kind}", sample=SAMPLES, figure=FIGURES, kind=["png", "pdf"]
        ),
        comparisons=collect(
            "<results>/{sample}/figures/{figure}.{kind}",
            sample=COMPARED,
            figure=["fig1_magnitudes", "fig2_training"],
            kind=["png", "pdf"],
        ),
        red_clump=collect(
            "<results>/{sample}/figures/fig3_red_clump.{kind}", sample=WITH_RED_CLUMP, kind=["png", "pdf"]
        ),
        budget=collect("<results>/{sample}/budget.html", sample=COMPARED),
        claims=collect("<results>/{sample}/{page}.html", sample=SAMPLES, page=["claims", "results"]),
        samples=collect("<results>/figures/{figure}.{kind}", figure=OVERVIEWS, kind=["png", "pdf"]),
        tables=collect("<results>/{sample}/tables/{table}.csv", sample=SAMPLES, table=TABLES),
        maps=collect(
            "<results>/{sample}/maps/{frame}_{parallax}.fits", sample=SAMPLES, frame=FRAMES, parallax=PARALLAXES
        ),
        dataset=collect("<results>/{sample}/dataset/{frame}.{kind}", sample=SAMPLES, frame=FRAMES, kind=DATASET_KINDS),
        extended=collect(
            "<results>/{sample}/dataset/{frame}_extended.{kind}", sample=SAMPLES, frame=FRAMES, kind=EXTENDED_KINDS
        ),
        readme=collect("<results>/{sample}/README.md", sample=SAMPLES),
        corrected=CORRECTED,
    localrule: True
