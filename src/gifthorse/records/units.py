"""Units of work: what to make, on what ground, at what cost, and what could not be made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gifthorse.records.canonical import SCHEMA, digest, plain
from gifthorse.records.suites import Protocol, Spec, Suite


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of the work on a unit, and the wall time that it took."""

    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a unit cost. No hash covers it and no comparison reads it.

    Attributes:
        seconds: wall time.
        forward, backward: images through the classifier under test, counted there.
        peak_bytes: peak resident memory of the process while it worked.
        phases: its parts, where the work says so.
    """

    seconds: float
    forward: int = 0
    backward: int = 0
    peak_bytes: int = 0
    host: str = ""
    attempt: int = 1
    phases: tuple[Phase, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A unit that could not be made. It lies beside the units, never under their key.

    Attributes:
        context: of its cell, so that a table can say which network, tool and trojan it is about.
    """

    key: str
    kind: str
    label: str
    error: str
    traceback: str
    attempts: int
    retryable: bool
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The machine settings that change bits, as resolved (never ``auto``): part of every key that runs a network.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``float32`` or ``bfloat16`` (autocast; scores are computed in float32 all the same).
        threads: of torch on a CPU; one and two give different bits.
    """

    device: str
    precision: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is to do: the suite, who looks, who judges, with which budget, on what ground.

    Attributes:
        alone: threads of a cell that is the only one of its stage, on a CPU; 0 for those of the ground.
        names: what each of the tools is called, where one comes several times with other settings.
        captioners: who names what found sets have in common.
    """

    suite: Suite
    tools: tuple[Spec, ...]
    judges: tuple[Spec, ...]
    protocol: Protocol
    ground: Ground
    alone: int = 0
    names: tuple[str, ...] = ()
    captioners: tuple[Spec, ...] = ()

    def named(self) -> tuple[tuple[str, Spec], ...]:
        """The tools with what they are called."""
        return tuple(zip(self.names or [tool.name for tool in self.tools], self.tools, strict=True))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One unit of work: what to make, with which module-level function, from what.

    Attributes:
        key: digest of kind, inputs and schema version, and of nothing else.
        kind: ``implant``, ``evidence``, ``effect``, ``verdict``, ...
        label: for people: ``occlusion on smiley_emoji``.
        function: ``"module:name"``, called as ``function(store, cell, draft) -> record``.
        inputs: everything that the result depends on, JSON values.
        context: where to find it (unit keys, names for labels): never hashed, never changes the content.
        weight: expected cost in passes, for the time left.
    """

    key: str
    kind: str
    label: str
    function: str
    inputs: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)
    weight: float = 1.0


def cell(kind: str, label: str, function: str, inputs: dict[str, Any], **rest: Any) -> Cell:
    """A Cell with its key worked out; ``rest`` are ``context`` and ``weight``."""
    values = plain(inputs)
    key = digest({"schema": SCHEMA, "kind": kind, "inputs": values})
    return Cell(key=key, kind=kind, label=label, function=function, inputs=values, **rest)
