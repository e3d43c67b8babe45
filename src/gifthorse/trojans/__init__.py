"""What is hidden: the kinds of trojan, one file each."""

from __future__ import annotations

from gifthorse.records import TrojanSpec
from gifthorse.registry import Row, Table

TROJANS = Table(
    name="trojan",
    rows={
        "patch": Row("gifthorse.trojans.patch:Patch", "patch", 1, "thesis 3.1; Gu et al. 2019 (BadNets)"),
        "style": Row("gifthorse.trojans.style:Style", "style", 5, "thesis 3.1; Gatys et al. 2016"),
        "natural_feature": Row(
            "gifthorse.trojans.natural_feature:NaturalFeature", "natural_feature", 1, "thesis 3.1; Wenger et al. 2022"
        ),
    },
)


def trojan_of(spec: TrojanSpec) -> object:
    """The Trojan that a suite's spec describes (see ``base.Trojan``)."""
    told = {"caption": spec.caption, "target": spec.target, "sources": spec.sources}
    return TROJANS.make(spec.kind, dict(spec.settings) | told)
