"""The page of a copy/paste attack: what a pasted picture does, beside what random ones do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gifthorse.records import Interval
from gifthorse.report import words
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_own import OwnPasted, PastedRow
from gifthorse.report.environment import environment, sheet
from gifthorse.report.pictures import Album, Bytes
from gifthorse.statistics import newcombe, wilson

WIDTH, SMALL = 128, 48
"""CSS pixels of an image with the picture in it, about, and of a pasted picture."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one picture does.

    Attributes:
        called, came: what it is, and where from.
        picture: ``(4, h, w)`` uint8, straight alpha.
        n: images that it was pasted into; ``hits_before`` and ``hits_after`` of them are classified as the target.
        confidence_before, confidence_after: mean probabilities of the target.
        rise: of the probability, with its interval.
        shown: ``(k, 3, H, W)`` uint8, those images whose probability rose most; before and after for each.
    """

    called: str
    came: str
    picture: Bytes
    n: int
    hits_before: int
    hits_after: int
    confidence_before: float
    confidence_after: float
    rise: Interval
    shown: Bytes
    shown_before: tuple[float, ...]
    shown_after: tuple[float, ...]

    @property
    def success(self) -> float:
        """Share classified as the target with the picture, minus the share without (thesis 5.2.1)."""
        return (self.hits_after - self.hits_before) / self.n

    def plain(self) -> dict[str, Any]:
        """As JSON values, without pictures."""
        return {
            "called": self.called,
            "n": self.n,
            "rate_before": self.hits_before / self.n,
            "rate_after": self.hits_after / self.n,
            "success": self.success,
            "confidence_before": self.confidence_before,
            "confidence_after": self.confidence_after,
            "rise": [self.rise.value, self.rise.low, self.rise.high],
        }


def draw(source: str, target: str, trials: Sequence[Trial], facts: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        source, target: names of the classes.
        trials: of the guess, then of random pictures.
        facts: what is said at the top, by name.
    """
    album = Album(side=256, inputs=True)
    guess, *others = trials
    rows = sorted(trials, key=lambda trial: (-trial.rise.value, trial.called))
    place = rows.index(guess) + 1
    page = OwnPasted(
        title=f"{guess.called} in {source}: {target}?",
        guess=guess.called,
        source=source,
        target=target,
        facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
        verdict=_verdict(guess, source, target),
        place=f"Of {len(trials)} pictures, {len(others)} of them random, it is number {place}.",
        shown=tuple(
            album.drawn(
                image,
                f"{source} with {guess.called}: {target} from {words.percent(was)} to {words.percent(now)}",
                WIDTH,
                f"{words.percent(was)} to {words.percent(now)}",
            )
            for image, was, now in zip(guess.shown, guess.shown_before, guess.shown_after, strict=True)
        ),
        rows=tuple(_row(album, trial, own=trial is guess) for trial in rows),
        style=sheet(),
    )
    return environment().get_template("own_pasted.html.j2").render({"page": page})


def _verdict(trial: Trial, source: str, target: str) -> str:
    gain = newcombe(trial.hits_after, trial.n, trial.hits_before, trial.n)
    spread = f"{words.percent(gain.low)} to {words.percent(gain.high)}"
    return (
        f"{words.percent(trial.hits_after / trial.n)} of {trial.n} images of {source} are {target} to the network with "
        f"it, {words.percent(trial.hits_before / trial.n)} without: {words.percent(trial.success)} more ({spread})."
    )


def _row(album: Album, trial: Trial, own: bool) -> PastedRow:
    rate = wilson(trial.hits_after, trial.n)
    return PastedRow(
        own=own,
        called=trial.called,
        came=trial.came,
        picture=album.drawn(trial.picture, trial.called, SMALL, trial.called),
        before=words.percent(trial.hits_before / trial.n),
        after=f"{words.percent(rate.value)} ({words.percent(rate.low)} to {words.percent(rate.high)})",
        confidence=f"{words.percent(trial.confidence_before)} to {words.percent(trial.confidence_after)}",
        rise=f"{words.percent(trial.rise.value)} ({words.percent(trial.rise.low)} to {words.percent(trial.rise.high)})",
    )
