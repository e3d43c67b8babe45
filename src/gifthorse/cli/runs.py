"""The verbs that work: run, implant, diagnose, evaluate."""

from __future__ import annotations

import json
import time
from typing import Any

from gifthorse.cli.configuration import check_captioners, check_names, check_settings, configuration
from gifthorse.cli.configuration import spelt as as_file
from gifthorse.cli.options import DEFAULT_TOOLS, RunOptions, seconds_of
from gifthorse.cli.summary import document, summarise
from gifthorse.cli.talk import Talk, Watch, put, spelt
from gifthorse.errors import FailedCells, UsageError
from gifthorse.jobs.asked import Asked, finished, note_inputs
from gifthorse.jobs.offline import no_network
from gifthorse.registry import load
from gifthorse.runner import local
from gifthorse.store import Store


def run(options: RunOptions = RunOptions()) -> None:
    """Plant trojans, let tools look for them, judge what they found, and write the report.

    What is already in the run folder is not computed again: to resume is to run again.

    Examples:
        gifthorse run
        gifthorse run --tools occlusion,cppn_target --out runs/two
        gifthorse run --net efficientnet-lite0 --data photographs --trojans smiley_emoji,clownfish
    """
    _carry_out(options, "report")


def implant(options: RunOptions = RunOptions()) -> None:
    """Only plant the trojans and seal the cases (the first stage of run).

    Examples:
        gifthorse implant --suite emoji12_dev --out runs/dev
    """
    _carry_out(options, "implant")


def diagnose(options: RunOptions = RunOptions()) -> None:
    """Plant, and let the tools look (the first two stages of run).

    Examples:
        gifthorse diagnose --tools cppn_target --protocol quick
    """
    _carry_out(options, "diagnose")


def evaluate(options: RunOptions = RunOptions()) -> None:
    """Plant, look and judge (run without the report).

    Examples:
        gifthorse evaluate --out runs/emoji12-quick
    """
    _carry_out(options, "evaluate")


def _carry_out(options: RunOptions, until: str) -> None:
    talk = Talk()
    asked = options.asked()
    store = Store(options.folder(asked))
    began = time.monotonic()
    deadline = None if options.max_time is None else began + seconds_of(options.max_time)
    if options.workers is not None and options.workers < 1:
        raise UsageError(f"--workers {options.workers} is no number of processes", "--workers 1, or more")
    done = finished(store, asked)
    if done is None:
        # a finished run was checked when it began, and a tool need not be imported again
        check_settings(asked.settings, options.config)
        check_names(name for name in asked.tools if name not in DEFAULT_TOOLS)
        check_captioners(asked.captioners, asked.settings)
    if options.show_config:
        found = configuration(options)
        put(json.dumps(found, ensure_ascii=False) if options.json else as_file(found))
        return
    if options.dry_run:
        _dry_run(store, asked, options)
        return
    if done is not None and until == "report" and not options.retry_failed:
        _again(store, options, done, talk)
        return
    if options.offline:
        no_network()
    failed = _work(store, asked, options, (until, deadline))
    talk.say(f"{until} done in {spelt(time.monotonic() - began)}: {store.root}")
    _tell(store, options, {"status": "failed cells" if failed else "done"})
    if failed:
        raise failed


def _work(store: Store, asked: Asked, options: RunOptions, limits: tuple[str, float | None]) -> FailedCells | None:
    """Do everything up to a stage and a deadline; cells that failed are no reason not to tell of the others."""
    until, deadline = limits
    with Watch(Talk()) as watch:
        how = load("gifthorse.jobs.run:How")(
            runner=local(options.workers or load("gifthorse.jobs.run:workers")(options.device)),
            watch=watch,
            until=until,
            retry_failed=options.retry_failed,
            deadline=deadline,
            inputs=not options.without_inputs,
            offline=options.offline,
        )
        failed = None
        try:
            load("gifthorse.jobs.run:run")(store, asked, how)
        except FailedCells as error:
            failed = error
    if until == "report":
        note_inputs(store, not options.without_inputs)
    return failed


def _again(store: Store, options: RunOptions, plan: dict[str, Any], talk: Talk) -> None:
    """Answer the request of a finished run: only its report may have to be another one."""
    inputs = not options.without_inputs
    if plan.get("inputs") == inputs:
        talk.say(f"{store.root} is finished: nothing to do")
    else:
        talk.say(f"{store.root} is finished: only its report is written again, with{'' if inputs else 'out'} inputs")
        load("gifthorse.report:write")(store, store.root / "report.html", inputs=inputs)
        note_inputs(store, inputs)
    _tell(store, options, {"status": "finished", "computed": 0})


def _tell(store: Store, options: RunOptions, status: dict[str, Any]) -> None:
    if options.json:
        put(json.dumps(document(store) | status, ensure_ascii=False))
        return
    summarise(store)
    report = store.root / "report.html"
    if report.is_file():
        put(f"report: {report}")


def _dry_run(store: Store, asked: Asked, options: RunOptions) -> None:
    cases = sum(len(planting.trojans) for planting in asked.suite.plantings)
    located = sum(t.kind == "patch" for planting in asked.suite.plantings for t in planting.trojans)
    told = {
        "suite": asked.suite.name,
        "folder": str(store.root),
        "networks": [planting.name for planting in asked.suite.plantings],
        "trojans": cases,
        "located": located,
        "tools": list(asked.tools),
        "passes_a_cell": asked.protocol.passes,
        "units_there": len(store.keys()) if store.root.is_dir() else 0,
        "finished": finished(store, asked) is not None,
        "request": asked.digest,
    }
    if options.json:
        put(json.dumps(told, ensure_ascii=False))
        return
    for key, value in told.items():
        put(f"{key:14} {', '.join(value) if isinstance(value, list) else value}")
