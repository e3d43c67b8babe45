"""What other programs rely on changes on purpose only (P58)."""

from __future__ import annotations

import json

from surface import KEPT, different, spelt_out, surface


def test_nothing_that_others_rely_on_changed_by_accident() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    now = json.loads(spelt_out(surface()))
    told = different(kept, now)
    assert not told, "\n".join(
        [
            "others rely on this; if the change is meant: python tests/surface.py --update, and say so in CHANGELOG",
            *told,
        ]
    )
    assert list(map(list, kept["tables"].values())) == list(map(list, now["tables"].values())), "the order of columns"


def test_every_difference_is_told() -> None:
    was = {"public": {"tool": "(name: str)", "gone": "x"}, "schema": 1}
    now = {"public": {"tool": "(name: str, *)", "more": "y"}, "schema": 2}
    assert different(was, now) == [
        "/public/gone: is gone",
        "/public/more: is new",
        "/public/tool: was '(name: str)', is '(name: str, *)'",
        "/schema: was 1, is 2",
    ]
