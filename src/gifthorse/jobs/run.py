"""The main job: implant, diagnose, evaluate, report, each stage from what the store already has."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from gifthorse import report
from gifthorse.captioners import CAPTIONERS
from gifthorse.classifier import pin, resolve
from gifthorse.errors import FailedCells, LimitReached
from gifthorse.jobs.asked import Asked, versions
from gifthorse.jobs.offline import no_network
from gifthorse.judges import JUDGES
from gifthorse.records import Cell, Failure, Ground, Plan, Spec, plain
from gifthorse.registry import base, own_settings
from gifthorse.runner import Runner
from gifthorse.stages import captioning, diagnose, evaluate, implant, recovering
from gifthorse.stages.work import Progress, fulfil
from gifthorse.store import Store
from gifthorse.tools import TOOLS
from gifthorse.zoo import DATA
from gifthorse.zoo.data import Data

STAGES = ("implant", "diagnose", "evaluate", "report")


@dataclass(frozen=True, kw_only=True)
class How:
    """How a run is carried out; none of it changes a result.

    Attributes:
        runner: the engine.
        watch: told of each step, with the stage's name.
        until: the last stage to run.
        retry_failed: try again everything that failed, not only what was killed or ran out.
        deadline: ``time.monotonic()`` after which no further cell is begun.
        inputs: whether the report may show images of the data.
        offline: whether the engine's other processes are to refuse connections that leave the machine.
    """

    runner: Runner
    watch: Callable[[str, Progress], None]
    until: str = "report"
    retry_failed: bool = False
    deadline: float | None = None
    inputs: bool = True
    offline: bool = False


def begin(ground: Ground, offline: bool) -> None:
    """What each process of a run starts with: the threads of its ground, and no network where that was asked."""
    pin(ground)
    if offline:
        no_network()


@dataclass
class _Course:
    """A run on its way: what was made, and under which keys."""

    store: Store
    asked: Asked
    how: How
    keys: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)

    def carry_out(self, stage: str, cells: list[Cell]) -> list[str]:
        """Fulfil cells and note their keys."""
        outcome = fulfil(
            self.store,
            cells,
            runner=self.how.runner,
            watch=lambda progress: self.how.watch(stage, progress),
            retry_failed=self.how.retry_failed,
            deadline=self.how.deadline,
        )
        for cell in cells:
            self.keys.setdefault(cell.kind, []).append(cell.key)
            if cell.kind == "evidence" and cell.context["tool"] != cell.inputs["tool"]["name"]:
                self.labels[cell.key] = cell.context["tool"]
        self.failed.extend(outcome.failed)
        if outcome.remaining:
            raise LimitReached(
                f"the time given ended with {len(outcome.remaining)} cells left in stage {stage}",
                "run the same command again: it goes on where it stopped",
            )
        return [cell.key for cell in cells]

    def note(self, plan: Plan, started: str, done: bool) -> None:
        """Write ``plan.json``."""
        self.store.write_plan(
            {
                "asked": self.asked.digest,
                "started": started,
                "versions": versions(),
                "machine": machine(),
                **without_places(plan, self.asked.command),
                "keys": self.keys,
                "labels": self.labels,
                "finished": done,
                "failed": [failure.key for failure in self.failed],
            }
        )


def without_places(plan: Plan, command: str) -> dict[str, Any]:
    """The plan and the command as others may read them: folders and servers by their last name only, or not at all."""
    data = plan.suite.data
    kind: type[Data] = DATA.load(data.name)
    names = {place: str(data.settings[place]) for place in kind.places if place in data.settings}
    elsewhere = [str(spec.settings[place]) for spec in plan.captioners for place in CAPTIONERS.load(spec.name).places]
    for path in sorted([*names.values(), *elsewhere], key=len, reverse=True):
        if Path(path).name:  # `.` has none, and is no secret
            command = command.replace(path, Path(path).name)
    settings = data.settings | {place: Path(path).name for place, path in names.items()}
    captioners = tuple(CAPTIONERS.remake(spec).spec() for spec in plan.captioners)
    told = replace(plan, suite=replace(plan.suite, data=replace(data, settings=settings)), captioners=captioners)
    return {"command": command, **plain(told)}


def machine() -> dict[str, Any]:
    """What the run was made on, without its name."""
    return {"system": platform.system(), "processor": _processor(), "cores": os.cpu_count()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


WORKERS = 2
"""Processes that work on a CPU, if it has so many cores, and between which these are divided: each of our small
networks leaves a second thread idle for half of the time (drawing and stamping images are single-threaded)."""

_CORES = torch.get_num_threads()


def workers(device: str) -> int:
    """How many processes work where nobody says it."""
    return min(WORKERS, _CORES) if resolve(device).device == "cpu" else 1


def planned(asked: Asked) -> Plan:
    """A request with everything resolved. The threads, which are in every key, do not depend on how many work."""
    ground = resolve(asked.device, asked.precision, asked.threads or max(1, _CORES // workers(asked.device)))
    return Plan(
        suite=asked.suite,
        tools=tuple(_tool(name, asked) for name in asked.tools),
        names=asked.tools,
        judges=tuple(JUDGES.spec(name, asked.settings.get(name)) for name in asked.judges),
        captioners=tuple(_captioner(name, asked) for name in asked.captioners),
        protocol=asked.protocol,
        ground=ground,
        alone=asked.threads or _CORES,
    )


def _tool(label: str, asked: Asked) -> Spec:
    """A tool with the settings that the protocol, the request and its own name give it: the last one counts."""
    name = base(label)
    return TOOLS.spec(name, asked.settings.get(name, {}) | own_settings(label))


def _captioner(label: str, asked: Asked) -> Spec:
    """A captioner with all of its settings, those that say where something lies too."""
    name = base(label)
    return CAPTIONERS.spec(name, asked.settings.get(name, {}) | own_settings(label))


def run(store: Store, asked: Asked, how: How) -> Path | None:
    """Carry a request out in a run folder, and write its report.

    Returns:
        The report's path, or None where the run was to stop before it.

    Raises:
        InputError: what a captioner needs is not there: said before the work, not after it.
        FailedCells: the run is complete but for some cells; the report is written all the same.
        LimitReached: the deadline came or the disk is full.
    """
    plan = planned(asked)
    for spec in plan.captioners:
        CAPTIONERS.remake(spec).ready()
    pin(plan.ground)
    with how.runner.starting(functools.partial(begin, plan.ground, how.offline)) as runner:
        return _run(store, asked, replace(how, runner=runner), plan)


def _run(store: Store, asked: Asked, how: How, plan: Plan) -> Path | None:
    course = _Course(store, asked, how)
    before = store.read_plan() or {}
    same = before.get("asked") == asked.digest
    started = str(before["started"]) if same else datetime.now(UTC).isoformat(timespec="seconds")
    course.note(plan, started, done=False)
    course.carry_out("implant", implant.stamped_cells(store, plan))
    course.carry_out("implant", implant.trained_cells(store, plan))
    implanted = course.carry_out("implant", implant.implant_cells(store, plan))
    if how.until != "implant":
        _look(course, plan, implanted)
    path = None
    if how.until == "report":
        course.note(plan, started, done=False)
        path = report.write(store, store.root / "report.html", inputs=how.inputs)
    course.note(plan, started, done=how.until == "report" and not course.failed)
    if course.failed:
        first = course.failed[0]
        raise FailedCells(
            f"{len(course.failed)} cells failed; the first, {first.label}: {first.error}",
            "see `gifthorse status RUN`; run again with --retry-failed once the cause is mended",
        )
    return path


def _look(course: _Course, plan: Plan, implanted: list[str]) -> None:
    store = course.store
    evidence = diagnose.evidence_cells(store, plan, implanted)
    course.carry_out("diagnose", evidence)
    trials = diagnose.effect_cells(store, plan, evidence) + recovering.recovery_cells(store, plan, evidence)
    course.carry_out("diagnose", trials)
    if course.how.until != "diagnose":
        tried = {cell.inputs["evidence"]: cell.key for cell in trials if store.has(cell.key)}
        verdicts = evaluate.verdict_cells(store, plan, evidence, tried)
        course.carry_out("evaluate", verdicts + captioning.sample_cells(store, plan, evidence))
        course.keys["caption"] = []  # those of an earlier request are none of this one
        course.carry_out("evaluate", captioning.caption_cells(store, plan, evidence))
