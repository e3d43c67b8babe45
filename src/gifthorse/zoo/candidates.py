"""A pool as one classifier sees it: every patch embedded once, in large batches, and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gifthorse.classifier import Classifier
from gifthorse.embeddings import Embeddings
from gifthorse.errors import InputError
from gifthorse.images import resize
from gifthorse.indexing import Index, Indexing, Searchable
from gifthorse.records import digest
from gifthorse.zoo.patch_pool import PatchPool

VERSION = 2
"""Raised whenever the same pool and classifier give other vectors."""


@dataclass(frozen=True)
class Candidates:
    """A pool, and where its embeddings are kept.

    Attributes:
        pool: of patches.
        root: a folder; each classifier and each way to make embeddings has one of its own in it.
        index: how the pool is searched through an index, which may miss some of the nearest; None searches exactly.
    """

    pool: PatchPool
    root: Path
    index: Indexing | None = None

    def _kept(self, classifier: Classifier) -> Embeddings:
        told = {
            "version": VERSION,
            "classifier": classifier.digest,
            "precision": classifier.precision,
            "side": self.pool.side,
        }
        return Embeddings(self.root / digest(told)[:16], told, classifier.head_weight().shape[1])

    def embed(self, classifier: Classifier, watch: Callable[[int], None] | None = None) -> Embeddings:
        """Embed what is not there yet: each patch by itself, enlarged to the network's input (thesis 5.2.1).

        Args:
            watch: told how many pictures are embedded, after each part.

        Raises:
            Refusal: the network does not end in a linear layer.
        """
        kept, done = self._kept(classifier), 0
        for part in self.pool.parts():
            if not kept.has(part.name):
                ids, pictures, lost = part.read()
                vectors = self._vectors(classifier, pictures)
                seen = vectors.any(1) & np.isfinite(vectors).all(1)  # nought has no direction
                names = [name for name, there in zip(ids, seen, strict=True) if there]
                kept.add(part.name, names, vectors[seen], lost + len(ids) - len(names))
            done += next(shard.rows for shard in kept.shards if shard.part == part.name)
            if watch is not None:
                watch(done)
        return self._of_pool(kept)

    def _of_pool(self, kept: Embeddings) -> Embeddings:
        """What is kept of this pool: another one of the same classifier may keep its parts in the same folder."""
        return kept.only({part.name for part in self.pool.parts()})

    def _vectors(self, classifier: Classifier, pictures: np.ndarray) -> np.ndarray:
        found = [np.zeros((0, classifier.head_weight().shape[1]), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(pictures), classifier.forward_batch):
                # as from_uint8 gives them, in the memory that is there: beside a fast network, copies count
                part = torch.from_numpy(np.array(pictures[start : start + classifier.forward_batch])).float().div_(255)
                if part.shape[-1] != classifier.size:
                    part = resize(part, classifier.size).clamp_(0, 1)
                found.append(classifier.penultimate(part).cpu().numpy())
        return np.concatenate(found)

    def of(self, classifier: Classifier, say: Callable[[str], object] = str) -> Searchable:
        """What searches the embeddings, which :meth:`embed` made before; an index is made now if there is none.

        Args:
            say: told the recall of the index.

        Raises:
            InputError: some part of the pool has none, or there are too few for an index.
            MissingExtra: an index is asked for, and FAISS is not installed.
        """
        kept = self._kept(classifier)
        for part in self.pool.parts():
            if not kept.has(part.name):
                raise InputError(
                    f"{part.name} of the pool has no embeddings by {classifier.name}", "candidates.embed(classifier)"
                )
        own = self._of_pool(kept)
        return own if self.index is None else Index.of(own, self.index, say)
