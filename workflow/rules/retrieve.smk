rule retrieve:
    """One raw file of `datasets` in the config: copied from `path` or downloaded from `url`; checked, with a manifest."""
    input:
        # No file of the user: it may come from the future, or be older than the one that it replaces; see local_stamp.
        looked_at,
    output:
        # update(): without it Snakemake deletes a file of many GB before the job can see that it is still the right one.
        file=update("<resources>/raw/{dataset}/{file}"),
        manifest=update("<resources>/raw/{dataset}/{file}.manifest.json"),
    log:
        "<logs>/retrieve/{dataset}/{file}.log",
    benchmark:
        "<benchmarks>/retrieve/{dataset}/{file}.jsonl"
    wildcard_constraints:
        dataset="|".join(RETRIEVED) or NONE,
    retries: 0  # gaia_offsets.archive.download tries again itself, from the byte where it stopped
    localrule: True  # it needs the network
    conda:
        "../../envs/archive.yaml"
    resources:
        mem_mb=500,
        runtime=1440,
        downloads=1,
    params:
        entry=dataset_facts,
        stamp=local_stamp,
        code=digest("retrieve.py"),
    script:
        "../scripts/retrieve.py"
