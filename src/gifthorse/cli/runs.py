"""The verbs that work: run, implant, diagnose, evaluate."""

from __future__ import annotations

import json
import time
from dataclasses import fields
from typing import Any

from gifthorse.cli.options import RunOptions, seconds_of
from gifthorse.cli.summary import document, summarise
from gifthorse.cli.talk import Talk, Watch, spelt
from gifthorse.errors import FailedCells
from gifthorse.jobs.asked import Asked, finished
from gifthorse.jobs.offline import no_network
from gifthorse.registry import load
from gifthorse.runner import InProcess, LocalProcesses
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
    if options.show_config:
        print(as_toml(options), end="")
        return
    asked = options.asked()
    store = Store(options.folder(asked))
    began = time.monotonic()
    if until == "report" and not options.retry_failed and not options.dry_run and finished(store, asked):
        talk.say(f"{store.root} is finished: nothing to do")
        _tell(store, options, {"status": "finished", "computed": 0})
        return
    if options.dry_run:
        _dry_run(store, asked, options)
        return
    if options.offline:
        no_network()
    deadline = began + seconds_of(options.max_time) if options.max_time else None
    how = load("gifthorse.jobs.run:How")
    runner = InProcess() if options.workers == 1 else LocalProcesses(options.workers)
    failed: FailedCells | None = None
    with Watch(talk) as watch:
        plan = how(
            runner=runner,
            watch=watch,
            until=until,
            retry_failed=options.retry_failed,
            deadline=deadline,
            inputs=not options.without_inputs,
        )
        try:
            load("gifthorse.jobs.run:run")(store, asked, plan)
        except FailedCells as error:
            failed = error
    talk.say(f"{until} done in {spelt(time.monotonic() - began)}: {store.root}")
    _tell(store, options, {"status": "failed cells" if failed else "done"})
    if failed:
        raise failed


def _tell(store: Store, options: RunOptions, status: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(document(store) | status, ensure_ascii=False))
        return
    summarise(store)
    report = store.root / "report.html"
    if report.is_file():
        print(f"report: {report}")


def _dry_run(store: Store, asked: Asked, options: RunOptions) -> None:
    cases = sum(len(planting.trojans) for planting in asked.suite.plantings)
    located = sum(t.kind == "patch" for planting in asked.suite.plantings for t in planting.trojans)
    told = {
        "suite": asked.suite.name,
        "folder": str(store.root),
        "networks": [planting.network for planting in asked.suite.plantings],
        "trojans": cases,
        "located": located,
        "tools": list(asked.tools),
        "passes_a_cell": asked.protocol.passes,
        "units_there": len(store.keys()) if store.root.is_dir() else 0,
        "finished": finished(store, asked) is not None,
    }
    if options.json:
        print(json.dumps(told))
        return
    for key, value in told.items():
        print(f"{key:14} {', '.join(value) if isinstance(value, list) else value}")


def as_toml(options: RunOptions) -> str:
    """Every option with its value, as a file for ``--config``."""
    skipped = ("show_config", "dry_run", "set")
    lines = []
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name in skipped or value is None:
            continue
        number = isinstance(value, int) and not isinstance(value, bool)
        spelling = str(value).lower() if isinstance(value, bool) else str(value) if number else json.dumps(str(value))
        lines.append(f"{field.name.replace('_', '-')} = {spelling}")
    tables: dict[str, list[str]] = {}
    for pair in options.set:
        tool, _, rest = pair.partition(".")
        name, _, text = rest.partition("=")
        tables.setdefault(tool, []).append(f"{name} = {text}")
    for tool, rows in tables.items():
        lines += ["", f"[settings.{tool}]", *rows]
    return "\n".join(lines) + "\n"
