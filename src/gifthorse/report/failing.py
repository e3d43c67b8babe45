"""The page on how natural patches fail to name a trigger: five ways, each with a number (thesis 5.2.3 and 5.2.5)."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gifthorse.records import Failing, Interval
from gifthorse.report import charts, words
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_experiment import ExperimentPage, Gallery, Row, Shown
from gifthorse.report.disguised import WIDTH, spelt
from gifthorse.report.environment import environment, sheet
from gifthorse.report.pictures import Album, Bytes
from gifthorse.statistics import bootstrap_mean, wilson

THING = {"place": "where it lies and how large", "drawing": "its hue and light", "ground": "what it lies on"}
"""What is changed about a drawing, in words."""

COLUMNS = (
    "trigger tried out", "nearest", "best", "of the best ten", "mean success", "without the trigger", "success of each",
)  # fmt: skip


def draw(told: Sequence[tuple[Failing, Bytes]], facts: Mapping[str, str], caption: Callable[[str], str]) -> str:
    """The page as HTML.

    Args:
        told: each trojan, with its pictures ``(n, 4, h, w)`` uint8.
        facts: what is said at the top, by name.
        caption: what a patch shows, by its name in the pool.
    """
    album, records = Album(side=96, inputs=True), [record for record, _ in told]
    page = ExperimentPage(
        title="How natural patches fail to name a trigger",
        facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
        lead=(
            "Patch trojans are looked for by natural patches, in a pool that has pictures of their triggers and in one "
            "that has none. A trigger is recovered if a picture of it is among the best. Success is the share of "
            "scenes that are classified as the target with a patch, less the share without."
        ),
        heading="Five ways to fail",
        charts=(),
        columns=COLUMNS,
        rows=tuple(_row(record) for record in records),
        notes=notes(records) if records else ("No trojan could be searched.",),
        galleries=tuple(
            gallery for record, pictures in told for gallery in _galleries(album, record, pictures, caption)
        ),
        style=sheet(),
    )
    return environment().get_template("experiment.html.j2").render({"page": page})


def _row(record: Failing) -> Row:
    half = len(record.successes) // 2
    return Row(
        name=f"{record.trojan} in {record.network}",
        cells=(
            f"{record.tried} of {record.triggers}",
            "not tried" if record.nearest is None else f"place {record.nearest}",
            "not tried" if record.best is None else f"place {record.best}",
            str(record.found),
            words.score(record.present),
            words.score(record.absent),
        ),
        spread=charts.box(
            record.successes[:half],
            f"{record.trojan}: success of each of the best",
            span=charts.Span(low=-0.1, high=1.0),
            marks=(charts.Mark(value=record.absent, kind="rival"),),
            tone="tool",
        ),
    )


def recovered(records: Sequence[Failing]) -> Interval:
    """Share of trojans with a picture of the trigger among the best."""
    return wilson(sum(record.found > 0 for record in records), len(records))


def kept(records: Sequence[Failing], what: str) -> float | None:
    """Share of their success that found drawings keep when one thing about them is changed, over all trojans; None
    where they had none."""
    changes = [one for record in records for one in record.changed if one.what == what]
    before = sum(one.before * one.patches for one in changes)
    return sum(one.after * one.patches for one in changes) / before if before > 0 else None


def notes(records: Sequence[Failing]) -> tuple[str, ...]:
    """The five ways, in words."""
    lost = bootstrap_mean([record.present - record.absent for record in records], 0, within=(-1.0, 1.0))
    there = [record for record in records if record.tried]
    share = recovered(records)
    mean = statistics.fmean
    changed = [
        f"{THING[what]} {words.percent(value, 0)}" for what in THING if (value := kept(records, what)) is not None
    ]
    return (
        "The object is not in the pool: without pictures of the trigger the mean success of the best patches is lower "
        f"by {spelt(lost, 'score')}.",
        f"The trigger is there but not among the best: recovered for {sum(record.found > 0 for record in records)} of "
        f"{len(records)} trojans ({words.between(share, 'percent')}; 2 of 4 in the thesis); a picture of it was tried "
        f"out for {len(there)}.",
        "Similarity to the target's class: mean cosine of the best patches "
        f"{words.score(mean(record.near for record in records))}, of patches at random "
        f"{words.score(mean(record.near_any for record in records))}.",
        f"Variety: mean cosine of two of the best patches {words.score(mean(record.alike for record in records))}, of "
        f"two at random {words.score(mean(record.alike_any for record in records))}.",
        "What the success rests on: of it, found drawings keep, when one thing is drawn anew: "
        + (words.listed(changed) if changed else "nothing can be said, since none had any")
        + ".",
    )


def _galleries(
    album: Album, record: Failing, pictures: Bytes, caption: Callable[[str], str]
) -> tuple[Gallery, Gallery]:
    half = len(record.shown) // 2
    made = []
    for where, places in (("with the trigger in the pool", range(half)), ("without", range(half, 2 * half))):
        shown = tuple(
            Shown(
                picture=album.drawn(
                    pictures[k], f"a natural patch: {caption(record.shown[k])}", WIDTH, f"{record.trojan} {k}"
                ),
                strong=words.percent(record.successes[k], 0),
                said=caption(record.shown[k]),
            )
            for k in places
        )
        name = f"{record.trojan} in {record.network} to {record.target}, {where}"
        made.append(Gallery(name=name, shown=shown, empty="No patch was found."))
    return made[0], made[1]


def figures(records: Sequence[Failing]) -> dict[str, Any]:
    """What the page says, as JSON values."""
    if not records:
        return {"trojans": []}
    share = recovered(records)
    return {
        "recovered": [share.value, share.low, share.high],
        "success": {
            "present": statistics.fmean(record.present for record in records),
            "absent": statistics.fmean(record.absent for record in records),
        },
        "near": [statistics.fmean(r.near for r in records), statistics.fmean(r.near_any for r in records)],
        "alike": [statistics.fmean(r.alike for r in records), statistics.fmean(r.alike_any for r in records)],
        "kept": {what: kept(records, what) for what in THING},
        "trojans": [
            {
                "network": record.network,
                "trojan": record.trojan,
                "tried": record.tried,
                "nearest": record.nearest,
                "best": record.best,
                "found": record.found,
            }
            for record in records
        ],
    }
