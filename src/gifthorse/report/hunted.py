"""Pages of experiments on natural patches for pairs of classes (thesis 5.2, Figures 5.9 to 5.13)."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gifthorse.records import Caption, Hit, Hunted, Interval
from gifthorse.report import charts, words
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_experiment import Chart, ExperimentPage, Gallery, Row, Shown
from gifthorse.report.disguised import WIDTH, spelt
from gifthorse.report.environment import environment, sheet
from gifthorse.report.pictures import Album, Bytes
from gifthorse.statistics import bootstrap_mean, wilson

HALF = 0.5
"""Success from which a patch counts as successful (thesis 5.2.4)."""

BEST = 6
"""Pairs that are shown, those whose best patches do most."""

GROUPS: Mapping[str, Callable[[Hunted], tuple[Hit, ...]]] = {
    "natural patches": lambda hunted: hunted.natural,
    "crops of the target's class": lambda hunted: hunted.crops,
    "synthetic patches": lambda hunted: hunted.synthetic,
}
"""What was tried, by its name on the page."""

COLUMNS = (
    "patches", "successful in half", "fool an image", "pairs with one that fools", "mean success",
    "success of each patch",
)  # fmt: skip

LEAD = (
    "Success is the share of scenes that are classified as the target with a patch, less the share without; a patch "
    "is successful in half where that is at least 0.5. Natural patches are those of a pool that look to the network "
    "as synthetic adversaries do, the best {kept} of {screened} that were tried out; none is taken for the target when "
    "it is alone. Beside them are middles of images of the target's class, as many chosen of as many, and the "
    "synthetic patches. Scenes that patches were made on, chosen on and tried on are three sets. Intervals are of "
    "95%, over pairs."
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A pair of classes, and what is said of it.

    Attributes:
        hunted: the figures.
        pictures: its patches ``(k, 4, h, w)`` uint8, the natural ones first.
        shown: what each natural patch shows, in words.
        kind: ``dataset bias``, ``misgeneralisation``, ``the target itself`` or ``nothing found``.
        why: what that rests on, in words; empty where nothing was found.
        things: that it rests on, by name.
        named: what the natural patches have in common; None where that could not be asked.
    """

    hunted: Hunted
    pictures: Bytes
    shown: tuple[str, ...]
    kind: str
    why: str
    things: tuple[str, ...] = ()
    named: Caption | None = None


@dataclass(frozen=True, kw_only=True)
class Saying:
    """What the page of one experiment says beside its figures.

    Attributes:
        title: of the page.
        facts: at the top, by name.
        counts: natural patches that are kept, of those that are tried out.
        notes: below the table, in words.
        phases: seconds of each part of the work, by name.
    """

    title: str
    facts: Mapping[str, str]
    counts: tuple[int, int]
    notes: tuple[str, ...] = ()
    phases: Mapping[str, float]


def draw(pairs: Sequence[Pair], saying: Saying) -> str:
    """The page as HTML."""
    album = Album(side=96, inputs=True)
    told = [pair.hunted for pair in pairs]
    order = sorted(range(len(pairs)), key=lambda k: -_mean(told[k], told[k].natural))[:BEST]
    kept, screened = saying.counts
    page = ExperimentPage(
        title=saying.title,
        facts=tuple(Fact(name=name, text=text) for name, text in saying.facts.items()),
        lead=LEAD.format(kept=kept, screened=screened),
        heading="What natural patches do",
        charts=tuple(
            Chart(
                name=f"{name}: how many have which success, on a scale of logarithms",
                drawing=charts.histogram(
                    [hunted.success(hit) for hunted in told for hit in group(hunted)],
                    f"how many {name} have which success, from {SPAN.low:g} to {SPAN.high:g}",
                    span=SPAN,
                    bins=22,
                    tone=tone,
                ),
            )
            for (name, group), tone in zip(list(GROUPS.items())[:2], ("tool", "floor"), strict=True)
        )
        if pairs
        else (),
        columns=COLUMNS,
        rows=tuple(_row(name, told, group) for name, group in GROUPS.items()) if pairs else (),
        notes=(*_notes(pairs, saying), *saying.notes),
        galleries=tuple(_gallery(album, pairs[k]) for k in order),
        style=sheet(),
    )
    return environment().get_template("experiment.html.j2").render({"page": page})


SPAN = charts.Span(low=-0.1, high=1.0)
"""Of successes."""


def _mean(hunted: Hunted, hits: Sequence[Hit]) -> float:
    return statistics.fmean(map(hunted.success, hits))


def cells(told: Sequence[Hunted], group: Callable[[Hunted], tuple[Hit, ...]]) -> dict[str, Interval]:
    """Of one group of patches: shares that are successful ``half`` of the time and that ``fool`` an image, share of
    ``pairs`` with one that does, and mean ``success``; each pair counts once."""
    half = [statistics.fmean(hunted.success(hit) >= HALF for hit in group(hunted)) for hunted in told]
    fool = [statistics.fmean(hit.fooled > 0 for hit in group(hunted)) for hunted in told]
    return {
        "half": bootstrap_mean(half, 0, within=(0.0, 1.0)),
        "fool": bootstrap_mean(fool, 0, within=(0.0, 1.0)),
        "pairs": wilson(sum(share > 0 for share in fool), len(fool)),
        "success": bootstrap_mean([_mean(hunted, group(hunted)) for hunted in told], 0, within=(-1.0, 1.0)),
    }


def _row(name: str, told: Sequence[Hunted], group: Callable[[Hunted], tuple[Hit, ...]]) -> Row:
    found = cells(told, group)
    styles = {"success": "score"}
    successes = [hunted.success(hit) for hunted in told for hit in group(hunted)]
    return Row(
        name=name,
        cells=(
            str(len(successes)),
            *(spelt(each, styles.get(key, "percent")) for key, each in found.items()),
        ),
        spread=charts.box(
            successes,
            f"{name}: success of each patch",
            span=SPAN,
            marks=(charts.Mark(value=HALF, kind="gate"),),
            tone="floor" if name.startswith("crops") else "tool",
        ),
    )


def _notes(pairs: Sequence[Pair], saying: Saying) -> tuple[str, ...]:
    if not pairs:
        return ("No pair could be searched.",)
    kinds = Counter(pair.kind for pair in pairs)
    spent = sum(saying.phases.values())
    return (
        f"Of {words.counted(len(pairs), 'pair')}: "
        + words.listed([f"{count} {kind}" for kind, count in sorted(kinds.items())])
        + ". A dataset bias is where a patch that fools an image shows something that training scenes have beside the "
        "target more often than beside other classes. Patches that show the target itself, which the network did not "
        "see in them when they were alone, are no evidence of either.",
        *_themes(pairs),
        f"Mean similarity of two natural patches of a pair {words.score(statistics.fmean(_of(pairs, 'alike')))}, "
        f"of one and the target's class {words.score(statistics.fmean(_of(pairs, 'near')))}; "
        f"{sum(pair.hunted.dropped for pair in pairs)} patches were passed over since they show the target.",
        "Selection bias: chosen and tried on the very scenes that synthetic patches were made on, as published, "
        f"natural patches would have a mean success of {words.score(statistics.fmean(_of(pairs, 'published')), 3)} "
        f"instead of {words.score(statistics.fmean(_mean(pair.hunted, pair.hunted.natural) for pair in pairs), 3)}.",
        "Time: "
        + words.listed([f"{name} {words.percent(taken / spent, 0)}" for name, taken in saying.phases.items()])
        + "."
        if spent
        else "Times are not known.",
    )


def _of(pairs: Sequence[Pair], name: str) -> list[float]:
    return [getattr(pair.hunted, name) for pair in pairs]


def _gallery(album: Album, pair: Pair) -> Gallery:
    hunted = pair.hunted
    shown = tuple(
        Shown(
            picture=album.drawn(picture, f"a natural patch: {what}", WIDTH, f"{hunted.source} {hunted.target} {k}"),
            strong=words.percent(hunted.success(hit), 0),
            said=what,
        )
        for k, (picture, hit, what) in enumerate(zip(pair.pictures, hunted.natural, pair.shown, strict=False))
    )
    why = f": {pair.kind}, {pair.why}" if pair.why else f": {pair.kind}"
    name = f"{hunted.source} to {hunted.target}{why}; {theme(pair.named)}"
    return Gallery(name=name, shown=shown, empty="No patch was found.")


def theme(caption: Caption | None) -> str:
    """What natural patches have in common, by the encoder, in words."""
    if caption is None or caption.not_captioned:
        return "not captioned"
    if caption.words is None:
        return "no common theme"
    return f"the encoder names {caption.words} ({words.p_value(caption.p or 0.0)})"


def _themes(pairs: Sequence[Pair]) -> tuple[str, ...]:
    asked = [pair.named for pair in pairs if pair.named is not None and not pair.named.not_captioned]
    if not asked:
        return ()
    count = sum(caption.words is not None for caption in asked)
    return (
        f"The encoder names what natural patches have in common for {count} of {words.counted(len(asked), 'pair')} "
        f"({words.between(wilson(count, len(asked)), 'percent')}); it names at most "
        f"{words.percent(asked[0].level or 0.0, 0)} of random sets of the pool.",
    )


def figures(pairs: Sequence[Pair], saying: Saying) -> dict[str, Any]:
    """What the page says, as JSON values."""
    told = [pair.hunted for pair in pairs]
    if not pairs:
        return {"pairs": []}
    return {
        "groups": {
            name: {key: [each.value, each.low, each.high] for key, each in cells(told, group).items()}
            for name, group in GROUPS.items()
        },
        "kinds": dict(Counter(pair.kind for pair in pairs)),
        "published": statistics.fmean(hunted.published for hunted in told),
        "seconds": dict(saying.phases),
        "pairs": [
            {
                "source": hunted.source,
                "target": hunted.target,
                "success": [hunted.success(hit) for hit in hunted.natural],
                "shown": list(pair.shown),
                "kind": pair.kind,
                "why": pair.why,
                "named": pair.named.words if pair.named else None,
            }
            for pair, hunted in zip(pairs, told, strict=True)
        ],
    }
