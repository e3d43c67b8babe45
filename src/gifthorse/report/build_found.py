"""Builds "Synthesis" and the galleries: what the tools made, as Figure 5.17 and by trojan."""

from __future__ import annotations

from gifthorse.records import Evidence, Finding
from gifthorse.report import words
from gifthorse.report.build_captions import said
from gifthorse.report.build_judged import cell, chance_of, judges_of
from gifthorse.report.build_planted import NOTHING
from gifthorse.report.contexts import Picture
from gifthorse.report.contexts_found import Best, BestRow, Gallery, Grid, GridRow, Made, Synthesis
from gifthorse.report.desk import Desk, classes, part_anchor, sources, tool_name, tools_of
from gifthorse.report.gather import Kept, Puzzle

CHOSEN = "fork"
"""The trojan that is shown as in Figure 5.17; the first of the network where it is not there."""

BESIDE = 30
"""The most findings of a tool that a trojan's page shows beside those that were kept: of a hundred, the record has the
rest."""


def synthesis(desk: Desk, network: str) -> Synthesis | None:
    """One network's part, or None where no synthesis tool looked at it."""
    puzzles = [p for p in desk.run.within(network) if any(e.record.kind == "synthesis" for e in p.evidence)]
    if not puzzles:
        return None
    tools = tools_of([e for p in puzzles for e in p.evidence if e.record.kind == "synthesis"])
    judge = next(iter(judges_of(desk, network)), "")
    chance = chance_of(desk, network, judge)
    first = next((p for p in puzzles if p.name == CHOSEN), puzzles[0])
    return Synthesis(
        anchor=part_anchor("synthesis", network),
        network=network,
        tools=tuple(tool_name(tool) for tool in tools),
        best=tuple(
            BestRow(
                link=desk.local(puzzle),
                truth=desk.truth(puzzle, 64),
                success=desk.number(
                    puzzle.success.success if puzzle.success else NOTHING, [puzzle.implant.key], "percent"
                ),
                best=tuple(
                    Best(
                        picture=_best(desk, puzzle, tool),
                        cell=cell(desk, puzzle, tool, judge, chance) if judge else None,
                    )
                    for tool in tools
                ),
            )
            for puzzle in puzzles
        ),
        judge=judge,
        chance=words.score(chance, 3),
        grid=_grid(desk, first, tools),
        others=tuple(desk.local(puzzle) for puzzle in puzzles if puzzle is not first),
    )


def _best(desk: Desk, puzzle: Puzzle, tool: str) -> Picture | None:
    for kept in puzzle.of(tool):
        for index in kept.record.kept:
            made = _made(desk, puzzle, kept, index, 64)
            if made.picture is not None:
                return made.picture
    return None


def _grid(desk: Desk, puzzle: Puzzle, tools: tuple[str, ...]) -> Grid:
    spec = puzzle.case.trojan
    return Grid(
        link=desk.local(puzzle),
        note=f"{words.kind(spec.kind)}, {sources(puzzle)} → {classes(puzzle)(spec.target)}",
        truth=desk.truth(puzzle, 128),
        rows=tuple(_grid_row(desk, puzzle, tool) for tool in tools),
    )


def _grid_row(desk: Desk, puzzle: Puzzle, tool: str) -> GridRow:
    pieces = puzzle.of(tool)
    made = tuple(_made(desk, puzzle, kept, index, 128) for kept in pieces for index in kept.record.kept)
    return GridRow(tool=tool_name(tool), made=made, excuse="" if made else excuse(pieces))


def excuse(pieces: tuple[Kept[Evidence], ...]) -> str:
    """Why a tool left nothing for a trojan."""
    if not pieces:
        return "no record: it failed or has not run, see what is missing"
    refusals = [kept.record.refusal for kept in pieces if kept.record.refusal]
    return f"refused: {refusals[0]}" if refusals else "it kept nothing"


def _made(desk: Desk, puzzle: Puzzle, kept: Kept[Evidence], index: int, width: int) -> Made:
    record = kept.record
    finding = record.findings[index]
    rank = record.kept.index(index) + 1 if index in record.kept else 0
    which = f"number {rank} by loss" if rank else "not kept"
    picture = None
    if finding.picture is not None and record.pictures is not None:
        alt = f"{record.tool.name} for {puzzle.name}: finding {index + 1} of {len(record.findings)}, {which}"
        picture = desk.album.stored(kept.unit, record.pictures, finding.picture, alt, width)
    return Made(
        picture=picture,
        words=finding.words or "",
        loss=desk.plain(finding.loss, words.loss(finding.loss), [kept.key]),
        kept=bool(rank),
    )


def galleries(desk: Desk, puzzle: Puzzle) -> tuple[Gallery, ...]:
    """What the synthesis tools made for one trojan: all that was kept, then the best of the rest by loss."""
    pieces = [kept for kept in puzzle.evidence if kept.record.kind == "synthesis"]
    several = len(pieces) > len({kept.record.tool.name for kept in pieces})
    order = tools_of(pieces)
    return tuple(
        _gallery(desk, puzzle, kept, several)
        for kept in sorted(pieces, key=lambda kept: (order.index(kept.record.tool.name), kept.record.seed, kept.key))
    )


def _gallery(desk: Desk, puzzle: Puzzle, kept: Kept[Evidence], several: bool) -> Gallery:
    record = kept.record
    rest = sorted(set(range(len(record.findings))) - set(record.kept), key=lambda i: (record.findings[i].loss, i))
    shown = [*record.kept, *(rest[:BESIDE] if desk.everything else ())]
    how = {_how(finding) for finding in record.findings}
    told = [f"{len(record.findings)} made, {len(record.kept)} kept", words.listed(sorted(how)), *record.hints]
    if several:
        told.append(f"seed {record.seed}")
    return Gallery(
        tool=tool_name(record.tool.name),
        href=desk.ledger.link([kept.key], ""),
        told="; ".join(part for part in told if part),
        made=tuple(_made(desk, puzzle, kept, index, 96) for index in shown),
        film=_film(desk, puzzle, kept),
        filmed=words.listed([str(step) for step in record.filmed]),
        unshown=len(record.findings) - len(shown),
        captions=tuple(said(desk, caption) for caption in desk.run.captions.get(kept.key, ())),
        excuse="" if record.findings else excuse((kept,)),
    )


def _film(desk: Desk, puzzle: Puzzle, kept: Kept[Evidence]) -> tuple[Picture, ...]:
    record = kept.record
    if record.film is None or len(record.filmed) < 2:
        return ()
    return tuple(
        desk.album.stored(
            kept.unit, record.film, index, f"{record.tool.name} for {puzzle.name}: the best one after {step} steps", 64
        )
        for index, step in enumerate(record.filmed)
    )


def _how(finding: Finding) -> str:
    return "words" if finding.words is not None else words.insertion(finding.insertion)
