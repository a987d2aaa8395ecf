"""What a run is made of: inputs, products, settings and software with digests; what its users acknowledge and cite."""

import json
from pathlib import Path

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import CITATIONS, REFERENCES
from gaia_offsets.core.log import say
from gaia_offsets.core.yamlfile import read_yaml
from gaia_offsets.report import provenance
from gaia_offsets.report.pages import render

if __name__ == "__main__":
    open_log(snakemake.log[0])
    settings, run = snakemake.params.settings, snakemake.params.run
    known = read_yaml(CITATIONS)
    inputs = [provenance.manifest(path) for path in snakemake.input.manifests]
    whole = {
        "run": run,
        "software": provenance.software(snakemake.params.engine),
        "inputs": inputs,
        "files": snakemake.params.coefficients | provenance.digests(snakemake.input.files),
        "settings": settings,
    }
    entries = list(provenance.cited(settings, known))
    cites = provenance.references(entries, provenance.read_bibliography(REFERENCES))
    text = render(
        "acknowledgements.md.j2",
        run=run,
        simulated=[sample["title"] for sample in settings["samples"].values() if sample["simulated"]],
        texts=provenance.acknowledged(settings, known),
        references=cites,
        licences={entry["dataset"]: entry.get("licence") for entry in inputs},
        missing=[
            f"The config names no citation of {what}: cite its source." for citation, what, _ in entries if not citation
        ],
    )
    written = {
        snakemake.output.provenance: json.dumps(whole, indent=1, ensure_ascii=False) + "\n",
        snakemake.output.acknowledgements: text,
        snakemake.output.references: provenance.bibtex(cites),
    }
    for path, content in written.items():
        Path(path).write_text(content, encoding="utf-8", newline="\n")
    say(f"{len(inputs)} inputs, {len(cites)} references")
