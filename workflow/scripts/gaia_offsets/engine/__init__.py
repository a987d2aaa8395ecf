"""What does Snakemake need: the config checked, the files of a sample, what the terminal says? Read config first."""
