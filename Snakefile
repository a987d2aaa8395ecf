# The workflow is workflow/Snakefile; this line lets `snakemake` find it here. A plain include: would lose its default target.
workflow.include("workflow/Snakefile", overwrite_default_target=True)
