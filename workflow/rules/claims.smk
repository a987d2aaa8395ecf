"""What the paper states against what a sample gives (those with `claims`), the error budget, and the results page."""

for MADE, OF in alike(KNOWN.values(), attrgetter("statements")).items():

    rule:
        """Each statement of the paper: published, reproduced, verdict and why; systematic effects on a parallax [uas] (Sect. 2.2)."""
        name:
            family("check_claims", OF)
        input:
            unpack(of("comparison_tables")),
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
        params:
            claims=of("claims"),
            simulated=lookup("samples/{sample}/simulated", within=config),
            reference=lookup("samples/{sample}/reference", within=config),
            floor_uas=lookup("publish/systematic_uas", within=config),
            standard=of("standard"),
            code=digest("check_claims.py"),
        script:
            "../scripts/check_claims.py"
