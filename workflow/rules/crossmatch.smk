"""Targets get the columns of their Gaia and 2MASS counterparts (Sect. 2.1): with local tables, or not at all."""


rule crossmatch_tables:
    """Nearest Gaia source of each target at their epoch; then 2MASS and geometric distance."""
    input:
        unpack(of("match_tables")),
    output:
        matched="<resources>/{sample}/crossmatch.local.parquet",
    log:
        "<logs>/crossmatch_tables/{sample}.log",
    benchmark:
        "<benchmarks>/crossmatch_tables/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    threads: 4
    resources:
        mem_mb=by_input(900, 1.5),
    params:
        columns=of("match_columns"),
        target_epoch=lookup("samples/{sample}/crossmatch/epoch", within=config),
        gaia_epoch=of("epoch"),
        radius_arcsec=lookup("samples/{sample}/crossmatch/radius_arcsec", within=config),
        tmass_radius_arcsec=lookup("samples/{sample}/crossmatch/tmass_radius_arcsec", within=config),
        code=digest("crossmatch_tables.py"),
    script:
        "../scripts/crossmatch_tables.py"


rule search_hats:
    """Gaia sources of a HATS catalogue near any target, by LSDB on Dask; crossmatch_tables chooses from them."""
    input:
        targets=of("targets"),
    output:
        sources="<resources>/{sample}/hats/gaia.parquet",
    log:
        "<logs>/search_hats/{sample}.log",
    benchmark:
        "<benchmarks>/search_hats/{sample}.jsonl"
    conda:
        "../../envs/hats.yaml"
    threads: 4
    resources:
        mem_mb=by_input(4000, 10),
        runtime=by_input(600, 1),
    params:
        columns=of("target_columns"),
        hats=lookup("samples/{sample}/crossmatch/hats", within=config, default=None),
        radius_arcsec=lookup("samples/{sample}/crossmatch/radius_arcsec", within=config, default=None),
        pm_margin_arcsec=lookup("archive/pm_margin_arcsec", within=config),
        code=digest("search_hats.py"),
    script:
        "../scripts/search_hats.py"


rule adopt_targets:
    """Targets that carry the Gaia columns already, in standard names and units."""
    input:
        targets=of("targets"),
    output:
        matched="<resources>/{sample}/crossmatch.none.parquet",
    log:
        "<logs>/adopt_targets/{sample}.log",
    benchmark:
        "<benchmarks>/adopt_targets/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        columns=of("target_columns"),
        epoch=of("epoch"),
        code=digest("adopt_targets.py"),
    script:
        "../scripts/adopt_targets.py"
