"""Everything that passes from room to room: frozen dataclasses, their JSON, and their digest.

Standard library only. A record holds no array: pictures, maps and weights are files of a unit, named by an
:class:`Images` or a file name, so that a record can be read, compared and hashed without torch or numpy.
"""

from gifthorse.records.canonical import SCHEMA, canonical, digest, plain, read
from gifthorse.records.captions import Caption, PoolSample, Theme
from gifthorse.records.experiments import Attack, Attacks, Crossed
from gifthorse.records.findings import (
    Effect,
    Evidence,
    Finding,
    Insertion,
    Measure,
    Precision,
    Recovery,
    Trial,
    Verdict,
)
from gifthorse.records.implants import (
    Brief,
    Case,
    Detection,
    Gate,
    Implant,
    Network,
    Probes,
    Reached,
    Stamped,
    Success,
    Trained,
)
from gifthorse.records.suites import (
    Gates,
    Images,
    Interval,
    Option,
    Planting,
    Protocol,
    Question,
    Recipe,
    Spec,
    Suite,
    TrojanSpec,
)
from gifthorse.records.units import Cell, Cost, Failure, Ground, Plan, cell

__all__ = [
    "SCHEMA",
    "Attack",
    "Attacks",
    "Brief",
    "Caption",
    "Case",
    "Cell",
    "Cost",
    "Crossed",
    "Detection",
    "Effect",
    "Evidence",
    "Failure",
    "Finding",
    "Gate",
    "Gates",
    "Ground",
    "Images",
    "Implant",
    "Insertion",
    "Interval",
    "Measure",
    "Network",
    "Option",
    "Plan",
    "Planting",
    "PoolSample",
    "Precision",
    "Probes",
    "Protocol",
    "Question",
    "Reached",
    "Recipe",
    "Recovery",
    "Spec",
    "Stamped",
    "Success",
    "Suite",
    "Theme",
    "Trained",
    "Trial",
    "TrojanSpec",
    "Verdict",
    "canonical",
    "cell",
    "digest",
    "plain",
    "read",
]
