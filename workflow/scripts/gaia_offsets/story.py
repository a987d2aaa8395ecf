"""What a run says on the terminal: sample and stage, failures in a line, the offsets at the end.

Snakemake's stream handler gets another formatter here. Its log file keeps every line that Snakemake writes.
Imported when the workflow is parsed: standard library only.
"""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import re
import shutil
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gaia_offsets.faults import MARK

LOGGER = logging.getLogger("snakemake.logging")
STAGES = {  # a rule's name or its verb: what the user reads; the name goes first
    "simulate": "simulating a survey",
    "retrieve": "fetching data",
    "query": "fetching data",
    "merge_catalogue": "fetching data",
    "probe_identifiers": "finding the release of the identifiers",
    "query_archive": "asking the Gaia archive",
    **dict.fromkeys(("search", "crossmatch", "adopt", "prepare", "merge"), "matching with Gaia"),
    "learn": "learning absolute magnitudes",
    "select": "selecting stars",
    "correct": "subtracting the zero point of the correction",
    "correct_catalogue": "correcting a catalogue",
    **dict.fromkeys(("fit", "measure", "smooth"), "measuring offsets (global, trends, map)"),
    "compare": "comparing",
    "compare_corrections": "comparing corrections",
    "cross_validate": "validating the corrections",
    "summarise": "summarising the simulated skies",
    "draw": "drawing figures",
    "check": "checking published statements",
    "tell": "writing the results page",
    "tell_provenance": "writing provenance and citations",
    **dict.fromkeys(("publish", "describe", "write"), "writing dataset and maps"),
}
# Lines about nothing that the user chose or can change; what else comes before the first job (conda, locks) passes.
CHATTER = re.compile(r"Config file .* command line|Assuming|Building DAG|Using shell|(Conda|Singularity|Group) .*: i")
STOPPING = ("Terminating processes", "Will exit after")
REPEATED = ("Exiting because a job execution failed", "At least one job did not complete successfully")
# What a sample's rules were made with, and warn of.
TOLD = ("smooth.json", "trends.json", "map_equatorial.json", "map_galactic.json")
TRACEBACK = "Traceback (most recent call last)"
WIDTH, LINES = 160, 12  # longer messages get lines of their own; more lines stay in the log


class Story(logging.Formatter):
    """Formatter that leaves out what is not the run's story; an empty text is not printed by the handler.

    Until a run begins (for --lint, --report, --summary and so on it never does), Snakemake's own formatter goes on.
    """

    def __init__(self, workflow: Any = None, handler: Any = None) -> None:
        super().__init__()
        self.workflow, self.handler = workflow, handler
        self.plain = getattr(handler, "formatter", None)
        self.nocolor = getattr(handler, "nocolor", True)
        self.live = bool(getattr(handler, "is_tty", False)) and os.environ.get("TERM") != "dumb"
        self.phase, self.stopped, self.transient = "parsing", False, False
        self.done, self.total, self.began = 0, 0, time.monotonic()
        self.jobs: dict[int, tuple[str, ...]] = {}
        self.stages: set[tuple[str, str]] = set()
        self.pages: dict[int | None, str] = {}
        # Folder of the results, samples (name, title, simulated) and name of the run; the Snakefile sets it.
        self.about: tuple[str, Sequence[Mapping[str, Any]], str] | None = None

    def format(self, record: logging.LogRecord) -> str:
        """The text for the terminal, or an empty one."""
        try:
            text = self.text(record)
        except Exception:  # another Snakemake's records
            text = self.plain.format(record)
        # The handler looks at both attributes: a blank line before a job, and colour, which only faults get here.
        self.handler.last_msg_was_job_info = True
        self.handler.nocolor = self.nocolor or (record.levelno < logging.WARNING and self.phase != "parsing")
        if text and self.transient:
            text, self.transient = f"\r\x1b[K{text}", False
        return text

    def text(self, record: logging.LogRecord) -> str:
        """The text for the terminal before anything transient is cleared."""
        event = str(getattr(record, "event", "") or "").lower().rpartition(".")[2]
        message = str(record.msg or "")
        if event == "workflow_started":
            self.phase = "planning"
        elif event == "run_info" and self.workflow.touch:
            self.phase = "parsing"  # --touch does nothing that could be told
        elif event == "run_info":
            self.phase, self.total = "running", record.stats["total"]
            return self.plan()
        if getattr(record, "story", False):
            return message
        if message.startswith("Nothing to be done") and self.about:
            return f"{self.plain.format(record)}\n{self.closing(None)}"
        if event == "" and record.levelno < logging.WARNING:
            hidden = CHATTER.match(message) if self.phase != "running" else not message.startswith(STOPPING)
            self.stopped |= self.phase == "running" and message.startswith(STOPPING)
            return "" if hidden else self.plain.format(record)
        if self.phase == "parsing":
            return self.plain.format(record)
        if event == "job_info":
            return self.stage(record)
        if event == "job_error":
            return self.failure(record)
        if event == "group_error":
            return self.group_failure(record)
        if event == "progress":
            self.done, self.total = record.done, record.total
            if self.live:
                self.transient = True
                self.handler.stream.write(f"\r\x1b[K{self.done} of {self.total} done")
                self.handler.flush()
            return ""
        if "CalledProcessError" in message and getattr(record, "exception", "") == "RuleException":
            self.pages[record.thread] = message  # the failed job follows in the same thread
            return ""
        told = record.levelno < logging.WARNING or any(line in message for line in REPEATED)
        return "" if told else self.plain.format(record)

    def plan(self) -> str:
        """How many jobs there are and for which samples."""
        jobs = self.workflow.dag.needrun_jobs()
        samples = sorted({job.wildcards_dict["sample"] for job in jobs if "sample" in job.wildcards_dict})
        named = f" for {_count(len(samples), 'sample')}: {', '.join(samples)}" if samples else ""
        return _count(self.total, "job") + named

    def stage(self, record: logging.LogRecord) -> str:
        """A line when the first job of a stage of a sample begins."""
        wildcards = {key: str(value) for key, value in (record.wildcards or {}).items()}
        self.jobs.setdefault(record.jobid, tuple(wildcards.values()))
        rule = record.rule_name
        words = STAGES.get(rule) or STAGES.get(rule.partition("_")[0])
        who = next((wildcards[key] for key in ("sample", "dataset", "survey") if key in wildcards), "all samples")
        if words is None or (who, words) in self.stages:
            return ""
        self.stages.add((who, words))
        return f"[{len(self.jobs):>{len(str(self.total))}} of {self.total}] {who}: {words}"

    def failure(self, record: logging.LogRecord) -> str:
        """The one line that matters of a failed job, and where its log is."""
        page = self.pages.pop(record.thread, "")
        path, lines = error_lines(record.log or [])
        at_fault = any(_has_fault(log) for log in record.log or [])
        if getattr(record, "indent", False) and not at_fault:
            return ""  # of a group that failed, but not this job's fault
        if died := re.search(r"died with <Signals\.(\w+)|exit status (1[3-9]\d)\b", page):
            name = died[1] or signal.Signals(int(died[2]) - 128).name
            lines = [f"killed by {name}{', perhaps for want of memory' if name == 'SIGKILL' else ''}"]
        elif not at_fault and getattr(record, "rule_msg", None):
            lines = [str(record.rule_msg), *([] if path else lines)]  # what a cluster says
        if self.stopped or lines[-1] == "KeyboardInterrupt" or "SIGINT" in lines[0]:
            self.stopped = True
            return ""
        who = f" ({', '.join(self.jobs[record.jobid])})" if self.jobs.get(record.jobid) else ""
        head = f"{'Trying again after a failure:' if self.again(record.jobid) else 'FAILED'} {record.rule_name}{who}"
        one = f"{head}: {lines[0]}"
        told = [one] if len(lines) == 1 and len(one) <= WIDTH else [f"{head}:", *lines]
        return "\n".join([*told, *(f"  log: {log}" for log in record.log or [] if Path(log).is_file())])

    def group_failure(self, record: logging.LogRecord) -> str:
        """What a cluster says of a group that was killed; a job at fault tells it itself."""
        jobs, logs = record.job_error_info, [log for log in record.aux_logs if Path(log).is_file()]
        if self.stopped or any(_has_fault(log) for job in jobs for log in job["log"]):
            return ""
        said = [line for log in logs for line in _read(log).splitlines() if "slurmstepd: error:" in line]
        head = "Trying again after a failure:" if any(self.again(job["jobid"]) for job in jobs) else "FAILED"
        why = said[-1] if said else error_lines(logs)[1][-1]
        text = f"{head} {_count(len(jobs), 'job')} of group {record.groupid}: {why}"
        return "\n".join([text, *(f"  log: {log}" for log in logs)])

    def again(self, jobid: int) -> bool:
        """Whether Snakemake will try this job again."""
        jobs = (job for job in self.workflow.dag.jobs if job.jobid == jobid)
        return any(job.restart_times >= job.attempt for job in jobs)

    def closing(self, seconds: float | None) -> str:
        """The closing summary; a fault in it is no fault of the run."""
        try:
            return summary(*self.about, seconds)
        except Exception as error:
            return f"The run is done; its summary could not be made: {error!r}"

    def succeeded(self) -> None:
        """Print the closing summary."""
        LOGGER.info(self.closing(time.monotonic() - self.began), extra={"story": True})

    def failed(self, logs: str | Iterable[str]) -> None:
        """Print how far the run came and what to do next; without a story Snakemake has said it."""
        if self.handler:
            state = "Stopped" if self.stopped else "Failed"
            lines = [
                f"{state}: {self.done} of {_count(self.total, 'job')} finished.",
                "Start the same command again; finished work is kept.",
                *(f"Snakemake's full log: {path}" for path in ([logs] if isinstance(logs, str) else logs)),
            ]
            LOGGER.info("\n".join(lines), extra={"story": True})


def install(workflow: Any) -> Story:
    """The story of the run, put on Snakemake's stream handler where it is a real run whose output nobody chose."""
    try:
        settings = workflow.output_settings
        chosen = settings.dryrun or settings.verbose or settings.debug_dag or settings.quiet
        ours = workflow.is_main_process and workflow.modifier.is_main_snakefile()
        handlers = [each for each in LOGGER.handlers if each.get_name() == "DefaultStreamHandler"]
        if ours and not chosen and not settings.log_handler_settings and handlers:
            story = Story(workflow, handlers[0])
            handlers[0].setFormatter(story)
            return story
    except Exception as error:  # another Snakemake: its own output stays
        LOGGER.debug(f"no story: {error!r}")
    return Story()


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _has_fault(log: str) -> bool:
    """Whether a job wrote down why it failed."""
    return Path(log).is_file() and any(line.startswith((MARK, TRACEBACK)) for line in _read(log).splitlines())


def error_lines(logs: Iterable[str]) -> tuple[str | None, list[str]]:
    """The log that says why a job failed and its message: a fault's mark, a last traceback, or its last line."""
    why = "the job has no log; what it said stands above"
    for path in logs:
        if not Path(path).is_file():
            why = "the job left no log; what it said stands above"
            continue
        lines = [line.rstrip() for line in _read(path).splitlines()]
        lines = [line for line in lines if line]
        if not lines:
            full = shutil.disk_usage(Path(path).parent).free < 2**20
            why = "the disk is full: make room" if full else "the job's log is empty"
            continue
        # A fault that was foreseen has a mark and no traceback.
        marks = [number for number, line in enumerate(lines) if line.startswith((MARK, TRACEBACK))]
        after = lines[marks[-1] :] if marks else lines[-1:]
        if after[0].startswith(TRACEBACK):
            start = next((number for number, line in enumerate(after[1:], 1) if not line[0].isspace()), -1)
            after = after[start:]
        message = [after[0].removeprefix(MARK), *after[1:]]
        left = len(message) - LINES
        return path, message if left <= 0 else [*message[:LINES], f"({left} more lines in the log)"]
    return None, [why]


def summary(results: str, samples: Sequence[Mapping[str, Any]], run: str, seconds: float | None) -> str:
    """The closing text: measured offsets of each sample that has them, warnings, and where everything lies.

    `seconds` is None where there was nothing to do.
    """
    warnings = [
        f"WARNING {sample['name']}: {text}" for sample in samples for text in _warnings(Path(results, sample["name"]))
    ]
    rows, measured = [["median offset [uas]", "", "stars", "raw", "corrected"]], []
    for sample in samples:
        path = Path(results, sample["name"], "tables/global_offsets.csv")
        if not path.is_file():
            continue
        measured.append(sample)
        with path.open(newline="", encoding="utf-8") as file:
            table = {(row["solution"], row["parallax"]): row for row in csv.DictReader(file)}
        for solution in dict.fromkeys(solution for solution, _ in table):
            warnings += _without_zero_point(sample, solution, table)
            raw, corrected = (table.get((solution, parallax), {}) for parallax in ("raw", "corrected"))
            # The zero point is not there for every star.
            stars = ", ".join(dict.fromkeys(f"{int(row['n']):,}" for row in (raw, corrected) if row))
            rows.append([sample.get("title") or sample["name"], solution, stars, _offset(raw), _offset(corrected)])
    lines = []
    if seconds is not None:
        minutes, rest = divmod(round(seconds), 60)
        lines = ["", f"Done in {f'{minutes} min ' if minutes else ''}{rest} s."]
    if measured:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        cells = [
            [row[0].ljust(widths[0]), row[1].ljust(widths[1]), *map(str.rjust, row[2:], widths[2:])] for row in rows
        ]
        lines += ["", *("  ".join(row).rstrip() for row in cells)]
        simulated = [sample["name"] for sample in measured if sample.get("simulated")]
        where = "" if len(simulated) == len(measured) else f" in {', '.join(simulated)}"
        lines += [f"(simulated stars{where}: no number here says anything about Gaia)"] if simulated else []
    lines += ["", *warnings] if warnings else []
    names = [sample["name"] for sample in measured]
    kinds = {"figures": "figures", "Table 1": "dataset"}
    # A run of some targets only may have made neither.
    made = {kind: sub for kind, sub in kinds.items() if any(Path(results, name, sub).is_dir() for name in names)}
    others = f" (and so for {', '.join(names[1:])})" if len(names) > 1 else ""
    lines += ["", *(f"{kind:7}  {results}/{names[0]}/{sub}/{others}" for kind, sub in made.items())]
    report = Path(results, "runs", run, "report.html")
    tables = [path for name in names for path in Path(results, name, "tables").iterdir()]
    state = ""
    if not report.is_file():
        state = f" (to make it: the same command with --report {report})"
    elif any(path.stat().st_mtime > report.stat().st_mtime for path in tables):
        state = " (older than these numbers; the same command with --report and that name makes it anew)"
    lines.append(f"report   {report}{state}")
    return "\n".join(lines)


def _warnings(folder: Path) -> list[str]:
    """What the rules that measured a sample warned of."""
    made = [folder / "tables" / name for name in TOLD]
    found = [json.loads(path.read_text(encoding="utf-8")).get("warning") for path in made if path.is_file()]
    return [text for text in dict.fromkeys(found) if text]


def _without_zero_point(
    sample: Mapping[str, Any], solution: str, table: Mapping[tuple[str, str], Mapping[str, str]]
) -> list[str]:
    """A line where fewer than half of the stars of a solution have a corrected parallax."""
    stars, corrected = (int(table.get((solution, name), {}).get("n") or 0) for name in ("raw", "corrected"))
    if sample.get("official", "none") == "none" or 2 * corrected >= stars:
        return []
    return [
        f"WARNING {sample['name']}: {corrected} of {stars} {solution} stars have a zero point of {sample['official']}; "
        f"logs/correct_parallaxes/{sample['name']}.log says which of its columns are empty"
    ]


def _offset(row: Mapping[str, str]) -> str:
    """Median and its error, a dash for what is not there; a single star has no error."""
    numbers = [float(row.get(name) or "nan") for name in ("median", "median_error")]
    texts = [
        f"{value:{spec}}" if math.isfinite(value) else "-" for value, spec in zip(numbers, ("+.1f", ".1f"), strict=True)
    ]
    return texts[0] if texts[1] == "-" else " ± ".join(texts)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
