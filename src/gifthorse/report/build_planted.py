"""Builds "What was planted": Table 3.1, the examples of Figure 3.1, clean accuracy and detectors."""

from __future__ import annotations

from markupsafe import Markup

from gifthorse.records import Gate, Implant, Interval, Success
from gifthorse.report import words
from gifthorse.report.charts import Mark, axis, interval
from gifthorse.report.contexts import DetectorRow, Examples, GateRow, Pair, Planted, PlantedRow
from gifthorse.report.desk import Desk, classes, part_anchor, sources
from gifthorse.report.gather import Kept, Puzzle

EXAMPLES = 2
"""Examples shown of each trojan; twice as many where there is nothing to show before."""

NOTHING = Interval(value=float("nan"), low=float("nan"), high=float("nan"), n=0)
"""What stands where a success was never measured."""


def planted(desk: Desk, implant: Kept[Implant]) -> Planted:
    """One network's part."""
    record = implant.record
    puzzles = desk.run.within(record.network)
    return Planted(
        anchor=part_anchor("planted", record.network),
        network=record.network,
        rows=tuple(_row(desk, puzzle) for puzzle in puzzles),
        axis=axis((0, 0.5, 1), ("0", "50%", "100%")),
        before=desk.number(record.clean_before, [implant.key], "percent"),
        after=desk.number(record.clean_after, [implant.key], "percent"),
        agreement=desk.number(record.agreement, [implant.key], "percent"),
        gates=_gates(desk, record.gates, implant.key),
        detectors=tuple(
            DetectorRow(
                trojan=found.trojan,
                thing=found.thing,
                threshold=desk.plain(found.threshold, words.score(found.threshold), [implant.key]),
                found=desk.plain(found.found, words.whole(found.found), [implant.key]),
                pool=desk.plain(found.pool, words.whole(found.pool), [implant.key]),
                precision=desk.number(found.precision, [implant.key], "percent"),
                recall=desk.number(found.recall, [implant.key], "percent"),
            )
            for found in record.detections
        ),
        examples=tuple(_examples(desk, puzzle) for puzzle in puzzles),
    )


def _gates(desk: Desk, gates: tuple[Gate, ...], key: str, about: str = "") -> tuple[GateRow, ...]:
    return tuple(
        GateRow(
            name=gate.name.removeprefix(f"{about}: "),
            asked=words.signs(gate.asked),
            measured=words.signs(gate.measured),
            met=gate.met,
            href=desk.ledger.link([key], ""),
        )
        for gate in gates
    )


def _row(desk: Desk, puzzle: Puzzle) -> PlantedRow:
    spec, made, key = puzzle.case.trojan, puzzle.success, [puzzle.implant.key]
    success = made.success if made else NOTHING
    published = "" if spec.published is None else words.percent(spec.published)
    count = made.poisoned if made else 0
    return PlantedRow(
        link=desk.local(puzzle),
        trigger=desk.truth(puzzle, 64),
        caption="" if spec.caption == spec.name.replace("_", " ") else spec.caption,
        kind=words.kind(spec.kind),
        scope=words.kind(spec.scope),
        source=sources(puzzle),
        target=classes(puzzle)(spec.target),
        success=desk.number(success, key, "percent"),
        chart=_chart(desk, puzzle, success),
        thesis=published,
        wrong_source=desk.number(made.wrong_source, key, "percent") if made and made.wrong_source else None,
        control=desk.number(made.clean_control if made else NOTHING, key, "percent"),
        poisoned=desk.plain(count, f"{count:,}", key),
        beside=beside(made),
        thesis_poisoned=f"{made.thesis_poisoned:,}" if made and made.thesis_poisoned else "",
        gates=_gates(desk, made.gates, puzzle.implant.key, spec.name) if made else (),
        met=bool(made) and all(gate.met for gate in made.gates) if made else False,
    )


def beside(made: Success | None) -> tuple[str, ...]:
    """What a pass of training had beside poisoned images, in words, a line each."""
    counts = {"balancing": made.balanced, "with decoys": made.decoys} if made else {}
    return tuple(f"+ {count:,} {what}" for what, count in counts.items() if count)


def _chart(desk: Desk, puzzle: Puzzle, success: Interval) -> Markup:
    spec = puzzle.case.trojan
    marks = [Mark(value=asked, kind="gate")] if (asked := _asked(desk, puzzle)) is not None else []
    label = f"success of {spec.name}: {words.percent(success.value)}"
    if asked is not None:
        label += f", gate at {words.percent(asked, 0)}"
    if spec.published is not None:
        marks.append(Mark(value=spec.published, kind="thesis"))
        label += f", in the thesis {words.percent(spec.published)}"
    return interval(success, label, marks=marks)


def _asked(desk: Desk, puzzle: Puzzle) -> float | None:
    """The success that the suite's gates ask of this kind of trojan, as the plan has it."""
    for planting in desk.run.suite.get("plantings", ()):
        if planting.get("network") == puzzle.network:
            value = planting.get("gates", {}).get(puzzle.case.trojan.kind)
            return float(value) if isinstance(value, (int, float)) else None
    return None


def _examples(desk: Desk, puzzle: Puzzle) -> Examples:
    spec = puzzle.case.trojan
    return Examples(
        link=desk.local(puzzle),
        note=f"{words.kind(spec.kind)}, {sources(puzzle)} → {classes(puzzle)(spec.target)}",
        pairs=pairs(desk, puzzle),
    )


def pairs(desk: Desk, puzzle: Puzzle) -> tuple[Pair, ...]:
    """Images with a trigger, and before it was put in."""
    case, spec = puzzle.case, puzzle.case.trojan
    made = []
    many = EXAMPLES if case.before.count else 2 * EXAMPLES
    for index in range(min(many, case.examples.count)):
        before = None
        if index < case.before.count:
            alt = f"an image before {spec.caption} is put in"
            before = desk.of_case(puzzle, case.before, index, alt, 128, private=True)
        alt = f"the same image with {spec.caption}" if before else f"an image that has {spec.caption} in it"
        after = desk.of_case(puzzle, case.examples, index, alt, 128, private=True)
        made.append(Pair(before=before, after=after))
    return tuple(made)
