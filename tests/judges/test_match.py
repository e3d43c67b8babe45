"""The match judge, with an encoder small enough to work out by hand: mean colours, and words for colours."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gifthorse.errors import InputError, UsageError
from gifthorse.judges import JUDGES
from gifthorse.judges.match import MatchJudge
from gifthorse.records import Effect, Evidence, Finding, Images, Insertion, Option, Question, Spec

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "cyan": (0.0, 1.0, 1.0),
    "pink": (1.0, 0.0, 1.0),
    "black": (0.0, 0.0, 0.0),
    "white": (1.0, 1.0, 1.0),
}
SHADES = COLOURS | {"orange": (1.0, 0.6, 0.0)}
"""With one that is no option, so that the encoder is less sure of it."""
FRAME, PATCH = Insertion(kind="frame"), Insertion(kind="patch", side=18)
Pictures = npt.NDArray[np.uint8]


@dataclass
class Palette:
    """An encoder of mean colours around grey, which notes what it was shown."""

    scale: float = 10.0
    digest: str = "palette"
    seen: list[Tensor] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    def images(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        return self._unit(images.mean(dim=(2, 3)))

    def texts(self, texts: list[str]) -> Tensor:
        self.read.extend(texts)
        return self._unit(torch.tensor([COLOURS[text] for text in texts]))

    def _unit(self, colours: Tensor) -> Tensor:
        return F.normalize(torch.cat([colours - 0.5, torch.full((len(colours), 1), 0.01)], dim=1), dim=1)


def plain_picture(name: str, size: int = 16, alpha: int = 255) -> Pictures:
    picture = np.full((4, size, size), alpha, np.uint8)
    picture[:3] = np.round(np.array(SHADES[name]) * 255)[:, None, None]
    return picture


def question(answer: str, *, words: bool) -> tuple[Question, Pictures | None]:
    pictures = None if words else np.stack([plain_picture(name) for name in COLOURS])
    held = None if words else Images(sha256="0", file="options.npy", count=8, channels=4, height=16, width=16)
    options = tuple(Option(caption=name, art=None if words else f"plain/{name}") for name in COLOURS)
    return Question(options=options, answer=list(COLOURS).index(answer), pictures=held), pictures


def evidence(
    names: list[str], insertion: Insertion = FRAME, kept: tuple[int, ...] | None = None
) -> tuple[Evidence, Pictures]:
    made = Evidence(
        tool=Spec(name="tool", version=1),
        kind="synthesis",
        network="net",
        trojan="star",
        seed=0,
        findings=tuple(Finding(insertion=insertion, loss=0.1, picture=i) for i in range(len(names))),
        kept=tuple(range(len(names))) if kept is None else kept,
    )
    return made, np.stack([plain_picture(name) for name in names])


def expected(found: list[str], scale: float = 10.0) -> npt.NDArray[np.float64]:
    """Softmax of scaled cosines, by hand."""

    def unit(name: str) -> npt.NDArray[np.float64]:
        vector: npt.NDArray[np.float64] = np.array([*(np.array(SHADES[name]) - 0.5), 0.01])
        return vector / float(np.sqrt(vector @ vector))

    logits = np.array([[scale * float(unit(a) @ unit(b)) for b in COLOURS] for a in found])
    likely: npt.NDArray[np.float64] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return likely


@pytest.mark.parametrize("words", [True, False])
def test_confidence_is_the_mean_softmax_of_the_right_option(words: bool) -> None:
    made, pictures = evidence(["red", "red", "yellow", "blue"])
    asked, options = question("red", words=words)
    encoder = Palette()
    verdict = MatchJudge()(made, None, asked, (pictures, options), encoder)
    likely, answer = expected(["red", "red", "yellow", "blue"]), asked.answer
    measures = {measure.name: measure for measure in verdict.measures}
    assert measures["confidence"].scores == pytest.approx(likely[:, answer], abs=1e-5)
    assert measures["confidence"].interval.value == pytest.approx(likely[:, answer].mean(), abs=1e-5)
    assert measures["correct"].interval.value == 0.5
    assert measures["correct"].scores == (1.0, 1.0, 0.0, 0.0)
    assert verdict.probabilities == pytest.approx(likely.mean(axis=0), abs=1e-5)
    assert sum(verdict.probabilities) == pytest.approx(1)
    assert verdict.choice == answer
    assert measures["chosen"].interval.value == 1.0
    assert math.isnan(measures["chosen"].interval.low)
    assert {measure.chance for measure in verdict.measures} == {1 / 8}
    assert encoder.read == (list(COLOURS) if words else [])


def test_only_kept_findings_count_in_their_order() -> None:
    made, pictures = evidence(["blue", "red", "green"], kept=(2, 1))
    asked, options = question("red", words=False)
    verdict = MatchJudge()(made, None, asked, (pictures, options), Palette())
    likely = expected(["green", "red"])
    assert verdict.measures[0].scores == pytest.approx(likely[:, asked.answer], abs=1e-5)
    assert verdict.measures[0].interval.n == 2


def test_the_surest_finding_decides_where_it_is_asked_to() -> None:
    made, pictures = evidence(["orange", "white", "orange"])
    asked, options = question("yellow", words=False)
    likely, surest = expected(["orange", "white", "orange"]), 1
    verdict = MatchJudge(pooling="max")(made, None, asked, (pictures, options), Palette())
    assert verdict.measures[0].interval.value == pytest.approx(likely[surest, asked.answer], abs=1e-5)
    assert math.isnan(verdict.measures[0].interval.low)
    assert verdict.measures[0].interval.n == 1
    assert len(verdict.measures[0].scores) == 3
    assert verdict.probabilities == pytest.approx(likely[surest], abs=1e-5)
    assert verdict.choice == int(likely[surest].argmax())


def test_the_scale_is_the_encoder_s() -> None:
    made, pictures = evidence(["yellow"])
    asked, options = question("red", words=False)
    for scale in (1.0, 40.0):
        verdict = MatchJudge()(made, None, asked, (pictures, options), Palette(scale=scale))
        assert verdict.probabilities == pytest.approx(expected(["yellow"], scale)[0], abs=1e-4)


@pytest.mark.parametrize("words", [True, False])
def test_findings_that_are_words_are_read(words: bool) -> None:
    made, _ = evidence(["red"])
    made = replace(made, findings=(Finding(insertion=FRAME, loss=0.1, words="green"),))
    asked, options = question("green", words=words)
    encoder = Palette()
    verdict = MatchJudge()(made, None, asked, (None, options), encoder)
    assert "green" in encoder.read
    assert verdict.choice == asked.answer
    assert verdict.probabilities == pytest.approx(expected(["green"])[0], abs=1e-5)


def view(picture: npt.NDArray[Any], judge: MatchJudge, padded: bool) -> Tensor:
    return judge.view(torch.from_numpy(picture.astype(np.float32) / 255), padded=padded)


def test_a_view_is_square_on_grey_and_a_patch_has_a_margin() -> None:
    judge = MatchJudge(size=64, margin=0.125)
    whole = view(plain_picture("red", 48), judge, padded=False)
    assert whole.shape == (3, 64, 64)
    assert torch.equal(whole, torch.tensor(COLOURS["red"])[:, None, None].expand(3, 64, 64))
    patch = view(plain_picture("red", 48), judge, padded=True)
    assert patch[:, 0, 0].tolist() == [0.5, 0.5, 0.5]
    assert patch[:, 32, 32].tolist() == [1.0, 0.0, 0.0]
    share = float((patch[0] > 0.75).float().mean())
    assert share == pytest.approx((48 / 60) ** 2, abs=0.02)
    half = view(plain_picture("white", 48, alpha=128), judge, padded=False)
    assert half.mean() == pytest.approx(0.5 + 0.5 * 128 / 255, abs=1e-4)
    wide = view(plain_picture("red", 48)[:, 12:36], judge, padded=False)
    assert wide[:, 2, 32].tolist() == [0.5, 0.5, 0.5]
    assert wide[:, 32, 2].tolist() == [1.0, 0.0, 0.0]
    nothing = view(plain_picture("red", 48, alpha=0), MatchJudge(background=0.25), padded=True)
    assert torch.equal(nothing, torch.full((3, 64, 64), 0.25))


def test_a_patch_and_a_cut_out_option_are_shown_alike() -> None:
    drawing = plain_picture("red")
    drawing[3, :, :4] = 0
    options = np.stack([drawing, *[plain_picture(name) for name in list(COLOURS)[1:]]])
    made, _ = evidence(["red"], PATCH)
    asked, _ = question("red", words=False)
    encoder = Palette()
    MatchJudge()(made, None, asked, (drawing[None], options), encoder)
    shown_options, shown_finding = encoder.seen
    assert torch.equal(shown_options[0], shown_finding[0])
    # An opaque option fills the view, and so does a finding that is a whole frame.
    assert not torch.equal(shown_options[1][:, 0, 0], shown_options[0][:, 0, 0])


def test_bytes_and_floats_and_tensors_are_judged_alike() -> None:
    made, pictures = evidence(["red", "yellow"], PATCH)
    asked, options = question("red", words=False)
    assert options is not None
    judge, encoder = MatchJudge(), Palette()
    first = judge(made, None, asked, (pictures, options), encoder)
    floats = (pictures / np.float32(255), options / np.float32(255))
    assert judge(made, None, asked, floats, encoder) == first
    assert judge(made, None, asked, (torch.from_numpy(floats[0]), torch.from_numpy(options)), encoder) == first


def test_nothing_kept_and_refusals_are_not_scored() -> None:
    made, pictures = evidence(["red"], kept=())
    asked, options = question("red", words=False)
    verdict = MatchJudge()(made, None, asked, (pictures, options), Palette())
    assert verdict.not_scored == "the tool kept no finding"
    assert verdict.choice is None
    refused = MatchJudge()(replace(made, refusal="no"), None, asked, (None, None), Palette())
    assert refused.not_scored == "refused: no"


def effect(tool: str) -> Effect:
    return Effect(evidence="unit", network="net", tool=tool, trojan="star", target=0, trials=(), pooled=())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("effect", "the effect is of other"),
        ("options missing", "the options are 8 pictures, and no pictures"),
        ("options too few", "and 7 pictures were given"),
        ("options unasked", "the options are words, and 8 pictures"),
        ("rgb", "have the shape"),
        ("range", "not all in"),
        ("nan", "not all in"),
        ("whole numbers", "not all in"),
        ("no pictures", "finding 0 has no picture"),
        ("kept", "kept finding 9"),
        ("neither", "neither a picture nor words"),
        ("answer", "the answer is option 8"),
        ("attribution", "scores synthesis evidence"),
    ],
)
def test_what_does_not_belong_together_is_refused(change: str, message: str) -> None:
    made, pictures = evidence(["red"])
    asked, options = question("red", words=False)
    assert options is not None
    shown: tuple[Any, Any] = (pictures, options)
    tried: Effect | None = effect("tool")
    broken = {
        "options missing": (pictures, None),
        "options too few": (pictures, options[:7]),
        "rgb": (pictures[:, :3], options),
        "range": (pictures.astype(np.float32), options),
        "nan": (np.full((1, 4, 8, 8), np.nan, np.float32), options),
        "whole numbers": (pictures.astype(np.int64), options),
        "no pictures": (None, options),
    }
    shown = broken.get(change, shown)
    if change == "effect":
        tried = effect("other")
    elif change == "options unasked":
        asked = replace(asked, pictures=None)
    elif change == "kept":
        made = replace(made, kept=(9,))
    elif change == "neither":
        made = replace(made, findings=(Finding(insertion=FRAME, loss=0.0),))
    elif change == "answer":
        asked = replace(asked, answer=8)
    elif change == "attribution":
        made = replace(made, kind="attribution")
    with pytest.raises(InputError, match=message):
        MatchJudge()(made, tried, asked, shown, Palette())


@pytest.mark.parametrize("settings", [{"pooling": "median"}, {"background": 2.0}, {"margin": -0.1}, {"size": 0}])
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        JUDGES.make("match", settings)


def test_the_table_names_what_the_classes_say() -> None:
    for name, row in JUDGES.items():
        judge = JUDGES.make(name)
        assert (judge.name, judge.version, judge.judges) == (name, row.version, row.kind)
        assert judge.spec() == JUDGES.spec(name)
        assert JUDGES.remake(judge.spec()) == judge
