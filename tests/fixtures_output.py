"""A made-up run that counts as finished, so that the verbs that work have nothing to do."""

from __future__ import annotations

from gifthorse import report
from gifthorse.cli.options import RunOptions
from gifthorse.store import Store


def finish(store: Store, inputs: bool = True) -> None:
    """Note that the default request was carried out here."""
    plan = store.read_plan() or {}
    failed = plan["failed"]
    keys = {kind: [key for key in named if key not in failed] for kind, named in plan["keys"].items()}
    asked = RunOptions().asked().digest
    store.write_plan(plan | {"asked": asked, "keys": keys, "failed": [], "finished": True, "inputs": inputs})
    report.write(store, store.root / "report.html", inputs=inputs)
