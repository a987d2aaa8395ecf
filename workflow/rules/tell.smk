"""What a run is made of, and what its users cite: provenance, acknowledgements, references."""


rule tell_provenance:
    """Inputs and products of the run with their digests, settings and software; what to acknowledge and to cite."""
    input:
        manifests=samples.run_manifests(config),
        files=samples.run_files(config),
    output:
        provenance="<results>/runs/<run>/provenance.json",
        acknowledgements="<results>/runs/<run>/acknowledgements.md",
        references="<results>/runs/<run>/references.bib",
    log:
        "<logs>/tell_provenance/<run>.log",
    benchmark:
        "<benchmarks>/tell_provenance/<run>.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        run=RUN,
        citations=[content(CITATIONS), content(REFERENCES)],
        coefficients=samples.run_coefficients(config),
        settings=run_settings(config, [sample.name for sample in samples.run_samples(config)]),
        engine=f"snakemake {ENGINE}",
        code=digest("tell_provenance.py"),
    script:
        "../scripts/tell_provenance.py"
