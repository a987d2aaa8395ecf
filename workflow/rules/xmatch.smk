"""A second way to match positions (crossmatch.by: xmatch): CDS X-Match gives source_ids, the archive the columns."""


rule xmatch_cds:
    """Nearest Gaia source of each target of one chunk at J2000, neighbours counted, by the CDS X-Match service [arcsec]."""
    input:
        targets="<resources>/{sample}/archive/targets.parquet",
    output:
        chunk="<resources>/{sample}/xmatch/chunk_{chunk}.parquet",
    log:
        "<logs>/xmatch_cds/{sample}.{chunk}.log",
    benchmark:
        "<benchmarks>/xmatch_cds/{sample}.{chunk}.jsonl"
    wildcard_constraints:
        chunk=r"\d+",
    conda:
        "../../envs/archive.yaml"
    # CDS bans addresses that send jobs in parallel: a profile keeps `cds` at 1. The rest is no param, as in query_archive.
    resources:
        mem_mb=by_input(400, 8),
        runtime=1440,
        cds=1,
        xmatch_rows=lookup("xmatch/rows", within=config),
        xmatch_maxrec=lookup("xmatch/maxrec", within=config),
        xmatch_stall_s=str(lookup("xmatch/stall_s", within=config)),
        xmatch_pause_s=str(lookup("xmatch/pause_s", within=config)),
        xmatch_attempts=lookup("xmatch/attempts", within=config),
    params:
        url=lookup("xmatch/url", within=config),
        chunks=lookup("archive/chunks", within=config),
        release=xmatch_release,
        radius_arcsec=lookup("samples/{sample}/crossmatch/radius_arcsec", within=config),
        code=digest("xmatch_cds.py"),
    script:
        "../scripts/xmatch_cds.py"


rule xmatch_targets:
    """The prepared targets with the source_id that X-Match found, as the archive is then asked by source_id."""
    input:
        targets="<resources>/{sample}/archive/targets.parquet",
        chunks=collect(
            "<resources>/{{sample}}/xmatch/chunk_{chunk}.parquet",
            chunk=range(lookup("archive/chunks", within=config)),
        ),
    output:
        targets="<resources>/{sample}/xmatch/targets.parquet",
    log:
        "<logs>/xmatch_targets/{sample}.log",
    benchmark:
        "<benchmarks>/xmatch_targets/{sample}.jsonl"
    conda:
        "../../envs/archive.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        code=digest("xmatch_targets.py"),
    script:
        "../scripts/xmatch_targets.py"
