"""What people take home (Table 1): the dataset and its maps, a catalogue corrected with them, a README."""


rule publish_dataset:
    """Table 1 of one frame in six formats, offsets in uas, and the footprint as a MOC."""
    input:
        offsets="<results>/{sample}/tables/map_{frame}.csv",
        settings="<results>/{sample}/tables/map_{frame}.json",
    output:
        ecsv="<results>/{sample}/dataset/{frame}.ecsv",
        fits="<results>/{sample}/dataset/{frame}.fits",
        csv="<results>/{sample}/dataset/{frame}.csv",
        mrt="<results>/{sample}/dataset/{frame}.mrt",
        vot="<results>/{sample}/dataset/{frame}.vot",
        parquet="<results>/{sample}/dataset/{frame}.parquet",
        moc="<results>/{sample}/dataset/{frame}.moc.fits",
    log:
        "<logs>/publish_dataset/{sample}.{frame}.log",
    benchmark:
        "<benchmarks>/publish_dataset/{sample}.{frame}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        facts=map_facts,
        code=digest("publish_dataset.py"),
    script:
        "../scripts/publish_dataset.py"


rule publish_smooth:
    """The smooth map of one frame in six formats, columns as in Table 1, and its footprint as a MOC."""
    input:
        smooth="<results>/{sample}/tables/smooth_{frame}{grid}.csv",
        settings="<results>/{sample}/tables/smooth{grid}.json",
    output:
        ecsv="<results>/{sample}/dataset/{frame}_smooth{grid}.ecsv",
        fits="<results>/{sample}/dataset/{frame}_smooth{grid}.fits",
        csv="<results>/{sample}/dataset/{frame}_smooth{grid}.csv",
        mrt="<results>/{sample}/dataset/{frame}_smooth{grid}.mrt",
        vot="<results>/{sample}/dataset/{frame}_smooth{grid}.vot",
        parquet="<results>/{sample}/dataset/{frame}_smooth{grid}.parquet",
        moc="<results>/{sample}/dataset/{frame}_smooth{grid}.moc.fits",
    log:
        "<logs>/publish_smooth/{sample}.{frame}{grid}.log",
    benchmark:
        "<benchmarks>/publish_smooth/{sample}.{frame}{grid}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        facts=smooth_facts,
        code=digest("publish_smooth.py"),
    script:
        "../scripts/publish_smooth.py"


rule publish_maps:
    """HEALPix maps of the offset, its error and N, partial sky, uas, of Table 1 (Fig. 6) or the smooth map."""
    input:
        dataset="<results>/{sample}/dataset/{map}.ecsv",
    output:
        raw="<results>/{sample}/maps/{map}_raw.fits",
        corrected="<results>/{sample}/maps/{map}_corrected.fits",
    log:
        "<logs>/publish_maps/{sample}.{map}.log",
    benchmark:
        "<benchmarks>/publish_maps/{sample}.{map}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        code=digest("publish_maps.py"),
    script:
        "../scripts/publish_maps.py"


rule describe_pixels:
    """Long version of Table 1: median, sd, bootstrap error, systematic floor, neighbours, stars of each pixel."""
    input:
        dataset="<results>/{sample}/dataset/{frame}.ecsv",
        offsets="<results>/{sample}/tables/map_{frame}.csv",
        tracers="<results>/{sample}/tracers.parquet",
    output:
        ecsv="<results>/{sample}/dataset/{frame}_extended.ecsv",
        fits="<results>/{sample}/dataset/{frame}_extended.fits",
        parquet="<results>/{sample}/dataset/{frame}_extended.parquet",
    log:
        "<logs>/describe_pixels/{sample}.{frame}.log",
    benchmark:
        "<benchmarks>/describe_pixels/{sample}.{frame}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 12),
        runtime=by_input(5, 0.2),
    params:
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        bootstrap=lookup("publish/bootstrap", within=config),
        code=digest("describe_pixels.py"),
    script:
        "../scripts/describe_pixels.py"


rule correct_catalogue:
    """A catalogue of the config with corrected parallaxes, errors and flags added."""
    input:
        catalogue=lookup("catalogues/{catalogue}/path", within=config),
        dataset=catalogue_map,
    output:
        corrected="<results>/{sample}/corrected/{catalogue}.{ending}",
    log:
        "<logs>/correct_catalogue/{sample}.{catalogue}.{ending}.log",
    benchmark:
        "<benchmarks>/correct_catalogue/{sample}.{catalogue}.{ending}.jsonl"
    wildcard_constraints:
        catalogue="[a-z0-9_]+",
        ending=r"csv|csv\.gz|fits|fits\.gz|vot|ecsv|parquet",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        catalogue=lookup("catalogues/{catalogue}", within=config),
        code=digest("correct_catalogue.py"),
    script:
        "../scripts/correct_catalogue.py"


rule write_readme:
    """README of a sample's results: files, how to read and cite them, known limits."""
    input:
        equatorial="<results>/{sample}/dataset/equatorial.ecsv",
        galactic="<results>/{sample}/dataset/galactic.ecsv",
    output:
        readme="<results>/{sample}/README.md",
    log:
        "<logs>/write_readme/{sample}.log",
    benchmark:
        "<benchmarks>/write_readme/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=by_input(400, 10),
        runtime=by_input(5, 0.02),
    params:
        code=digest("write_readme.py"),
    script:
        "../scripts/write_readme.py"
