"""What a run is made of, and what its users cite: provenance, acknowledgements, references."""


rule tell_provenance:
    """Inputs and products of the run with their digests, settings and software; what to acknowledge and to cite."""
    input:
        citations=workflow.source_path("../resources/citations.yaml"),
        manifests=run_manifests,
        files=run_files,
    output:
        provenance="<results>/runs/{run}/provenance.json",
        acknowledgements="<results>/runs/{run}/acknowledgements.md",
        references="<results>/runs/{run}/references.bib",
    log:
        "<logs>/tell_provenance/{run}.log",
    benchmark:
        "<benchmarks>/tell_provenance/{run}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        settings=run_settings(config, TOLD),
        engine=f"snakemake {ENGINE}",
        code=digest("tell_provenance.py"),
    script:
        "../scripts/tell_provenance.py"
