"""Raw tables that come from a TAP query (a dataset with `query`): asked for in parts, counted, merged, with a manifest."""


rule query_catalogue:
    """One part of a queried dataset: the rows whose partition column lies in one range; COUNT(*) must agree."""
    output:
        part="<resources>/raw/{dataset}/parts/{part}.parquet",
    log:
        "<logs>/query_catalogue/{dataset}.{part}.log",
    benchmark:
        "<benchmarks>/query_catalogue/{dataset}.{part}.jsonl"
    wildcard_constraints:
        dataset="|".join(QUERIED) or NONE,
        part=r"\d+",
    localrule: True  # it needs the network
    conda:
        "../../envs/archive.yaml"
    resources:
        mem_mb=2000,
        runtime=WAITING,
        archive=1,
    params:
        query=query_block,
        code=digest("query_catalogue.py"),
    script:
        "../scripts/query_catalogue.py"


rule merge_catalogue:
    """All parts of a queried dataset in one raw file, counted against the service once more, with a manifest."""
    input:
        looked_at,
        parts=query_parts,
    output:
        file="<resources>/raw/{dataset}/{file}",
        manifest="<resources>/raw/{dataset}/{file}.manifest.json",
    log:
        "<logs>/merge_catalogue/{dataset}/{file}.log",
    benchmark:
        "<benchmarks>/merge_catalogue/{dataset}/{file}.jsonl"
    wildcard_constraints:
        dataset="|".join(QUERIED) or NONE,
    localrule: True  # it needs the network
    conda:
        "../../envs/archive.yaml"
    resources:
        runtime=WAITING,
        archive=1,
    params:
        entry=queried,
        code=digest("merge_catalogue.py"),
    script:
        "../scripts/merge_catalogue.py"
