"""The verbs that only read: report, tables, list, status, compare."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from gifthorse.captioners import CAPTIONERS
from gifthorse.cli.talk import Talk, print_table, put
from gifthorse.errors import CorruptUnit, InputError, UsageError, nearest
from gifthorse.jobs.asked import note_inputs
from gifthorse.jobs.comparing import differences
from gifthorse.judges import JUDGES
from gifthorse.records import Failure
from gifthorse.registry import Table, load
from gifthorse.store import Store
from gifthorse.suites import SUITES
from gifthorse.tools import TOOLS
from gifthorse.trojans import TROJANS
from gifthorse.zoo import DATA, DETECTORS, ENCODERS, GENERATORS, NETWORKS, POOLS

Flag = Annotated[bool, Parameter(negative=())]
LISTED: dict[str, Table] = {
    "tools": TOOLS,
    "trojans": TROJANS,
    "judges": JUDGES,
    "captioners": CAPTIONERS,
    "networks": NETWORKS,
    "data": DATA,
    "encoders": ENCODERS,
    "detectors": DETECTORS,
    "generators": GENERATORS,
    "pools": POOLS,
}


def opened(run: Path) -> Store:
    """A run folder that is there.

    Raises:
        InputError: it is not.
    """
    if not (run / "plan.json").is_file():
        raise InputError(f"{run} is no run folder: it has no plan.json", "give the folder that `gifthorse run` printed")
    return Store(run)


def report(run: Path, *, out: Path | None = None, without_inputs: Flag = False, json: Flag = False) -> None:
    """Write the HTML report of a run folder again, and print its path.

    Args:
        run: the run folder.
        out: where to write it; inside the run folder by default.
        without_inputs: leave the data's own images out.
        json: one JSON document with the path.

    Examples:
        gifthorse report runs/emoji12-quick
        gifthorse report runs/photographs-quick --without-inputs --out report.html
    """
    store = opened(run)
    path = load("gifthorse.report:write")(store, out or run / "report.html", inputs=not without_inputs)
    if out is None:
        note_inputs(store, not without_inputs)
    put(_json({"run": str(run), "report": str(path)}) if json else str(path))


def tables(run: Path, *, json: Flag = False, parquet: Path | None = None) -> None:
    """Print a run's tidy tables, or write them as Parquet.

    Args:
        run: the run folder.
        json: one JSON document: every table, a list of rows each; with --parquet the path of each table's file.
        parquet: folder to write one file a table into.

    Examples:
        gifthorse tables runs/emoji12-quick --json
        gifthorse tables runs/emoji12-quick --parquet tables
    """
    found = load("gifthorse.tables:tidy_tables")(opened(run))
    if parquet is not None:
        paths = [str(path) for path in load("gifthorse.tables.parquet:write_parquet")(found, parquet)]
        put(_json(dict(zip(found, paths, strict=True))) if json else "\n".join(paths))
    elif json:
        put(_json(found))
    else:
        for name, rows in found.items():
            columns = tuple(rows[0])[:9] if rows else ()
            print_table(name, columns, [[_short(row[c]) for c in columns] for row in rows])


def listing(what: str = "all", *, json: Flag = False) -> None:
    """List what there is: tools, trojans, judges, captioners, networks, data, encoders, detectors, suites.

    Args:
        what: one of these, or `all`.
        json: one JSON document with kind, source, version and level of each (see docs/tools.md).

    Examples:
        gifthorse list tools
        gifthorse list --json
    """
    if what not in ("all", "suites", *LISTED):
        raise UsageError(f"there is nothing to list called {what!r}", nearest(what, ["all", "suites", *LISTED]))
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, table in LISTED.items():
        if what in ("all", kind):
            for problem in table.problems.values():
                Talk().error(problem.id, str(problem))
            found[kind] = [
                {
                    "name": n,
                    "kind": r.kind,
                    "version": r.version,
                    "level": r.level,
                    "source": r.source,
                    "floor": r.floor,
                    "extra": r.extra,
                }
                for n, r in table.items()
            ]
    if what in ("all", "suites"):
        found["suites"] = [{"name": name, "source": text} for name, text in SUITES.items()]
    if json:
        put(_json(found))
        return
    for kind, rows in found.items():
        put(f"{kind}:")
        for row in rows:
            put(f"  {row['name']:20} {row.get('kind', ''):16} {row.get('level', ''):3} {row['source']}")


def status(run: Path, *, verify: Flag = False, json: Flag = False) -> None:
    """Say how far a run is, and what failed.

    Args:
        run: the run folder.
        verify: read every byte again and name each damaged file (exit code 3 where there is one).
        json: one JSON document.

    Examples:
        gifthorse status runs/emoji12-quick --verify
    """
    store = opened(run)
    found = _found(store)
    problems = list(dict.fromkeys([*(store.verify() if verify else ()), *found.damaged]))
    told = {
        "run": str(run),
        "finished": found.finished,
        "units": found.units,
        "failures": [{"label": f.label, "error": f.error, "attempts": f.attempts} for f in found.failures],
        "damaged": problems if verify or problems else None,
    }
    if json:
        put(_json(told))
    else:
        put(f"{run}: {'finished' if found.finished else 'not finished'}")
        put("units: " + ", ".join(f"{kind} {count}" for kind, count in sorted(found.units.items())))
        for failure in found.failures:
            put(f"failed: {failure.label} ({failure.attempts} attempts): {failure.error}")
        for problem in problems:
            put(f"damaged: {problem}")
        if verify and not problems:
            put("every file is as its manifest says")
    if problems:
        raise CorruptUnit(
            f"{len(problems)} damaged files in {run}",
            "remove the folders of those units and run the same command again",
        )


@dataclass
class _Found:
    """What can be read of a run folder, and what cannot."""

    finished: bool = False
    units: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def _found(store: Store) -> _Found:
    """Everything in a run folder that can be read: one damaged file does not hide the others."""
    found = _Found()
    try:
        found.finished = bool((store.read_plan() or {}).get("finished"))
    except CorruptUnit as error:
        found.damaged.append(error.cause)
    for key in store.keys():  # noqa: SIM118 -- a store is no mapping
        try:
            kind = store.get(key).kind
        except CorruptUnit as error:
            found.damaged.append(error.cause)
        else:
            found.units[kind] = found.units.get(kind, 0) + 1
    for path in sorted((store.root / "failures").glob("*.json")):
        try:
            failure = store.failure(path.stem)
        except CorruptUnit as error:
            found.damaged.append(error.cause)
        else:
            found.failures += [failure] if failure else []
    return found


def compare(run: Path, other: Path, *, json: Flag = False) -> None:
    """Say what differs between two run folders: units that only one has, and units with other contents.

    Args:
        run: a run folder.
        other: another one.
        json: one JSON document.

    Examples:
        gifthorse compare runs/mine runs/yours
    """
    found = differences(opened(run), opened(other))
    if json:
        put(_json(found))
        return
    for kind, rows in found.items():
        for row in rows:
            put(f"{kind}: {row}")
    if not any(found.values()):
        put("the same units with the same contents")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
