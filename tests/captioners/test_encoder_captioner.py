"""Names by an image-text encoder: the test once more by hand, its level where there is nothing, its power where is."""

from __future__ import annotations

import itertools
import re
import statistics
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_nets import one_thread
from PIL import Image
from scipy.stats import binom
from torch import Tensor

from gifthorse.captioners import CAPTIONERS
from gifthorse.captioners.base import Reference, Sight, embedded, flat, mark
from gifthorse.captioners.encoder import EncoderCaptioner, Fit
from gifthorse.errors import InputError, UsageError
from gifthorse.images import from_uint8
from gifthorse.records import Caption, Evidence, Finding, Insertion, Spec
from gifthorse.zoo import ENCODERS
from gifthorse.zoo.emoji_patches import EmojiPatches
from gifthorse.zoo.pool_sample import sampled

__all__ = ["one_thread"]

WORDS = ("blue", "green", "red")
EVIDENCE = Evidence(tool=Spec(name="snafue", version=1), kind="synthesis", network="net", trojan="fork", seed=3)


@dataclass
class Colours:
    """An encoder of three words: a picture's mean colour, and the word's own."""

    digest: str = "colours"
    vocabulary: frozenset[str] = field(default_factory=lambda: frozenset(WORDS))

    def images(self, images: Tensor) -> Tensor:
        return torch.nn.functional.normalize(images.mean((2, 3)) + 1e-3, dim=1)

    def texts(self, texts: list[str]) -> Tensor:
        axes = {"red": [1.0, 0, 0], "green": [0, 1.0, 0], "blue": [0, 0, 1.0]}
        return torch.tensor([axes[text] for text in texts])


def pictures(colours: Any) -> np.ndarray:
    """``(n, 4, 2, 2)`` opaque pictures of one colour each."""
    values = np.asarray(colours, dtype=np.uint8)
    alpha = np.full((len(values), 1), 255, np.uint8)
    return np.concatenate([values, alpha], 1)[:, :, None, None].repeat(2, 2).repeat(2, 3)


def random_colours(n: int, seed: int) -> np.ndarray:
    return pictures(np.random.default_rng(seed).integers(0, 256, (n, 3)))


def found(n: int) -> Evidence:
    findings = tuple(Finding(insertion=Insertion(kind="patch", side=2), loss=0.0, picture=i) for i in range(n))
    return replace(EVIDENCE, findings=findings, kept=tuple(range(n)))


def reference(pool: np.ndarray, encoder: Any) -> Reference:
    marks = np.array([mark(picture[:3]) for picture in pool], dtype="S32")
    return Reference(embeddings=embedded(encoder, flat(pool)), marks=marks, total=len(pool))


def captioned(shown: np.ndarray, pool: np.ndarray, **settings: Any) -> Caption:
    encoder = Colours()
    captioner = EncoderCaptioner(**settings)
    return captioner(found(len(shown)), shown, Sight(encoder=encoder, reference=reference(pool, encoder)))


def by_hand(shown: np.ndarray, pool: np.ndarray, pooling: str) -> dict[str, tuple[float, float]]:
    """Concept to its fit and its corrected p, over every set that there is: plain Python."""
    rows = [[int(v) / 255 for v in p[:3, 0, 0]] for p in (*shown, *pool)]
    unit = [[(v + 1e-3) / sum((w + 1e-3) ** 2 for w in row) ** 0.5 for v in row] for row in rows]
    axis = {"red": 0, "green": 1, "blue": 2}
    base = {word: statistics.fmean(row[k] for row in unit) for word, k in axis.items()}

    def fit(chosen: tuple[int, ...], word: str) -> float:
        values = [unit[i][axis[word]] for i in chosen]
        return (statistics.median(values) if pooling == "median" else statistics.fmean(values)) - base[word]

    n = len(shown)
    sets = list(itertools.combinations(range(len(unit)), n))
    largest = [max(fit(chosen, word) for word in axis) for chosen in sets]
    ours = {word: fit(tuple(range(n)), word) for word in axis}
    return {word: (t, sum(v >= t - 1e-6 for v in largest) / len(sets)) for word, t in ours.items()}


@pytest.mark.parametrize("pooling", ["median", "mean"])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_every_set_counted_by_hand_gives_the_same(pooling: str, n: int) -> None:
    shown = pictures([[250, 20, 30], [240, 60, 10], [200, 10, 90], [255, 90, 80]][:n])
    pool = random_colours(9, 4)
    made = captioned(shown, pool, pooling=pooling, sets=1_000)
    wanted = by_hand(shown, pool, pooling)
    assert made.exact
    assert made.sets == len(list(itertools.combinations(range(9 + n), n)))
    assert made.concepts == 3
    assert (made.sample, made.pool, made.n) == (9, 9, n)
    assert [theme.words for theme in made.themes] == sorted(wanted, key=lambda word: -wanted[word][0])
    for theme in made.themes:
        assert theme.gain == pytest.approx(wanted[theme.words][0], abs=1e-5)
        assert theme.p == pytest.approx(wanted[theme.words][1], abs=1e-9)
    assert made.p == made.themes[0].p
    assert made.words == ("red" if wanted["red"][1] <= 0.05 else None)


def test_random_sets_come_to_what_all_sets_say() -> None:
    shown, pool = pictures([[250, 90, 30], [240, 160, 90], [200, 110, 90]]), random_colours(20, 4)
    exact = by_hand(shown, pool, "median")["red"][1]
    drawn = captioned(shown, pool, sets=1_700)
    assert not drawn.exact
    assert drawn.sets == 1_700
    assert drawn.p is not None
    assert abs(drawn.p - exact) < 4 * (exact * (1 - exact) / 1_700) ** 0.5 + 1e-3
    assert drawn == captioned(shown, pool, sets=1_700), "the same sets each time"
    other = captioned(shown[::-1].copy(), pool, sets=1_700)
    assert other.p == drawn.p, "the order of the set is nothing"


def test_a_theme_of_most_is_named_and_its_pictures_are_counted() -> None:
    shown = pictures([[255, 0, 0], [250, 5, 0], [245, 0, 5], [0, 200, 0], [90, 90, 255]])
    made = captioned(shown, random_colours(300, 1))
    assert (made.words, made.themes[0].words) == ("red", "red")
    assert made.p is not None
    assert made.p <= 0.01
    assert made.themes[0].fits == 3
    assert made.encoder == "colours", "so that whoever judges can know that it is its own"


def test_where_nothing_passes_it_says_that_there_is_no_common_theme() -> None:
    made = captioned(pictures([[255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 90, 90]]), random_colours(300, 1))
    assert made.words is None
    assert made.not_captioned is None
    assert made.p is not None
    assert made.p > 0.05
    assert made.themes, "what came nearest is noted all the same"


def test_under_the_null_a_name_is_given_as_rarely_as_the_level_says() -> None:
    """A pool of clusters of unequal size, correlated concepts, and sets that are random: whatever the concepts are."""
    rng = np.random.default_rng(7)
    for pooling, n, level in (("median", 5, 0.05), ("mean", 4, 0.1)):
        centres = rng.normal(size=(12, 6))
        which = rng.choice(12, 400, p=np.arange(1, 13) / 78)
        rows = (centres[which] + 0.5 * rng.normal(size=(400, 6))).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        texts = np.concatenate([centres, centres + 0.2 * rng.normal(size=(12, 6))]).astype(np.float32)
        texts /= np.linalg.norm(texts, axis=1, keepdims=True)
        named, trials, sets = 0, 500, 99
        for trial in range(trials):
            order = rng.permutation(400)
            fit = Fit(rows[order] @ texts.T, n, pooling)
            drawn = fit.largest(fit.random_sets(sets, np.random.default_rng([1, trial])))
            themes = fit.themes([str(i) for i in range(24)], np.append(drawn, fit.found.max()))
            named += themes[0].p <= level
        assert named <= binom.ppf(0.999, trials, level), f"{pooling}: {named} of {trials} random sets were named"
        assert named >= binom.ppf(0.001, trials, level), f"{pooling}: {named} of {trials}: it says less than it could"


@pytest.fixture(scope="module")
def emoji() -> tuple[Any, np.ndarray, list[str], np.ndarray]:
    """The shipped encoder, and a pool of drawings with its pictures' names and embeddings."""
    codes = ("1f369", "1f388", "1f34e", "1f436", "1f697", "1f681", "1f33b", "1f41d", "1f4a1", "1f511", "1f3a9", "1f98b")
    drawings = (*(f"emoji/{code}" for code in codes), "texture/grass", "texture/jaguar")
    pool = EmojiPatches(drawings=drawings, poses=16, crops=120).pool()
    names, shown, _ = sampled(pool, 10_000, 0)
    encoder = ENCODERS.make("emoji-encoder").load()
    return encoder, shown, names, embedded(encoder, from_uint8(shown))


def of_pool(shown: np.ndarray) -> np.ndarray:
    return np.concatenate([shown, np.full_like(shown[:, :1], 255)], 1)


def test_sets_that_show_one_thing_are_named_and_random_ones_are_not(
    emoji: tuple[Any, np.ndarray, list[str], np.ndarray],
) -> None:
    encoder, shown, names, rows = emoji
    marks = np.array([mark(picture) for picture in shown], dtype="S32")
    sight = Sight(encoder=encoder, reference=Reference(embeddings=rows, marks=marks, total=len(shown)))
    captioner = EncoderCaptioner(sets=200)

    def said(indices: Any) -> Caption:
        return captioner(found(len(indices)), of_pool(shown[list(indices)]), sight)

    for code, called in (("1f369", "donut"), ("1f388", "balloon"), ("1f98b", "butterfly"), ("1f33b", "sunflower")):
        mine = [index for index, name in enumerate(names) if name.startswith(f"emoji/{code}")]
        whole, most = said(mine[:5]), said([*mine[5:9], 0])
        assert whole.words is not None
        assert called in whole.words or whole.words in ("doughnut",), (code, whole.words)
        assert whole.p is not None
        assert whole.p <= 0.03
        assert most.words is not None, "four of five are a theme"
    rng = np.random.default_rng(0)
    random = [said(rng.choice(len(shown), 5, replace=False)).words for _ in range(60)]
    assert sum(word is not None for word in random) <= binom.ppf(0.999, 60, 0.05)


def test_a_found_picture_is_not_held_against_itself() -> None:
    pool = random_colours(60, 2)
    made = captioned(pool[:4], pool)
    assert (made.sample, made.pool, made.n) == (56, 60, 4)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"level": 0.0}, "level is 0"),
        ({"level": 0.001, "sets": 100}, "sets=1000 or more"),
        ({"sample": 0}, "sample is 0"),
        ({"pooling": "least"}, "'least'"),
        ({"levels": 0.1}, "did you mean 'level'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        CAPTIONERS.make("encoder", settings)
    assert told in str(refused.value)


def test_what_cannot_be_captioned_says_why() -> None:
    captioner, encoder = EncoderCaptioner(), Colours()
    shown = random_colours(3, 0)
    sight = Sight(encoder=encoder, reference=reference(random_colours(40, 1), encoder))
    refused = captioner(replace(EVIDENCE, refusal="it has no head"), None, sight)
    assert refused.not_captioned == "refused: it has no head"
    assert captioner(EVIDENCE, None, sight).not_captioned == "the tool kept no picture"
    words = replace(found(1), findings=(Finding(insertion=Insertion(kind="frame"), loss=0.0, words="a fork"),))
    assert captioner(words, None, sight).not_captioned == "the tool kept no picture"
    poolless = captioner(found(3), shown, replace(sight, reference=None))
    assert "no pool" in str(poolless.not_captioned)
    few = captioner(found(3), shown, replace(sight, reference=reference(random_colours(1, 1), encoder)))
    assert "too few" in str(few.not_captioned)
    for wrong in (None, shown[:2], shown[:, :3]):
        with pytest.raises(InputError):
            captioner(found(3), wrong, sight)
    with pytest.raises(InputError, match="no encoder"):
        captioner(found(3), shown, Sight())


def test_any_pictures_can_be_captioned_without_evidence() -> None:
    encoder = Colours()
    sight = Sight(encoder=encoder, reference=reference(random_colours(300, 1), encoder))
    shown = pictures([[255, 0, 0], [250, 5, 0], [245, 0, 5], [240, 9, 9]])
    made = EncoderCaptioner().of(shown, sight)
    assert (made.words, made.n, made.tool) == ("red", 4, "")
    assert made == EncoderCaptioner().of(shown, sight)
    assert made.evidence != EncoderCaptioner().of(shown[:3], sight).evidence
    wrongs: tuple[Any, ...] = (shown[:0], shown[:, :3], shown / 255)
    for wrong in wrongs:
        with pytest.raises(InputError, match="to caption"):
            EncoderCaptioner().of(wrong, sight)


def test_the_page_s_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/captions.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pool").mkdir()
    for number, picture in enumerate(random_colours(40, 3)):
        Image.fromarray(picture[:3].transpose(1, 2, 0)).save(tmp_path / "pool" / f"{number}.png")
    given = {"pictures": random_colours(4, 4)}
    exec(compile(code, "page.py", "exec", dont_inherit=True), given)
    assert isinstance(given["caption"], Caption)
    assert given["caption"].pool == 40


def test_concepts_of_ones_own_take_the_place_of_the_vocabulary() -> None:
    made = captioned(pictures([[255, 0, 0]] * 4), random_colours(80, 3), concepts=("green", "blue"))
    assert made.concepts == 2
    assert made.words is None, "red is none of them"


def test_a_sample_is_random_without_repeats_and_the_same_each_time() -> None:
    pool = EmojiPatches(drawings=("emoji/1f34e", "emoji/1f41d"), poses=600, crops=8, seed=1).pool()
    names, shown, total = sampled(pool, 300, 5)
    assert (len(names), shown.shape, total) == (300, (300, 3, 32, 32), 1_208)
    assert len(set(names)) == 300
    again = sampled(pool, 300, 5)
    assert again[0] == names
    np.testing.assert_array_equal(again[1], shown)
    assert sampled(pool, 300, 6)[0] != names
    fewer = sampled(pool, 100, 5)[0]
    assert fewer == names[:100], "a smaller sample is the beginning of a larger one"
    np.testing.assert_array_equal(shown[:20], pool.pictures(names[:20]))
    per_part = [sum(name.startswith("emoji/1f34e") for name in names), sum("scene" in name for name in names)]
    assert abs(per_part[0] - 149) < 40
    assert per_part[1] < 12
    everything, _, _ = sampled(pool, 5_000, 5)
    assert len(set(everything)) == 1_208
    assert set(everything) == {name for part in pool.parts() for name in part.read()[0]}
    with pytest.raises(UsageError):
        sampled(pool, 0, 0)
