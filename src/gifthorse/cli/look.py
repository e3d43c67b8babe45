"""The verbs that only read: report, tables, list, status, compare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from gifthorse.cli.talk import print_table
from gifthorse.errors import CorruptUnit, InputError, UsageError, nearest
from gifthorse.jobs.comparing import differences
from gifthorse.judges import JUDGES
from gifthorse.registry import Row, load
from gifthorse.store import Store
from gifthorse.suites import SUITES
from gifthorse.tools import TOOLS
from gifthorse.trojans import TROJANS
from gifthorse.zoo import DATA, DETECTORS, ENCODERS, NETWORKS

Flag = Annotated[bool, Parameter(negative=())]
LISTED: dict[str, Mapping[str, Row]] = {
    "tools": TOOLS,
    "trojans": TROJANS,
    "judges": JUDGES,
    "networks": NETWORKS,
    "data": DATA,
    "encoders": ENCODERS,
    "detectors": DETECTORS,
}


def opened(run: Path) -> Store:
    """A run folder that is there.

    Raises:
        InputError: it is not.
    """
    if not (run / "plan.json").is_file():
        raise InputError(f"{run} is no run folder: it has no plan.json", "give the folder that `gifthorse run` printed")
    return Store(run)


def report(run: Path, *, out: Path | None = None, without_inputs: Flag = False) -> None:
    """Write the HTML report of a run folder again, and print its path.

    Args:
        run: the run folder.
        out: where to write it; inside the run folder by default.
        without_inputs: leave the data's own images out.

    Examples:
        gifthorse report runs/emoji12-quick
        gifthorse report runs/photographs-quick --without-inputs --out report.html
    """
    store = opened(run)
    print(load("gifthorse.report:write")(store, out or run / "report.html", inputs=not without_inputs))


def tables(run: Path, *, json: Flag = False, parquet: Path | None = None) -> None:
    """Print a run's tidy tables, or write them as Parquet.

    Args:
        run: the run folder.
        json: one JSON document with every table, a list of rows each.
        parquet: folder to write one file a table into.

    Examples:
        gifthorse tables runs/emoji12-quick --json
        gifthorse tables runs/emoji12-quick --parquet tables
    """
    found = load("gifthorse.tables:tables")(opened(run))
    if parquet is not None:
        for path in load("gifthorse.tables.parquet:write_parquet")(found, parquet):
            print(path)
    elif json:
        print(_json(found))
    else:
        for name, rows in found.items():
            columns = tuple(rows[0])[:9] if rows else ()
            print_table(name, columns, [[_short(row[c]) for c in columns] for row in rows])


def listing(what: str = "all", *, json: Flag = False) -> None:
    """List what there is: tools, trojans, judges, networks, data, encoders, detectors, suites.

    Args:
        what: one of these, or `all`.
        json: one JSON document with kind, source and version of each.

    Examples:
        gifthorse list tools
        gifthorse list --json
    """
    if what not in ("all", "suites", *LISTED):
        raise UsageError(f"there is nothing to list called {what!r}", nearest(what, ["all", "suites", *LISTED]))
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, table in LISTED.items():
        if what in ("all", kind):
            found[kind] = [
                {
                    "name": n,
                    "kind": r.kind,
                    "version": r.version,
                    "source": r.source,
                    "floor": r.floor,
                    "extra": r.extra,
                }
                for n, r in table.items()
            ]
    if what in ("all", "suites"):
        found["suites"] = [{"name": name, "source": text} for name, text in SUITES.items()]
    if json:
        print(_json(found))
        return
    for kind, rows in found.items():
        print(f"{kind}:")
        for row in rows:
            print(f"  {row['name']:20} {row.get('kind', ''):12} {row['source']}")


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
    plan = store.read_plan() or {}
    counts: dict[str, int] = {}
    for unit in store.units():
        counts[unit.kind] = counts.get(unit.kind, 0) + 1
    failures = store.failures()
    problems = store.verify() if verify else []
    told = {
        "run": str(run),
        "finished": bool(plan.get("finished")),
        "units": counts,
        "failures": [{"label": f.label, "error": f.error, "attempts": f.attempts} for f in failures],
        "damaged": problems if verify else None,
    }
    if json:
        print(_json(told))
    else:
        print(f"{run}: {'finished' if told['finished'] else 'not finished'}")
        print("units: " + ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())))
        for failure in failures:
            print(f"failed: {failure.label} ({failure.attempts} attempts): {failure.error}")
        for problem in problems:
            print(f"damaged: {problem}")
        if verify and not problems:
            print("every file is as its manifest says")
    if problems:
        raise CorruptUnit(
            f"{len(problems)} damaged files in {run}",
            "remove the folders of those units and run the same command again",
        )


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
        print(_json(found))
        return
    for kind, rows in found.items():
        for row in rows:
            print(f"{kind}: {row}")
    if not any(found.values()):
        print("the same units with the same contents")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
