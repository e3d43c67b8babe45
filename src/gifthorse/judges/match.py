"""Match: an image-text encoder takes the multiple choice (the thesis, 5.3.2; ``methods.md`` 1.15)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from gifthorse.errors import InputError, UsageError
from gifthorse.judges.base import Encoder, Judge
from gifthorse.records import Effect, Evidence, Interval, Measure, Question, Verdict
from gifthorse.statistics import bootstrap_mean, wilson

Pictures = Tensor | npt.NDArray[Any]
"""``(n, 4, h, w)`` straight-alpha RGBA: uint8, or floats in [0, 1]."""

Shown = tuple[Pictures | None, Pictures | None]
"""Pictures of the evidence and of the options; None where these are words."""


@final
@dataclass(frozen=True, kw_only=True)
class MatchJudge(Judge[[Effect | None, Question, Shown, Encoder]]):
    """Matches what a tool made with the eight options: cosine similarity, times the encoder's scale, softmax.

    Pictures go through the image tower and words through the text tower, on either side. Both sides are shown in one
    view, which the settings name: straight-alpha RGBA put on plain grey, a patch with a margin of it all around, made
    square by more of it, and resized. An option that is itself cut out (some of it transparent) has the patch's margin.

    Measures, over the kept findings: ``confidence``, mean probability of the right option; ``correct``, share of
    findings whose likeliest option is right; ``chosen``, 1 if the likeliest option of the mean probabilities is right.
    The chance of each is one in eight. The first has a bootstrap interval over findings, the second Wilson's, and the
    third, one answer, has none. It differs from the thesis in the encoder, whose scale is the learned one (the
    thesis names neither CLIP's variant nor its constant), and in showing options and findings alike.

    Attributes:
        pooling: ``mean`` over the kept findings, or ``max``: the one finding about which the encoder is surest decides,
            as the thesis does for tools that visualise inner neurons. A value from one finding has no interval.
        background: grey behind transparent parts, in [0, 1].
        margin: of a patch, as a share of its side, on each of the four sides.
        size: side in pixels of what the encoder is shown.
    """

    name: ClassVar[str] = "match"
    version: ClassVar[int] = 1
    judges: ClassVar[str] = "synthesis"

    pooling: Literal["mean", "max"] = "mean"
    background: float = 0.5
    margin: float = 0.125
    size: int = 64

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            UsageError: an unknown pooling, a background outside [0, 1], a negative margin or a size below 1.
        """
        if self.pooling not in ("mean", "max"):
            raise UsageError(f"pooling is {self.pooling!r}", "pass 'mean' or 'max'")
        if not 0 <= self.background <= 1 or self.margin < 0 or self.size < 1:
            raise UsageError(
                f"a view of background {self.background}, margin {self.margin} and size {self.size} cannot be drawn",
                "pass a background in [0, 1], a margin of 0 or more and a size of at least 1",
            )

    def judge(
        self,
        verdict: Verdict,
        evidence: Evidence,
        /,
        effect: Effect | None,
        question: Question,
        shown: Shown,
        encoder: Encoder,
    ) -> Verdict:
        """Score the kept findings.

        Args:
            verdict: to fill in.
            evidence: whose findings these are.
            effect: what the house found by trying them; only its trojan is checked, nothing else is used so far.
            question: eight options and the right one.
            shown: ``(n, 4, h, w)`` pictures of the evidence, and ``(8, 4, H, W)`` of the options, each RGBA with
                straight alpha, uint8 or float in [0, 1]; None in the place of either where these are words.
            encoder: the judge's eyes, which no tool may have used.

        Raises:
            InputError: the pieces do not belong together.
        """
        pictures, option_pictures = (None if given is None else _floats(given) for given in shown)
        _check(evidence, effect, question)
        _check_shown(evidence, question, pictures, option_pictures)
        if not evidence.kept:
            return replace(verdict, not_scored="the tool kept no finding")
        with torch.no_grad():
            options = self._options(question, option_pictures, encoder)
            found = torch.cat([self._finding(evidence, index, pictures, encoder) for index in evidence.kept])
            likely = torch.softmax(encoder.scale * (found @ options.T).double(), dim=1).cpu().numpy()
        return self._scored(verdict, likely, question.answer, self.seed(evidence))

    def _scored(self, verdict: Verdict, likely: npt.NDArray[np.float64], answer: int, seed: int) -> Verdict:
        """Measures from the ``(kept, options)`` probabilities."""
        chance = 1 / likely.shape[1]
        right, correct = likely[:, answer], (likely.argmax(axis=1) == answer).astype(np.float64)
        if self.pooling == "max":
            surest = slice(int(likely.max(axis=1).argmax()), None)
            pooled = likely[surest][0]
            decided = right[surest][:1], correct[surest][:1]
        else:
            pooled, decided = likely.mean(axis=0), (right, correct)
        choice = int(pooled.argmax())
        chosen = float(choice == answer)
        once = Interval(value=chosen, low=math.nan, high=math.nan, n=1)
        if self.pooling == "mean":
            share = wilson(int(correct.sum()), correct.size)
        else:
            share = Interval(value=float(decided[1][0]), low=math.nan, high=math.nan, n=1)
        confidence = bootstrap_mean(decided[0], seed, within=(0.0, 1.0))
        measures = (
            Measure(name="confidence", interval=confidence, scores=tuple(right.tolist()), chance=chance),
            Measure(name="correct", interval=share, scores=tuple(correct.tolist()), chance=chance),
            Measure(name="chosen", interval=once, scores=(chosen,), chance=chance),
        )
        return replace(verdict, measures=measures, probabilities=tuple(pooled.tolist()), choice=choice)

    def _options(self, question: Question, pictures: Tensor | None, encoder: Encoder) -> Tensor:
        """``(8, D)``."""
        if pictures is None:
            words: Tensor = encoder.texts([option.caption for option in question.options])
            return words
        seen = [self.view(picture, padded=bool((picture[3] < 1).any())) for picture in pictures]
        embedded: Tensor = encoder.images(torch.stack(seen))
        return embedded

    def _finding(self, evidence: Evidence, index: int, pictures: Tensor | None, encoder: Encoder) -> Tensor:
        """``(1, D)``."""
        finding = evidence.findings[index]
        if finding.picture is None or pictures is None:
            words: Tensor = encoder.texts([finding.words or ""])
            return words
        seen = self.view(pictures[finding.picture], padded=finding.insertion.kind == "patch")
        embedded: Tensor = encoder.images(seen[None])
        return embedded

    def view(self, picture: Tensor, *, padded: bool) -> Tensor:
        """What the encoder is shown of a picture.

        Args:
            picture: ``(4, h, w)`` float32 RGBA in [0, 1], straight alpha.
            padded: whether it has the margin.

        Returns:
            ``(3, size, size)`` float32 in [0, 1].
        """
        colour, alpha = picture[:3], picture[3:]
        flat = colour * alpha + self.background * (1 - alpha)
        height, width = flat.shape[1:]
        margin = round(self.margin * max(height, width)) if padded else 0
        side = max(height, width) + 2 * margin
        top, left = (side - height) // 2, (side - width) // 2
        square = F.pad(flat, (left, side - width - left, top, side - height - top), value=self.background)
        resized = F.interpolate(square[None], size=(self.size, self.size), mode="bilinear", antialias=True)
        return resized[0].clamp(0, 1)


def _floats(pictures: Pictures) -> Tensor:
    """``(n, 4, h, w)`` float32 in [0, 1].

    Raises:
        InputError: other shapes, types or ranges.
    """
    given = torch.as_tensor(pictures)
    if given.dim() != 4 or given.shape[1] != 4 or 0 in given.shape[1:]:
        raise InputError(f"the pictures to judge have the shape {tuple(given.shape)}", "give (n, 4, h, w) RGBA")
    if given.dtype == torch.uint8:
        return given.float() / 255
    # A comparison with NaN is false, so that this refuses it too.
    if not given.is_floating_point() or (given.numel() and not (given.min() >= 0 and given.max() <= 1)):
        raise InputError(
            f"the pictures to judge are {given.dtype}, not all in [0, 1]", "give uint8, or floats in [0, 1]"
        )
    return given.float()


def _check(evidence: Evidence, effect: Effect | None, question: Question) -> None:
    about = f"{evidence.tool.name} on {evidence.trojan}"
    if effect is not None and (effect.tool, effect.trojan) != (evidence.tool.name, evidence.trojan):
        raise InputError(
            f"{about}: the effect is of {effect.tool} on {effect.trojan}", "pass the effect that names this evidence"
        )
    if not 0 <= question.answer < len(question.options):
        raise InputError(
            f"{about}: the answer is option {question.answer} of {len(question.options)}", "check the suite's question"
        )


def _check_shown(
    evidence: Evidence, question: Question, pictures: Tensor | None, option_pictures: Tensor | None
) -> None:
    about = f"{evidence.tool.name} on {evidence.trojan}"
    n_options = None if option_pictures is None else len(option_pictures)
    if n_options != (None if question.pictures is None else len(question.options)):
        there = "words" if question.pictures is None else f"{len(question.options)} pictures"
        raise InputError(
            f"{about}: the options are {there}, and {n_options or 'no'} pictures were given", "pass the question's own"
        )
    for index in evidence.kept:
        finding = evidence.findings[index] if 0 <= index < len(evidence.findings) else None
        if finding is None or (finding.picture is None and not finding.words):
            raise InputError(f"{about}: kept finding {index} is neither a picture nor words", "the evidence is damaged")
        if finding.picture is not None and (pictures is None or not 0 <= finding.picture < len(pictures)):
            raise InputError(f"{about}: finding {index} has no picture", "pass the pictures of this evidence")
