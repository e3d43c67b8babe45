"""What found sets of pictures are called: captions, and the random pictures of a pool that they are held against.

A caption is a record of its own. It is no evidence and no judge is shown one, so that no encoder scores a caption that
it made.
"""

from __future__ import annotations

from dataclasses import dataclass

from gifthorse.records.suites import Spec


@dataclass(frozen=True, kw_only=True)
class PoolSample:
    """Random pictures of a pool as an image-text encoder sees them: what a found set is compared with.

    Attributes:
        pool: name of the pool, with ``digest`` of what it holds.
        encoder: digest of the encoder.
        count: pictures that were drawn, without replacement.
        total: pictures that the pool has.
        embeddings: file of ``(count, D)`` float32 of norm 1.
        marks: file of ``(count,)`` bytes, a hash of each picture, by which one that was found is known again.
    """

    pool: str
    digest: str
    encoder: str
    count: int
    total: int
    embeddings: str
    marks: str


@dataclass(frozen=True, kw_only=True)
class Theme:
    """A concept that a set of pictures may have in common.

    Attributes:
        words: the concept.
        gain: how much more similar the set is to it than the pool is, in cosine similarity.
        p: share of random sets that fit some concept as well as this set fits this one; corrected for all concepts.
        fits: pictures of the set that fit it better than 95% of the pool do.
    """

    words: str
    gain: float
    p: float
    fits: int


@dataclass(frozen=True, kw_only=True)
class Caption:
    """What one captioner says that the pictures of a found set have in common.

    Attributes:
        captioner: with its settings, but for those that say where something lies.
        evidence: key of the unit that holds the pictures.
        words: the common theme; None where there is none, or where nothing was captioned.
        p: of the theme that fits best, named or not; None for a captioner that gives no significance.
        level: at which a theme is named.
        n: pictures in the set.
        themes: those that fit best, the best first, whether they passed or not.
        concepts: that were tried.
        sets: random sets that were compared, the found one among them; ``exact`` where these are all that there are.
        sample: random pictures of the pool that they were drawn from, of ``pool`` that it has.
        each: captions of the single pictures, in their order, of a captioner that writes some.
        encoder: digest of the encoder that made it, which may therefore not score it.
        not_captioned: why there is no caption at all, instead of all the rest.
    """

    captioner: Spec
    evidence: str
    network: str
    tool: str
    trojan: str
    words: str | None = None
    p: float | None = None
    level: float | None = None
    n: int = 0
    themes: tuple[Theme, ...] = ()
    concepts: int = 0
    sets: int = 0
    exact: bool = False
    sample: int = 0
    pool: int = 0
    each: tuple[str, ...] = ()
    encoder: str | None = None
    not_captioned: str | None = None
