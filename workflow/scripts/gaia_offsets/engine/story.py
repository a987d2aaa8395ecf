"""What a run says on the terminal: sample and stage, failures in a line, the offsets at the end.

Snakemake's stream handler gets another formatter here. Its log file keeps every line that Snakemake writes.
Imported when the workflow is parsed: standard library only.
"""

from __future__ import annotations

import logging
import re
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gaia_offsets.core.faults import MARK
from gaia_offsets.engine.summary import summary

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
CHATTER = re.compile(
    r"Config file .* command line|Assuming|Building DAG|Using shell|(Conda|Singularity|Group) .*: i"
    r"|Creating report|Adding .* \([\d.]+ .?B\)|Loading script code"
)
STOPPING = ("Terminating processes", "Will exit after")
REPEATED = ("Exiting because a job execution failed", "At least one job did not complete successfully")
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
        self.phase, self.stopped = "parsing", False
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
        return text

    def text(self, record: logging.LogRecord) -> str:
        """The text for the terminal by the kind of the record; another Snakemake's records may raise anything."""
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
        if event == "progress":
            self.done, self.total = record.done, record.total
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
        page, log = self.pages.pop(record.thread, ""), next(iter(record.log or ()), None)
        foreseen, lines = error_lines(log)
        if died := re.search(r"died with <Signals\.(\w+)|exit status (1[3-9]\d)\b", page):
            name = died[1] or signal.Signals(int(died[2]) - 128).name
            lines = [f"killed by {name}{', perhaps for want of memory' if name == 'SIGKILL' else ''}"]
        elif not foreseen and getattr(record, "rule_msg", None):
            lines = [str(record.rule_msg)]  # what a cluster says
        if self.stopped or lines[-1] == "KeyboardInterrupt" or "SIGINT" in lines[0]:
            self.stopped = True
            return ""
        who = f" ({', '.join(self.jobs[record.jobid])})" if self.jobs.get(record.jobid) else ""
        head = f"{'Trying again after a failure:' if self.again(record.jobid) else 'FAILED'} {record.rule_name}{who}"
        one = f"{head}: {lines[0]}"
        text = [one] if len(lines) == 1 and len(one) <= WIDTH else [f"{head}:", *lines]
        return "\n".join([*text, *([f"  log: {log}"] if log and Path(log).is_file() else [])])

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


def error_lines(log: str | None) -> tuple[bool, list[str]]:
    """Whether a job wrote down why it failed, and its message: a fault's mark, a last traceback, or its last line."""
    if log is None or not Path(log).is_file():
        return False, [f"the job {'has' if log is None else 'left'} no log; what it said stands above"]
    lines = [line.rstrip() for line in Path(log).read_text(encoding="utf-8", errors="replace").splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return False, ["the job's log is empty"]
    # A fault that was foreseen has a mark and no traceback.
    marks = [number for number, line in enumerate(lines) if line.startswith((MARK, TRACEBACK))]
    after = lines[marks[-1] :] if marks else lines[-1:]
    if after[0].startswith(TRACEBACK):
        start = next((number for number, line in enumerate(after[1:], 1) if not line[0].isspace()), -1)
        after = after[start:]
    message = [after[0].removeprefix(MARK), *after[1:]]
    left = len(message) - LINES
    return bool(marks), message if left <= 0 else [*message[:LINES], f"({left} more lines in the log)"]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
