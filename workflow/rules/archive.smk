"""Targets get the columns of their Gaia and 2MASS counterparts (Sect. 2.1): from a Gaia archive, by TAP, in chunks."""


rule prepare_targets:
    """Number the targets and find those that pass the cuts on catalogue columns, alone or with another spectrum of the star."""
    input:
        targets=of("targets"),
    output:
        targets="<resources>/{sample}/archive/targets.parquet",
        asked="<resources>/{sample}/archive/asked.parquet",
    log:
        "<logs>/prepare_targets/{sample}.log",
    benchmark:
        "<benchmarks>/prepare_targets/{sample}.jsonl"
    conda:
        "../../envs/archive.yaml"
    params:
        columns=of("target_columns"),
        cuts=of("catalogue_cuts"),
        by=lookup("samples/{sample}/crossmatch/by", within=config),
        radius_arcsec=lookup("samples/{sample}/crossmatch/radius_arcsec", within=config, default=None),
        code=digest("prepare_targets.py"),
    script:
        "../scripts/prepare_targets.py"


rule probe_identifiers:
    """What release the targets' gaia_source_id is of: the share of a draw that exists and agrees in position, by release."""
    input:
        asked="<resources>/{sample}/archive/asked.parquet",
    output:
        identifiers="<resources>/{sample}/archive/identifiers.json",
    log:
        "<logs>/probe_identifiers/{sample}.log",
    benchmark:
        "<benchmarks>/probe_identifiers/{sample}.jsonl"
    localrule: True  # it needs the network
    conda:
        "../../envs/archive.yaml"
    resources:
        runtime=WAITING,
        archive=1,
    params:
        url=first_address(config["archive"]["url"]),
        release=of("release_names"),
        epoch=lookup("samples/{sample}/crossmatch/epoch", within=config, default=None),
        radius_arcsec=lookup("samples/{sample}/crossmatch/radius_arcsec", within=config, default=None),
        code=digest("probe_identifiers.py"),
    script:
        "../scripts/probe_identifiers.py"


rule query_archive:
    """Gaia source of each target of one chunk, with 2MASS and geometric distance, joined in the archive."""
    input:
        identifiers=of("identifiers"),
        asked="<resources>/{sample}/archive/asked.parquet",
    output:
        chunk="<resources>/{sample}/archive/chunk_{chunk}.parquet",
    log:
        "<logs>/query_archive/{sample}.{chunk}.log",
    benchmark:
        "<benchmarks>/query_archive/{sample}.{chunk}.jsonl"
    wildcard_constraints:
        chunk=r"\d+",
    localrule: True  # it needs the network
    conda:
        "../../envs/archive.yaml"
    resources:
        mem_mb=by_input(800, 40),
        runtime=WAITING,
        archive=1,
    params:
        url=first_address(config["archive"]["url"]),
        chunks=lookup("archive/chunks", within=config),
        pm_margin_arcsec=lookup("archive/pm_margin_arcsec", within=config),
        release=of("release_names"),
        by=lookup("samples/{sample}/crossmatch/by", within=config),
        epoch=lookup("samples/{sample}/crossmatch/epoch", within=config, default=None),
        radius_arcsec=lookup("samples/{sample}/crossmatch/radius_arcsec", within=config, default=None),
        code=digest("query_archive.py"),
    script:
        "../scripts/query_archive.py"


rule merge_archive:
    """All targets with the answers of all chunks; nulls where there is no counterpart or the archive was not asked."""
    input:
        targets="<resources>/{sample}/archive/targets.parquet",
        chunks=collect(
            "<resources>/{{sample}}/archive/chunk_{chunk}.parquet",
            chunk=range(lookup("archive/chunks", within=config)),
        ),
    output:
        matched="<resources>/{sample}/crossmatch.archive.parquet",
    log:
        "<logs>/merge_archive/{sample}.log",
    benchmark:
        "<benchmarks>/merge_archive/{sample}.jsonl"
    conda:
        "../../envs/archive.yaml"
    params:
        code=digest("merge_archive.py"),
    script:
        "../scripts/merge_archive.py"
