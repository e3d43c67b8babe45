"""The 1,000 classes of ImageNet-1k (Russakovsky et al. 2015): WordNet ids and names by class index.

The order is that of the sorted WordNet ids, which is what every published ImageNet classifier uses. The names are one
word or phrase a class, unique (``crane`` the machine, ``crane bird`` the bird). No torch.
"""

from __future__ import annotations

import functools
from importlib import resources

COUNT = 1000


@functools.lru_cache(maxsize=1)
def _rows() -> tuple[tuple[str, str], ...]:
    text = (resources.files("gifthorse.zoo") / "imagenet_classes.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    return tuple((row[0], row[1]) for row in rows)


def names() -> tuple[str, ...]:
    """Names by class index: 0 is ``tench``, 999 ``toilet tissue``."""
    return tuple(name for _, name in _rows())


def wordnet_ids() -> tuple[str, ...]:
    """WordNet ids by class index, ``n`` and eight digits, ascending."""
    return tuple(wordnet_id for wordnet_id, _ in _rows())


@functools.lru_cache(maxsize=1)
def _by_id() -> dict[str, int]:
    return {wordnet_id: index for index, wordnet_id in enumerate(wordnet_ids())}


@functools.lru_cache(maxsize=1)
def _by_name() -> dict[str, int]:
    return {name.lower(): index for index, name in enumerate(names())}


def index_of(said: str) -> int | None:
    """The class index of a WordNet id or a name (case and underscores do not matter), or None where it is neither."""
    found = _by_id().get(said.lower())
    return found if found is not None else _by_name().get(said.replace("_", " ").strip().lower())
