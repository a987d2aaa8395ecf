"""What the paper states against what a sample gives (those with `claims`), the error budget, and the results page."""

for MADE, OF in alike(KNOWN.values(), attrgetter("statements")).items():

    rule:
        """Each statement of the paper: published, reproduced, verdict and why; systematic effects on a parallax [uas] (Sect. 2.2)."""
        name:
            family("check_claims", OF)
        input:
            unpack(of_sample("comparison_tables")),
            unpack(claims_file),
            stars="<resources>/{sample}/stars.parquet",
            cutflow="<results>/{sample}/tables/cutflow.csv",
            global_offsets="<results>/{sample}/tables/global_offsets.csv",
            trends="<results>/{sample}/tables/trends.csv",
            map_equatorial="<results>/{sample}/tables/map_equatorial.csv",
            map_galactic="<results>/{sample}/tables/map_galactic.csv",
            map_made="<results>/{sample}/tables/map_equatorial.json",
        output:
            **{name: f"<results>/{{sample}}/{name}.csv" for name in MADE},
        log:
            "<logs>/check_claims/{sample}.log",
        benchmark:
            "<benchmarks>/check_claims/{sample}.jsonl"
        wildcard_constraints:
            sample="|".join(OF),
        group:
            "sample"
        conda:
            "../../envs/analysis.yaml"
        resources:
            mem_mb=by_input(400, 10),
            runtime=by_input(5, 0.02),
        params:
            simulated=lookup("samples/{sample}/simulated", within=config),
            reference=lookup("samples/{sample}/reference", within=config),
            floor_uas=lookup("publish/systematic_uas", within=config),
            standard=standard_solution,
            code=digest("check_claims.py"),
        script:
            "../scripts/check_claims.py"


rule draw_claims:
    """The table of claims as a page of the report."""
    input:
        claims="<results>/{sample}/claims.csv",
    output:
        page=report(
            "<results>/{sample}/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"sample": "{sample}"},
        ),
    log:
        "<logs>/draw_claims/{sample}.log",
    benchmark:
        "<benchmarks>/draw_claims/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        title=lookup("samples/{sample}/title", within=config),
        simulated=lookup("samples/{sample}/simulated", within=config),
        code=digest("draw_claims.py"),
    script:
        "../scripts/draw_claims.py"


rule draw_budget:
    """The table of systematic effects as a page of the report [uas]."""
    input:
        budget="<results>/{sample}/budget.csv",
    output:
        page=report(
            "<results>/{sample}/budget.html",
            caption="../report/budget.rst",
            category="Error budget",
            labels={"sample": "{sample}"},
        ),
    log:
        "<logs>/draw_budget/{sample}.log",
    benchmark:
        "<benchmarks>/draw_budget/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        title=lookup("samples/{sample}/title", within=config),
        simulated=lookup("samples/{sample}/simulated", within=config),
        code=digest("draw_budget.py"),
    script:
        "../scripts/draw_budget.py"


rule tell_results:
    """The story of a sample in one page: what was cut, what was found, what holds, how it compares."""
    input:
        cutflow="<results>/{sample}/tables/cutflow.csv",
        offsets="<results>/{sample}/tables/global_offsets.csv",
        scatter="<results>/{sample}/tables/scatter.csv",
        scale="<results>/{sample}/tables/zero_point_scale.csv",
        smooth="<results>/{sample}/tables/smooth.json",
        pixels="<results>/{sample}/tables/map_equatorial.csv",
        settings="<results>/{sample}/tables/map_equatorial.json",
        validation="<results>/{sample}/tables/cross_validation.csv",
        claims=claims_table,
    output:
        page=report(
            "<results>/{sample}/results.html",
            caption="../report/results.rst",
            category="Results",
            labels={"sample": "{sample}"},
        ),
    log:
        "<logs>/tell_results/{sample}.log",
    benchmark:
        "<benchmarks>/tell_results/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        title=lookup("samples/{sample}/title", within=config),
        simulated=lookup("samples/{sample}/simulated", within=config),
        official=lookup("samples/{sample}/official", within=config),
        solutions=solutions,
        code=digest("tell_results.py"),
    script:
        "../scripts/tell_results.py"
