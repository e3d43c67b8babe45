"""What differs between two run folders."""

from __future__ import annotations

from gifthorse.store import Store


def differences(one: Store, other: Store) -> dict[str, list[str]]:
    """Units that only one folder has, and units that both have with different contents; costs are not compared."""
    mine = {unit.key: unit for unit in one.units()}
    theirs = {unit.key: unit for unit in other.units()}
    return {
        f"only in {one.root}": [f"{u.kind} {key}" for key, u in mine.items() if key not in theirs],
        f"only in {other.root}": [f"{u.kind} {key}" for key, u in theirs.items() if key not in mine],
        "other contents": [
            f"{u.kind} {key}"
            for key, u in mine.items()
            if key in theirs and (u.data, u.files) != (theirs[key].data, theirs[key].files)
        ],
    }
