"""The story of a run: a line a stage, a line a failure, the offsets at the end."""

import logging
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_run import ROOT

from gaia_offsets.engine import story
from gaia_offsets.engine.summary import summary

ERROR, INFO, WARNING = logging.ERROR, logging.INFO, logging.WARNING


class Stream(list):
    """A stream that keeps what is written."""

    write = list.append


@pytest.fixture
def told() -> story.Story:
    """A story on a handler of its own, with three jobs planned, of which jobid 9 will be tried again."""
    jobs = [SimpleNamespace(jobid=each, wildcards_dict={"sample": "giants"}) for each in (1, 2, 9)]
    for job in jobs:
        job.restart_times, job.attempt = (2, 1) if job.jobid == 9 else (0, 1)
    dag = SimpleNamespace(jobs=jobs, needrun_jobs=lambda: iter(jobs))
    handler = SimpleNamespace(formatter=logging.Formatter(), stream=Stream(), flush=lambda: None, nocolor=False)
    return story.Story(SimpleNamespace(dag=dag, touch=False), handler)


def record(message: str | None = None, level: int = INFO, event: str | None = None, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("snakemake.logging", level, __file__, 1, message, None, None)
    made.__dict__.update(extra)
    if event:
        made.event = event
    return made


def begin(told: story.Story, total: int = 3) -> str:
    told.format(record("Workflow has started!", event="workflow_started"))
    return told.format(record("Job stats", event="run_info", stats={"total": total}))


def job(told: story.Story, jobid: int, rule: str, **wildcards: str) -> str:
    return told.format(record(event="job_info", jobid=jobid, rule_name=rule, wildcards=wildcards))


def failed(told: story.Story, jobid: int, rule: str, *logs: Path, page: str = "status 1.", message: Any = None) -> str:
    text = f"RuleException:\nCalledProcessError in file x, line 1\n{page}"
    assert told.format(record(text, ERROR, event="error", exception="RuleException")) == ""
    logs = [str(log) for log in logs]
    return told.format(record("Error", ERROR, "job_error", jobid=jobid, rule_name=rule, log=logs, rule_msg=message))


def test_every_rule_has_words():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.findall(r"^rule (\w+):", path.read_text(), flags=re.MULTILINE):
            assert rule in story.STAGES or rule.partition("_")[0] in story.STAGES, rule


def test_a_stage_is_told_once_for_each_sample(told):
    assert begin(told, total=109) == "109 jobs for 1 sample: giants"
    giants = {"sample": "giants"}
    for jobid, rule, wildcards, line in (
        (5, "simulate", {"survey": "toy"}, "[  1 of 109] toy: simulating"),
        (1, "measure_map", giants, "[  2 of 109] giants: measuring"),
        (2, "measure_global", giants, None),
        (3, "measure_global", {"sample": "dwarfs"}, "[  4 of 109] dwarfs: measuring"),
        (4, "compare_samples", {}, "[  5 of 109] all samples: comparing"),
        (0, "all", {}, None),
    ):
        text = job(told, jobid, rule, **wildcards)
        assert text.startswith(line) if line else text == ""


NOTHING = "Nothing to be done (all requested files are present and up to date)."


def test_chatter_is_dropped_and_what_matters_passes(told):
    for line in ("Building DAG of jobs...", "Using shell: /bin/bash", "Conda environments: ignored"):
        assert told.format(record(line)) == ""
    for line in (NOTHING, "Creating conda environment x..."):
        assert told.format(record(line)) == line
    begin(told)
    for line in ("Select jobs to execute...", "Complete log(s): x", "Elapsed time: 0:00:01"):
        assert told.format(record(line)) == ""
    for line in ("Exiting because a job execution failed. Look", "At least one job did not complete successfully."):
        assert told.format(record(f"WorkflowError:\n{line}", ERROR)) == ""
    assert told.format(record("disk is slow", WARNING)) == "disk is slow"
    for kind, fault in (("WorkflowError", "Missing input files"), ("RuleException", "NameError in file Snakefile")):
        text = f"{kind}:\n{fault}"
        assert told.format(record(text, ERROR, "error", exception=kind)) == text


def test_before_a_run_for_touch_and_for_records_of_another_snakemake_it_speaks_itself(told):
    assert job(told, 1, "measure_map", sample="giants") == "None"  # a plain formatter's words for no message
    begin(told)
    assert told.format(record("Job 1 begins", event="job_info")) == "Job 1 begins"
    told.workflow.touch = True
    told.format(record(event="workflow_started"))
    assert told.format(record("Job stats", event="run_info", stats={"total": 3})) == "Job stats"


TRACE = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    f()\n    ^^^\n'
OURS = "12 rows\nERROR: x.csv: no column 'ra'\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OURS, ["x.csv: no column 'ra'"]),
        (f"{TRACE}ValueError: wrong\n", ["ValueError: wrong"]),
        (f"{TRACE}KeyError: 'a'\n\nDuring handling:\n\n{TRACE}ValueError: b\n", ["ValueError: b"]),
        (f"{TRACE}KeyError: 1\n{OURS}", ["x.csv: no column 'ra'"]),
        ("ERROR: a: 1\n\nb: 2\n  see c\n", ["a: 1", "b: 2", "  see c"]),
        ("fetching\nx.fits: not fetched: 404\n\n", ["x.fits: not fetched: 404"]),
        (f"{TRACE}AssertionError\n", ["AssertionError"]),
        (TRACE, ["    ^^^"]),  # killed while it wrote
        (f"{TRACE}V: 0\n" + 40 * "line\n", ["V: 0", *(story.LINES - 1) * ["line"], "(29 more lines in the log)"]),
    ],
)
def test_the_lines_that_matter(text, expected, tmp_path):
    (tmp_path / "a.log").write_text(text)
    assert story.error_lines(str(tmp_path / "a.log"))[1] == expected


@pytest.mark.parametrize(
    ("log", "more", "expected"),
    [
        (None, {}, "FAILED query_archive (giants, 3): the job left no log"),
        ("", {}, "log is empty\n"),
        ("", {"message": "SLURM status: OUT_OF_MEMORY"}, "OUT_OF_MEMORY"),
        ("12 rows\n", {"message": "SLURM status: TIMEOUT"}, "SLURM status: TIMEOUT"),
        ("ERROR: a: 1\n", {"message": "SLURM status: FAILED"}, "a: 1"),
        ("12 rows\n", {"page": "died with <Signals.SIGKILL: 9>."}, "killed by SIGKILL, perhaps"),
        ("12 rows\n", {"page": "non-zero exit status 137."}, "killed by SIGKILL, perhaps"),
        ("ERROR: a: 1\nb: 2\n", {}, " (giants, 3):\na: 1\nb: 2\n"),
        ("datasets.x: " + "long " * 40, {}, "\ndatasets.x: long"),
    ],
)
def test_a_failure_is_one_line_and_its_log(log, more, expected, told, tmp_path):
    begin(told)
    job(told, 1, "query_archive", sample="giants", chunk="3")
    if log is not None:
        (tmp_path / "a.log").write_text(log)
    text = failed(told, 1, "query_archive", tmp_path / "a.log", **more)
    assert expected in text and text.startswith("FAILED query_archive (giants, 3)")
    assert "has no log" in failed(told, 1, "all")


def test_a_job_that_is_tried_again_has_not_failed(told, tmp_path):
    begin(told)
    job(told, 9, "query_archive", sample="giants")
    text = failed(told, 9, "query_archive", tmp_path / "a.log")
    assert text.startswith("Trying again after a failure: query_archive (giants): ") and "FAILED" not in text
    told.workflow.dag.jobs[2].attempt = 3
    assert failed(told, 9, "query_archive", tmp_path / "a.log").startswith("FAILED query_archive (giants)")


def test_a_stopped_run_has_no_failures(told, tmp_path, caplog):
    begin(told)
    (tmp_path / "a.log").write_text(f"{TRACE}KeyboardInterrupt\n")
    assert failed(told, 1, "measure_map", tmp_path / "a.log") == ""
    line = "Terminating processes on user request, this might take some time."
    assert told.format(record(line)) == line
    (tmp_path / "a.log").write_text("12 rows\n")
    assert failed(told, 1, "measure_map", tmp_path / "a.log") == ""
    with caplog.at_level(INFO, "snakemake.logging"):
        told.failed(["x.log"])
    assert told.format(caplog.records[0]) == (
        "Stopped: 0 of 3 jobs finished.\nStart the same command again; finished work is kept.\n"
        "Snakemake's full log: x.log"
    )


# ---------------------------------------------------------------- installation


def workflow(main: bool = True, ours: bool = True, **settings: Any) -> SimpleNamespace:
    usual = {"dryrun": False, "verbose": False, "debug_dag": False, "quiet": None, "log_handler_settings": {}}
    modifier, output = SimpleNamespace(is_main_snakefile=lambda: ours), SimpleNamespace(**{**usual, **settings})
    return SimpleNamespace(output_settings=output, is_main_process=main, modifier=modifier)


@pytest.fixture
def handler():
    made = logging.StreamHandler(sys.stderr)
    made.name = "DefaultStreamHandler"
    made.setFormatter(logging.Formatter())
    story.LOGGER.addHandler(made)
    yield made
    story.LOGGER.removeHandler(made)


CHANGES = [{}, {"dryrun": True}, {"verbose": True}, {"quiet": {"all"}}, {"debug_dag": True}, {"main": False}]
CHANGES += [{"log_handler_settings": {"rich": 1}}, {"ours": False}]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_it_is_installed_for_a_run_and_not_otherwise(changes, handler):
    told = story.install(workflow(**changes))
    assert isinstance(handler.formatter, story.Story) == (not changes)
    if changes:
        told.failed([])
    story.LOGGER.removeHandler(handler)  # as of another Snakemake, which keeps its output
    assert story.install(workflow()).handler is None and story.install(SimpleNamespace()).handler is None


# ---------------------------------------------------------------- summary

HEAD = "solution,parallax,n,median,median_error\n"


def write(results: Path, name: str, text: str) -> None:
    (results / name / "tables").mkdir(parents=True)
    (results / name / "tables/global_offsets.csv").write_text(HEAD + text)


def test_summary(tmp_path):
    write(tmp_path, "giants", "5p,raw,9026,-32.4732,0.556\n5p,corrected,9026,1.604,0.5417\n6p,raw,12,-33.1,\n")
    write(tmp_path, "sky", "5p,raw,3,-20,1\n")
    (tmp_path / "giants/figures").mkdir()
    (tmp_path / "sky/tables/trends.json").write_text('{"warning": null}')
    (tmp_path / "sky/tables/map_equatorial.json").write_text('{"warning": "Table 1 is empty"}')
    (tmp_path / "sky/tables/smooth.json").write_text('{"warning": "no smooth map"}')
    samples = [{"name": "giants", "title": "Red giants", "simulated": False}]
    samples += [{"name": name, "title": "", "simulated": True} for name in ("absent", "sky")]
    report = tmp_path / "runs/toy/report.html"
    assert summary(str(tmp_path), samples, "toy", 3725.4).splitlines() == [
        "",
        "Done in 62 min 5 s.",
        "",
        "median offset [uas]      stars          raw   corrected",
        "Red giants           5p  9,026  -32.5 ± 0.6  +1.6 ± 0.5",
        "Red giants           6p     12        -33.1           -",
        "sky                  5p      3  -20.0 ± 1.0           -",
        "(simulated stars in sky: no number here says anything about Gaia)",
        "",
        "WARNING sky: no smooth map",
        "WARNING sky: Table 1 is empty",
        "",
        f"figures  {tmp_path}/giants/figures/ (and so for sky)",
        f"report   {report} (to make it: the same command with --report {report})",
    ]


def test_summary_of_one_simulated_sample_with_its_report_and_of_nothing(tmp_path):
    toy = [{"name": "toy", "title": "Toy", "simulated": True}]
    text = summary(str(tmp_path), toy, "toy", 1)
    assert "offsets" not in text and "figures" not in text
    write(tmp_path, "toy", "5p,raw,3,-20,1\n")
    for folder in ("toy/figures", "toy/dataset", "runs/toy"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "runs/toy/report.html").touch()
    text = summary(str(tmp_path), toy, "toy", 9)
    assert "\n(simulated stars: no number" in text
    places = {"figures ": "toy/figures/", "Table 1 ": "toy/dataset/", "report  ": "runs/toy/report.html"}
    assert text.endswith("\n".join(f"{name} {tmp_path}/{place}" for name, place in places.items()))


def test_a_run_with_nothing_to_do_tells_what_was_measured_and_a_broken_table_does_not_fail_it(told, tmp_path, caplog):
    write(tmp_path, "toy", "5p,raw,3,-20,1\n")
    told.about = (str(tmp_path), [{"name": "toy", "title": "Toy"}], "toy")
    lines = told.format(record(NOTHING)).splitlines()
    assert lines[0].startswith("Nothing to be done")
    assert any("-20.0 ± 1.0" in line for line in lines) and not any("Done in" in line for line in lines)
    (tmp_path / "toy/tables/global_offsets.csv").write_text("a,b\n1,2\n")
    with caplog.at_level(INFO, "snakemake.logging"):
        told.succeeded()
    assert "could not be made: KeyError('solution')" in caplog.text
