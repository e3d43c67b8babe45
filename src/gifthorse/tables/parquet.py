"""Tables as Parquet files, one a table, with a schema that does not depend on the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gifthorse import disk
from gifthorse.tables.columns import COLUMNS, COUNT, NUMBER, NUMBERS, TEXT, TEXTS, TRUTH

_TYPES = {
    TEXT: pa.string(),
    NUMBER: pa.float64(),
    COUNT: pa.int64(),
    TRUTH: pa.bool_(),
    TEXTS: pa.list_(pa.string()),
    NUMBERS: pa.list_(pa.float64()),
}


def schema(name: str) -> pa.Schema:
    """The schema of a table."""
    return pa.schema([(column, _TYPES[kind]) for column, kind in COLUMNS[name].items()])


def write_parquet(tables: Mapping[str, Sequence[Mapping[str, Any]]], folder: Path) -> list[Path]:
    """Writes each table to ``folder/NAME.parquet``; a reader sees the old file or the new one, never half of one.

    Args:
        tables: as :func:`gifthorse.tables.tables` gives them. A table without rows becomes a file without rows.
        folder: made if it is not there.

    Returns:
        The paths, in the order of the tables.

    Raises:
        InputError: the folder cannot be written.
        LimitReached: the disk is full.
    """
    with disk.speaking(folder):
        disk.make_folder(folder)
    paths = []
    for name, rows in tables.items():
        path = folder / f"{name}.parquet"
        written = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema(name)), written)
        with disk.speaking(path):
            disk.replace(path, written.getvalue().to_pybytes())
        paths.append(path)
    return paths
