"""What people take home (Table 1): the dataset and its maps, a catalogue corrected with them, a README."""


rule publish_dataset:
    """Table 1 of both frames in six formats, offsets in uas, with its long version, MOC, HEALPix maps (Fig. 6) and README."""
    input:
        offsets=collect("<results>/{{sample}}/tables/map_{frame}.csv", frame=FRAMES),
        settings="<results>/{sample}/tables/map_equatorial.json",
        tracers="<results>/{sample}/tracers.parquet",
    output:
        dataset=collect("<results>/{{sample}}/dataset/{frame}.{kind}", frame=FRAMES, kind=DATASET_KINDS),
        maps=collect("<results>/{{sample}}/maps/{frame}_{parallax}.fits", frame=FRAMES, parallax=PARALLAXES),
        extended=collect("<results>/{{sample}}/dataset/{frame}_extended.{kind}", frame=FRAMES, kind=EXTENDED_KINDS),
        readme="<results>/{sample}/README.md",
    log:
        "<logs>/publish_dataset/{sample}.log",
    benchmark:
        "<benchmarks>/publish_dataset/{sample}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        facts=of("map_facts"),
        gaussian=lookup("samples/{sample}/measure/gaussian", within=config),
        bootstrap=lookup("publish/bootstrap", within=config),
        solutions=of("solutions"),
        code=digest("publish_dataset.py"),
    script:
        "../scripts/publish_dataset.py"


rule publish_smooth:
    """The smooth map of both frames in the same formats as Table 1 and with its columns, offsets in uas."""
    input:
        smooth=collect("<results>/{{sample}}/tables/smooth_{frame}{{grid}}.csv", frame=FRAMES),
        settings="<results>/{sample}/tables/smooth{grid}.json",
    output:
        collect("<results>/{{sample}}/dataset/{frame}_smooth{{grid}}.{kind}", frame=FRAMES, kind=DATASET_KINDS),
        collect("<results>/{{sample}}/maps/{frame}_smooth{{grid}}_{parallax}.fits", frame=FRAMES, parallax=PARALLAXES),
    log:
        "<logs>/publish_smooth/{sample}{grid}.log",
    benchmark:
        "<benchmarks>/publish_smooth/{sample}{grid}.jsonl"
    conda:
        "../../envs/analysis.yaml"
    params:
        facts=of("smooth_facts"),
        code=digest("publish_smooth.py"),
    script:
        "../scripts/publish_smooth.py"


rule publish_hats:
    """The tracers as a HATS catalogue, for LSDB, where the sample asks for it (`publish_hats`)."""
    input:
        tracers="<results>/{sample}/tracers.parquet",
    output:
        catalogue=directory("<results>/{sample}/hats"),
    log:
        "<logs>/publish_hats/{sample}.log",
    benchmark:
        "<benchmarks>/publish_hats/{sample}.jsonl"
    conda:
        "../../envs/hats.yaml"
    resources:
        mem_mb=by_input(1000, 30),
        runtime=by_input(10, 0.2),
    params:
        title=lookup("samples/{sample}/title", within=config),
        code=digest("publish_hats.py"),
    script:
        "../scripts/publish_hats.py"


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
    params:
        catalogue=lookup("catalogues/{catalogue}", within=config),
        code=digest("correct_catalogue.py"),
    script:
        "../scripts/correct_catalogue.py"
