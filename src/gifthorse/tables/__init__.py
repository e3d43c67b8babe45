"""Records to tidy tables: the columns of the design first, one row an observation, values that JSON can hold.

``tables`` reads a run folder and imports no torch, and SciPy only when it compares tools (``paired``);
:mod:`gifthorse.tables.compare` adds up over trojans and compares tools in general, :mod:`gifthorse.tables.parquet`
writes files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from gifthorse.registry import load
from gifthorse.store import Store
from gifthorse.tables import captions, rows
from gifthorse.tables.columns import COLUMNS
from gifthorse.tables.found import Found, Row

TABLES: dict[str, Callable[[Found], Iterator[Row]]] = {
    "network": rows.network_rows,
    "implant": rows.implant_rows,
    "footprint": rows.footprint_rows,
    "match": rows.match_rows,
    "effect": rows.effect_rows,
    "cost": rows.cost_rows,
    "options": rows.options_rows,
    "caption": captions.caption_rows,
    "paired": lambda found: load("gifthorse.tables.paired:paired_rows")(found),
}
"""Table name to what makes its rows."""


def tidy_tables(store: Store) -> dict[str, list[dict[str, Any]]]:
    """The tidy tables of a run folder, finished or not.

    Rows are ordered by network, tool and trojan (as the suite lists them). If ``plan.json`` names keys of a kind,
    units of earlier requests in the same folder are left out.

    Args:
        store: the run folder.

    Returns:
        Table name to rows; each row has all columns of :data:`COLUMNS`, in order. Numbers are finite or None.

    Raises:
        CorruptUnit: a manifest or the plan is damaged.
    """
    found = Found(store)
    made = {}
    for name, make in TABLES.items():
        ordered = sorted(make(found), key=found.place)
        made[name] = [{column: _json(row.get(column)) for column in COLUMNS[name]} for row in ordered]
    return made


def _json(value: Any) -> Any:
    """The value, with None for every number that JSON does not have, in lists too."""
    if isinstance(value, list):
        return [_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
