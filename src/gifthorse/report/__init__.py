"""The report: a run folder as one HTML file that opens from disk, without a network and without a library.

:func:`write` reads the records through the store, builds the typed contexts of :mod:`gifthorse.report.contexts`, and
draws them with the templates beside this file. No torch. The same records give the same bytes.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import importlib.resources
import os
from pathlib import Path

from markupsafe import Markup

from gifthorse.report.build_claims import claims
from gifthorse.report.build_costs import costs
from gifthorse.report.build_found import synthesis
from gifthorse.report.build_head import contents, head
from gifthorse.report.build_judged import findings, judged
from gifthorse.report.build_maps import attribution
from gifthorse.report.build_planted import planted
from gifthorse.report.build_ran import missing, ran
from gifthorse.report.build_trojans import trojan_page
from gifthorse.report.contexts_page import Page
from gifthorse.report.desk import Desk, Ledger
from gifthorse.report.environment import environment
from gifthorse.report.gather import Run, gather
from gifthorse.report.pictures import Album
from gifthorse.store import Store

__all__ = ["LIMIT", "build", "draw", "environment", "write"]

LIMIT = 20_000_000
"""Bytes that a page may have; beyond it pictures shrink, and then galleries show the kept findings only."""

_SIZES = ((128, True), (96, True), (64, True), (64, False), (48, False))


def write(store: Store, out: Path, *, inputs: bool = True) -> Path:
    """Draws a run folder's report.

    Args:
        store: the run folder, finished or not.
        out: where the HTML file goes; its folder is made.
        inputs: whether images of the data are shown; without them the page may be published where the data may not.

    Returns:
        ``out``.

    Raises:
        CorruptUnit: a file of the run is damaged.
    """
    run = gather(store)
    html = b""
    for side, everything in _SIZES:
        html = draw(build(run, Album(side=side, inputs=inputs), everything=everything)).encode()
        if len(html) <= LIMIT:
            break
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    temporary.write_bytes(html)
    temporary.replace(out)
    return out


def build(run: Run, album: Album, *, everything: bool = True) -> Page:
    """The page's contexts.

    Args:
        run: the records.
        album: makes the pictures.
        everything: whether galleries show more than what was kept.
    """
    desk = Desk(run=run, album=album, ledger=Ledger(), everything=everything)
    networks = list(dict.fromkeys(implant.record.network for implant in run.implants))
    first = tuple(planted(desk, implant) for implant in run.implants)
    maps = tuple(filter(None, (attribution(desk, network) for network in networks)))
    found = tuple(filter(None, (synthesis(desk, network) for network in networks)))
    pages = tuple(trojan_page(desk, puzzle) for puzzle in run.puzzles)
    tables = tuple(table for network in networks for table in judged(desk, network))
    script = _text("script.js")
    return Page(
        head=head(desk, (first, maps, tables)),
        contents=contents(desk, (first, maps, found), (pages, tables)),
        planted=first,
        claims=claims(desk),
        attribution=maps,
        synthesis=found,
        trojans=pages,
        judged=tables,
        findings=findings(desk),
        costs=costs(desk),
        missing=missing(desk),
        ran=ran(desk),
        style=Markup(_text("style.css")),
        script=Markup(script),
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
    )


def draw(page: Page) -> str:
    """The page as HTML."""
    names = {field.name: getattr(page, field.name) for field in dataclasses.fields(page)}
    return environment().get_template("page.html.j2").render(names)


def _text(name: str) -> str:
    return importlib.resources.files("gifthorse.report").joinpath("templates", name).read_text(encoding="utf-8")
