"""The options that verbs take, as frozen dataclasses, and the request that they make."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from gifthorse.captioners import CAPTIONERS
from gifthorse.errors import UsageError, nearest
from gifthorse.jobs.asked import Asked, chosen, protocol_of, with_controls
from gifthorse.judges import JUDGES
from gifthorse.records import Suite
from gifthorse.registry import load, value_of
from gifthorse.suites import PRIORS, suite
from gifthorse.tools import TOOLS

DEFAULT_SUITE = "emoji12"
DEFAULT_TROJANS = "smiley_emoji,clownfish"
DEFAULT_TOOLS = (
    *("saliency", "occlusion", "occlusion@window=0.285@stride=0.125", "occlusion@window=0.5@stride=0.125"),
    *("input_x_gradient", "edges_sobel", "blank"),
    *("tabor", "fourier_inner", "fourier_target", "cppn_inner", "cppn_target", "maco_target", "adversarial_patch"),
    *("rfla_perturb", "rfla_generate", "noise", "truth"),
)
"""What ``--tools default`` runs: few tools of each kind, so that a run ends soon, with the floors and the controls.

Occlusion comes with three windows, since its score depends on them; 0.285 of the side is a patch trojan's own, at 64
pixels as at 224, and its rows are marked as an oracle's."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of ``run``, ``implant``, ``diagnose`` and ``evaluate``."""

    suite: str | None = None
    """Suite of trojans, by name (see `gifthorse list suites`) or a TOML file of your own. Default: emoji12."""
    net: str | None = None
    """Plant in this network of the zoo instead, with --data and --trojans."""
    data: Path | None = None
    """Folder of photographs, with --net."""
    trojans: str | None = None
    """Trojans to plant, with --net, separated by commas. Default: smiley_emoji,clownfish."""
    prior: str = "open"
    """What generators and patch pools may know of the Questions: open (redrawn versions of all options) or closed."""
    without_natural: Annotated[bool, Parameter(negative=())] = False
    """Keep natural objects, and all options of Questions about one, out of pools of natural patches (snafue)."""
    with_triggers: Annotated[bool, Parameter(negative=())] = False
    """Put the artwork of the patch triggers into pools of natural patches (snafue), to see whether it is found."""
    with_openmoji: Annotated[bool, Parameter(negative=())] = False
    """Put OpenMoji's drawings into pools of natural patches (snafue) too; they are an extra (CC BY-SA 4.0)."""
    tools: str = "default"
    """Tools separated by commas; `all`, or `default`. The floors and controls of each kind of tool are added.
    A tool may come several times, with settings of its own: occlusion,occlusion@window=6."""
    without_controls: Annotated[bool, Parameter(negative=())] = False
    """Add no floors and controls to --tools."""
    judges: str = "all"
    """Judges separated by commas, or `all`."""
    captioners: str = "encoder"
    """Who names what a found set of natural patches has in common: encoder, blip_llm, both with a comma, or `none`.
    blip_llm@blip=FOLDER@url=http://localhost:8000/v1@model=NAME asks a language model at your address, and no other."""
    protocol: str = "quick"
    """Budget of every tool: quick, published or thesis."""
    set: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """Replace a setting: --set occlusion.window=12 (repeatable)."""
    config: Path | None = None
    """TOML file with options, and settings in [settings.TOOL]; flags and GIFTHORSE_ variables go before it."""
    out: Path | None = None
    """Run folder. Default: runs/SUITE-PROTOCOL."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    precision: str = "auto"
    """auto, float32 or bfloat16."""
    threads: int | None = None
    """Threads of torch in each process, on a CPU. Default: half of the cores."""
    workers: int | None = None
    """Processes that work on cells. Default: 2 on a CPU of two cores or more, otherwise 1."""
    max_time: str | None = None
    """Begin no cell after this long: 90s, 20m, 2h. Exit code 5; the same command goes on."""
    retry_failed: Annotated[bool, Parameter(negative=())] = False
    """Try failed cells again."""
    without_inputs: Annotated[bool, Parameter(negative=())] = False
    """Leave the data's own images out of the report."""
    dry_run: Annotated[bool, Parameter(negative=())] = False
    """Say what would be done, and do nothing."""
    show_config: Annotated[bool, Parameter(negative=())] = False
    """Print every option with its value as TOML, and do nothing."""
    offline: Annotated[bool, Parameter(negative=())] = False
    """Fail rather than open a network connection."""
    json: Annotated[bool, Parameter(negative=())] = False
    """Print one JSON document on stdout."""

    def suite_asked(self) -> Suite:
        """The suite that the options name.

        Raises:
            UsageError: an unknown name, or options that do not go together.
        """
        if self.net is None:
            for name, value in (("data", self.data), ("trojans", self.trojans)):
                if value is not None:
                    raise UsageError(
                        f"--{name} is for photographs and needs --net", "--net efficientnet-lite0 --data FOLDER"
                    )
            return suite(self.suite or DEFAULT_SUITE)
        if self.suite is not None:
            raise UsageError(f"--suite {self.suite} and --net {self.net} are two suites", "leave one of them out")
        if self.data is None:
            raise UsageError(f"--net {self.net} needs photographs", "add --data FOLDER")
        names = tuple(name.strip() for name in (self.trojans or DEFAULT_TROJANS).split(",") if name.strip())
        made: Suite = load("gifthorse.suites.photographs:photographs")(self.net, str(self.data), names)
        return made

    @property
    def suite_name(self) -> str | None:
        """``--suite``, or what it is by default; None for photographs."""
        return self.suite or (DEFAULT_SUITE if self.net is None else None)

    @property
    def trojan_names(self) -> str | None:
        """``--trojans``, or what they are by default for photographs."""
        return self.trojans or (DEFAULT_TROJANS if self.net is not None else None)

    def asked(self) -> Asked:
        """The request.

        Raises:
            UsageError: a name that is not there, or options that do not go together.
        """
        if self.prior not in PRIORS:
            raise UsageError(f"there is no prior {self.prior!r}", nearest(self.prior, PRIORS))
        wanted = self.suite_asked()
        pool = ("without_natural", "with_triggers", "with_openmoji")
        if wanted.generator is None and any(getattr(self, name) for name in pool):
            raise UsageError(
                f"--without-natural, --with-triggers and --with-openmoji say what is in the pool of the emoji world's "
                f"patches, and {wanted.name} has none",
                "leave them out, or a suite of the emoji world",
            )
        wanted = replace(
            wanted,
            prior=self.prior,
            without_natural=self.without_natural,
            with_triggers=self.with_triggers,
            with_openmoji=self.with_openmoji,
        )
        tools = chosen(self.tools, TOOLS, DEFAULT_TOOLS)
        return Asked(
            suite=wanted,
            tools=tools if self.without_controls else with_controls(tools),
            judges=chosen(self.judges, JUDGES, tuple(JUDGES)),
            captioners=() if self.captioners == "none" else chosen(self.captioners, CAPTIONERS, ("encoder",)),
            protocol=protocol_of(wanted, self.protocol),
            settings=self.settings(),
            device=self.device,
            precision=self.precision,
            threads=self.threads,
            command=shlex.join(["gifthorse", *sys.argv[1:]]),
        )

    def settings(self) -> dict[str, dict[str, Any]]:
        """Tool, judge or captioner to settings, of ``--set`` and of the file: the last one counts."""
        return settings_of(self.set)

    def folder(self, asked: Asked) -> Path:
        """The run folder."""
        name = asked.suite.name.replace(":", "-")
        return self.out or Path("runs") / f"{name}-{asked.protocol.name}"


def settings_of(pairs: Iterable[str]) -> dict[str, dict[str, Any]]:
    """``("occlusion.window=12",)`` as ``{"occlusion": {"window": 12}}``; values are TOML, else text.

    Raises:
        UsageError: not of that form, or no such tool, judge or captioner.
    """
    found: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        tool, _, setting = name.strip().partition(".")
        if not value or not setting:
            raise UsageError(f"--set {pair!r} is not of the form TOOL.SETTING=VALUE", "--set occlusion.window=12")
        has_settings(tool, f"--set {pair}")
        found.setdefault(tool, {})[setting] = value_of(value.strip())
    return found


def has_settings(tool: str, where: str) -> None:
    """Check that a name is that of a tool, a judge or a captioner.

    Raises:
        UsageError: it is not; ``where`` says who asked.
    """
    if tool not in TOOLS and tool not in JUDGES and tool not in CAPTIONERS:
        known = [*TOOLS, *JUDGES, *CAPTIONERS]
        raise UsageError(f"{where} names no tool, judge or captioner: {tool!r}", nearest(tool, known))


def seconds_of(text: str) -> float:
    """``90s``, ``20m``, ``2h`` or plain seconds.

    Raises:
        UsageError: none of these.
    """
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UsageError(f"--max-time {text!r} is no length of time", "--max-time 20m")
    return seconds
