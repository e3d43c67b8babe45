"""Names by an image-text encoder: concepts that fit a whole set of pictures more than random sets of its pool do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, final

import numpy as np
import numpy.typing as npt

from gifthorse.captioners.base import Bytes, Captioner, Floats, Sight, embedded, flat
from gifthorse.errors import UsageError
from gifthorse.records import Caption, Theme

SHOWN = 5
"""Themes that are noted, the best first."""

ROOM = 16 << 20
"""Similarities that are in memory at once, of random sets."""

MOST_OF_POOL = 0.95
"""A picture of the set fits a concept if it is more similar to it than this share of the pool."""


@final
@dataclass(frozen=True, kw_only=True)
class EncoderCaptioner(Captioner):
    """The concept that a whole set fits, if it fits it more than random sets of the pool fit any.

    How well a set fits a concept is the median over its pictures (or the mean) of their cosine similarity to it, less
    the mean over the pool, since some concepts are near to every picture. The null hypothesis is that the set is a
    random one of the pool. Sets of the same size are drawn from the found pictures and a random sample of the others,
    and the largest fit of each, over all concepts, is what the found set's fits are compared with (Westfall and Young,
    "Resampling-based multiple testing", 1993): so the chance that a random set is given any name at all is at most
    ``level``, however many concepts there are. It is an exact permutation test: the found set is counted among the
    sets, and where there are no more sets than are asked for, each is counted once.

    The sample's size, the number of sets and the median are our choice; on the pool of ``emoji12_dev``, the median
    names the theme of three pictures of five in 54 of 60 cases and the mean in 47, and of five of five in 55 and 56.

    Attributes:
        level: chance that a random set is named.
        sets: that are compared, the found one among them.
        sample: random pictures of the pool that they are drawn from.
        pooling: over the pictures of a set: ``median``, since most of them are enough for a theme, or ``mean``.
        concepts: to choose from; none for the words that the encoder was trained on.
    """

    name: ClassVar[str] = "encoder"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"encoder", "reference"})

    level: float = 0.05
    sets: int = 1_000
    sample: int = 4_096
    pooling: Literal["median", "mean"] = "median"
    concepts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            UsageError: a level outside (0, 1), too few sets to reach it, an empty sample, or an unknown pooling.
        """
        if not 0 < self.level < 1:
            raise UsageError(f"level is {self.level}", "above 0, below 1, such as 0.05")
        if self.sets * self.level < 1:
            raise UsageError(
                f"{self.sets} sets cannot show anything at level {self.level}",
                f"sets={math.ceil(1 / self.level)} or more",
            )
        if self.sample < 1 or self.pooling not in ("median", "mean"):
            raise UsageError(
                f"sample is {self.sample} and pooling {self.pooling!r}", "a sample from 1, and 'median' or 'mean'"
            )

    def caption(self, caption: Caption, pictures: Bytes, sight: Sight, /) -> Caption:
        """The theme that fits best, and whether it is named.

        Args:
            caption: to fill in.
            pictures: of the set, ``(n, 4, h, w)`` uint8 RGBA.
            sight: with the encoder and the reference.
        """
        if sight.encoder is None or sight.reference is None:
            return replace(caption, not_captioned="the tool searched no pool that its set could be compared with")
        rest = sight.reference.without(pictures[:, :3])
        possible = math.comb(len(rest.embeddings) + len(pictures), len(pictures))
        if possible * self.level < 1:
            return replace(
                caption, not_captioned=f"{len(rest.embeddings)} other pictures are too few for level {self.level}"
            )
        words = sorted(self.concepts or sight.encoder.vocabulary)
        texts: Floats = sight.encoder.texts(words).float().cpu().numpy()
        found = embedded(sight.encoder, flat(pictures))
        likeness = np.concatenate([found, rest.embeddings]) @ texts.T
        fit = Fit(likeness, len(pictures), self.pooling)
        exact = possible <= self.sets
        rng = np.random.default_rng(self.seed(caption.evidence, "random sets"))
        largest = fit.largest(fit.every_set() if exact else fit.random_sets(self.sets - 1, rng))
        if not exact:  # the found set is one of them
            largest = np.append(largest, fit.found.max())
        themes = fit.themes(words, largest)
        return replace(
            caption,
            words=themes[0].words if themes[0].p <= self.level else None,
            p=themes[0].p,
            level=self.level,
            themes=themes,
            concepts=len(words),
            sets=len(largest),
            exact=exact,
            sample=len(rest.embeddings),
            pool=rest.total,
            encoder=sight.encoder.digest,
        )


class Fit:
    """How well sets of pictures fit concepts.

    Args:
        likeness: ``(n + N, V)`` similarity of each picture to each concept; the found set's n pictures come first.
        n: pictures of a set.
        pooling: ``median`` or ``mean``.

    Attributes:
        found: ``(V,)`` fit of the found set to each concept.
    """

    def __init__(self, likeness: Floats, n: int, pooling: str) -> None:
        self.raw, self.n = likeness, n
        # of all pictures, the found ones too: it stays the same whichever of them are called found
        self.centred = likeness - likeness.mean(0, dtype=np.float64).astype(np.float32)
        self.pool = np.median if pooling == "median" else np.mean
        self.found: Floats = self.of(np.arange(n)[None])[0]

    def of(self, sets: npt.NDArray[np.int64]) -> Floats:
        """``(m, V)`` of sets ``(m, n)`` of rows. The order of a set's rows changes no bit of it."""
        pooled: Floats = self.pool(self.centred[np.sort(sets, axis=1)], axis=1)
        return pooled

    def every_set(self) -> Iterator[tuple[int, ...]]:
        """Each set of n pictures that there is, the found one first."""
        return itertools.combinations(range(len(self.raw)), self.n)

    def random_sets(self, count: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
        """Sets of n different pictures, each set as likely as any other."""
        return (rng.choice(len(self.raw), self.n, replace=False, shuffle=False) for _ in range(count))

    def largest(self, sets: Iterator[tuple[int, ...]] | Iterator[npt.NDArray[np.int64]]) -> Floats:
        """The largest fit to any concept, of each set."""
        rows = max(1, ROOM // (self.n * self.raw.shape[1]))
        found = []
        while part := list(itertools.islice(sets, rows)):
            found.append(self.of(np.array(part)).max(axis=1))
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def themes(self, words: list[str], largest: Floats) -> tuple[Theme, ...]:
        """The concepts that fit the found set best, with their corrected p values."""
        best = np.lexsort((np.arange(len(words)), -self.found))[:SHOWN]
        usual = np.quantile(self.raw[self.n :, best], MOST_OF_POOL, axis=0)
        fits = (self.raw[: self.n, best] > usual).sum(0)
        return tuple(
            Theme(
                words=words[index],
                gain=float(self.found[index]),
                p=float((largest >= self.found[index]).mean()),
                fits=int(count),
            )
            for index, count in zip(best.tolist(), fits.tolist(), strict=True)
        )
