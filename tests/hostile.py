"""Sixty strings that break out of pages, and a run folder in which every name and text is one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fixtures_run import REFUSAL
from fixtures_suite import NETWORK, TROJANS, question

from gifthorse.records import cell
from gifthorse.store import Store
from gifthorse.tables.found import MEASURES

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    '"><img src=x onerror=alert(4)>',
    "'><svg onload=alert(5)>",
    "</style><script>alert(6)</script>",
    "</title><script>alert(7)</script>",
    "</pre><b>bold</b>",
    "</td></tr></table><h1>out</h1>",
    "<!-- comment",
    "--> after",
    "<![CDATA[x]]>",
    "<?php echo 1 ?>",
    "<!doctype html>",
    "<a href='javascript:alert(8)'>x</a>",
    "javascript:alert(9)",
    "data:text/html,<script>alert(10)</script>",
    '" onmouseover="alert(11)',
    "' onfocus='alert(12)' autofocus='",
    "` onload=alert(13) `",
    'x" style="display:none',
    "&lt;script&gt;",
    "&amp;amp;",
    "&#60;b&#62;",
    "&quot;&apos;",
    "{{ 7*7 }}",
    "{% for x in y %}",
    "{# gone #}",
    "${7*7}",
    "<%= 1 %>",
    "#{1}",
    "{{ head.title|safe }}",
    "\\u003cscript\\u003e",
    "%3Cscript%3E",
    '\\"; alert(14); //',
    "'; DROP TABLE units; --",
    "=1+1",
    "+SUM(A1)",
    "-2+3",
    "@cmd",
    "<iframe srcdoc='<b>x'>",
    "<base href=https://example.org/>",
    "<meta http-equiv=refresh content=0>",
    "<link rel=stylesheet href=//x>",
    "<form action=//x><button>",
    "<dialog open>",
    "<details open ontoggle=alert(15)>",
    "<math><mi xlink:href=x>",
    "<template>",
    "<plaintext>",
    "<textarea>",
    "<noscript>",
    "<select><option>",
    "\u202eright to left",
    "\u2066isolate\u2069",
    "a\u0301\u0300\u0302 combined",
    "😀🏴‍☠️ emoji",
    "\u200bzero\u200dwidth",
    "tab\tand\nnew line",
    "漢字 العربية עברית",
)

KEPT = frozenset(
    {"patch", "style", "natural_feature", "universal", "class_universal", "attribution", "synthesis", "trojaned"}
    | {"clean", "frame", "blend", "quick", "confidence", "correct", "chosen", "pearson", "pearson_alpha", "l1"}
    | {"pointing_game", "footprint", "maps.npy", "nan", "inf", "-inf", "edges_sobel", *MEASURES}
)
"""Words that the code itself knows, which no user writes."""


SHOWN = (
    *TROJANS,
    *(option.caption for name in TROJANS for option in question(name).options),
    *("occlusion", "saliency", "adversarial_patch", "cppn_target", "guided_gradcam", "37.0%", "blank", "noise"),
    *("truth", "match", NETWORK, "emoji3", "smiley face", "bullfrog", "orangutan", "cicada", "wallet", "bee", "fly"),
    *("gifthorse run --suite emoji3", "2026-01-02T03:04:05+00:00", "0.1.0", "3.11.2", "2.14.1", "Linux", REFUSAL),
    *("a processor", "success", "clean drop", "2.0 points", "emoji-clip"),
    "LimitReached: the machine has 512 MiB left and this cell needs 900 MiB",
    *("round <yellow> things & faces", "leopard"),
    *("cppn_target on fork", "the map is constant", "every map is constant, so it has no correlation with any mask"),
)
"""Texts that the page is known to show: these become the first hostile ones, so that each of those is seen."""


class Poison:
    """Replaces every text by a hostile one, the same text always by the same."""

    def __init__(self, kept: frozenset[str] = KEPT) -> None:
        self.kept = kept
        self.given: dict[str, str] = {}

    def __call__(self, value: Any, name: str = "") -> Any:
        if isinstance(value, Mapping):
            return {key: self(item, str(key)) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self(item, name) for item in value]
        if not isinstance(value, str) or value in self.kept or self._named(value, name):
            return value
        if value not in self.given:
            number = len(self.given)
            self.given[value] = f"{HOSTILE[number % len(HOSTILE)]} {number}"
        return self.given[value]

    def _named(self, value: str, name: str) -> bool:
        """Keys, hashes and file names, which the store itself makes."""
        return name in ("sha256", "file", "digest", "unit", "evidence", "maps", "art") or len(value) == 64


def make_hostile(clean: Store, root: Path) -> tuple[Store, Poison]:
    """A copy of a run folder with hostile texts, and what each text became."""
    store, poison = Store(root), Poison()
    for text in SHOWN:
        poison(text)
    keys: dict[str, str] = {}
    order = ("trained", "implant", "evidence", "effect", "verdict", "caption")
    for unit in sorted(clean.units(), key=lambda unit: (order.index(unit.kind), unit.key)):
        record = poison(unit.data)
        if "evidence" in record:
            record["evidence"] = keys[record["evidence"]]
        work = cell(unit.kind, "a label", "tests:none", poison(unit.inputs) | {"was": unit.key})
        with store.draft(work) as draft:
            for file in unit.files:
                draft.write(file, unit.read(file))
            cost = unit.cost()
            assert cost is not None
            store.commit(draft, work, record, cost)
        keys[unit.key] = work.key
    for failure in clean.failures():
        changes = {name: poison(getattr(failure, name)) for name in ("label", "error", "traceback")}
        store.fail(dataclasses.replace(failure, **changes))
    plan = clean.read_plan() or {}
    named = {kind: [keys.get(key, key) for key in found] for kind, found in plan["keys"].items()}
    store.write_plan(poison({key: value for key, value in plan.items() if key != "keys"}) | {"keys": named})
    return store, poison
