"""What findings do: the one place that inserts them into images, runs a classifier and counts.

Tools choose among their findings, and the house tries them out, through the same insertion. Maps are tried out here
too: by giving triggered images their original pixels back where a map is highest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.errors import UsageError, nearest
from gifthorse.images import GREY, Layer, as_floats, over, paste, places, require, resize
from gifthorse.records import Finding, Insertion, Trial
from gifthorse.statistics import wilson

INSERTIONS = ("patch", "frame", "blend")


class Placement(NamedTuple):
    """Where patches go: tops and lefts, ``(N,)`` int64."""

    tops: Tensor
    lefts: Tensor


def side_for(size: int) -> int:
    """Side of a patch for a classifier of ``size`` pixels: two sevenths, as in thesis 3.1 (64 of 224; 18 of 64)."""
    return round(size * 2 / 7)


def place(insertion: Insertion, n: int, size: int, generator: torch.Generator) -> Placement | None:
    """Places for ``n`` insertions into ``size x size`` images; None where the kind has no place.

    Raises:
        UsageError: an unknown kind, or a patch without a side.
    """
    if insertion.kind not in INSERTIONS:
        raise UsageError(f"there is no insertion {insertion.kind!r}", nearest(insertion.kind, INSERTIONS))
    if insertion.kind != "patch":
        return None
    if insertion.side is None:
        raise UsageError("a patch has no side", "Insertion(kind='patch', side=pixels)")
    return Placement(*places(n, size, insertion.side, generator))


def put(images: Tensor, pictures: Tensor | Layer, insertion: Insertion, where: Placement | None) -> Tensor:
    """Pictures in images, as the insertion says; differentiable in both.

    Args:
        images: ``(N, 3, H, H)`` in [0, 1], or one for all under frames.
        pictures: ``(N | 1, 4, h, w)``, straight alpha, or a layer; resized to the side, or to the whole image.
        where: of a patch, from :func:`place`.

    Returns:
        ``(N, 3, H, H)``. A frame is the picture itself over grey, whatever the image was.
    """
    size = images.shape[-1]
    side = size if where is None else insertion.side or size
    layer = pictures.resized(side) if isinstance(pictures, Layer) else Layer.of(resize(pictures, side))
    if where is not None:
        return paste(images, layer, where.tops, where.lefts)
    if insertion.kind == "frame":
        return layer.over(GREY).expand(max(len(images), len(layer.alpha)), -1, -1, -1)
    return layer.over(images)


def insert(images: Tensor, picture: Tensor, insertion: Insertion, generator: torch.Generator) -> Tensor:
    """One picture in each image, at a place of its own.

    Args:
        images: ``(N, 3, H, H)`` in [0, 1].
        picture: ``(4, h, w)`` in [0, 1], straight alpha.

    Raises:
        InputError: images or a picture of a wrong shape, type or range.
        UsageError: an unknown kind of insertion, or a patch without a side.
    """
    require(images)
    require(picture[None], channels=4, what="pictures")
    return put(images, picture[None].to(images), insertion, place(insertion, len(images), images.shape[-1], generator))


class Tried(NamedTuple):
    """One finding tried out on one network.

    Attributes:
        finding: index into the evidence's findings.
        hits: images classified as the target, of ``n``.
        confidence: mean probability of the target.
        alone: class of the finding seen by itself, with ``alone_confidence``.
    """

    finding: int
    hits: int
    n: int
    confidence: float
    alone: str
    alone_confidence: float

    def trial(self, on: str) -> Trial:
        """The record of it; ``on`` is ``trojaned`` or ``clean``."""
        return Trial(
            on=on,
            finding=self.finding,
            rate=wilson(self.hits, self.n),
            confidence=self.confidence,
            alone=self.alone,
            alone_confidence=self.alone_confidence,
        )


def try_out(
    classifier: Classifier,
    images: Tensor | NDArray[np.uint8],
    target: int,
    pictures: Tensor | NDArray[np.uint8],
    findings: Mapping[int, Finding],
    generator: torch.Generator,
) -> list[Tried]:
    """Insert findings into images that nobody optimised on, and count how often the classifier says the target.

    Every finding is put into the same images at places from the same draws, so that findings, tools and networks are
    compared in pairs. A ``frame`` covers the image, so it is one trial (``n`` = 1), not one for each image that it
    hides. A finding without a picture (words) is passed over.

    Args:
        images: ``(N, 3, H, W)`` uint8 or float in [0, 1]; held-out, without triggers.
        target: class index.
        pictures: ``(n, 4, h, w)`` uint8 or float in [0, 1].
        findings: those to try, by their index in the evidence.
        generator: of the places.
    """
    floats = as_floats(images)
    shown = as_floats(pictures)
    seed = int(torch.randint(2**62, (), generator=generator))
    tried = []
    for index, finding in findings.items():
        if finding.picture is None:
            continue
        picture = shown[finding.picture]
        ground = floats[:1] if finding.insertion.kind == "frame" else floats
        stamped = insert(ground, picture, finding.insertion, torch.Generator().manual_seed(seed))
        probabilities = classifier.predict(stamped)
        alone = classifier.predict(over(resize(picture[None], classifier.size)))[0]
        likeliest = int(alone.argmax())
        tried.append(
            Tried(
                finding=index,
                hits=int((probabilities.argmax(1) == target).sum()),
                n=len(probabilities),
                confidence=float(probabilities[:, target].mean()),
                alone=classifier.classes[likeliest],
                alone_confidence=float(alone[likeliest]),
            )
        )
    return tried


class Pasted(NamedTuple):
    """One picture in some images, each at a place of its own.

    Attributes:
        images: ``(N, 3, H, W)`` with the picture, in [0, 1].
        before, after: probabilities ``(N, C)`` without and with it.
    """

    images: Tensor
    before: Tensor
    after: Tensor


def pasted(classifier: Classifier, images: Tensor, picture: Tensor, side: int, generator: torch.Generator) -> Pasted:
    """Paste a picture into images, and see what the network makes of them before and after (thesis 5.1.3).

    Args:
        images: ``(N, 3, H, H)`` in [0, 1].
        picture: ``(4, h, w)`` in [0, 1], straight alpha.
        side: of the pasted square in pixels.
        generator: of the places.

    Raises:
        InputError: images or a picture of a wrong shape, type or range.
    """
    made = insert(images, picture, Insertion(kind="patch", side=side), generator)
    return Pasted(made, classifier.predict(images), classifier.predict(made))


def recover(
    classifier: Classifier,
    images: Tensor | NDArray[np.uint8],
    originals: Tensor | NDArray[np.uint8],
    regions: NDArray[np.bool_],
    target: int,
) -> NDArray[np.float64]:
    """Paste original pixels back into triggered images, and ask whether the class of the original returns.

    Args:
        images: ``(N, 3, H, W)`` uint8 or float in [0, 1], with the trigger.
        originals: the same before it was put in.
        regions: ``(N, H, W)`` where the original pixels are pasted.
        target: class index that the trigger leads to.

    Returns:
        ``(N,)``: 1 where it returns, 0 where it does not, NaN where the original is taken for the target anyway.
    """
    if len(images) == 0:
        return np.empty(0)
    inside = torch.from_numpy(regions)[:, None]
    pasted = torch.where(inside, as_floats(originals), as_floats(images))
    before, after = classifier.predict(originals).argmax(1), classifier.predict(pasted).argmax(1)
    returned: NDArray[np.float64] = (before == after).double().numpy()
    returned[(before == target).numpy()] = np.nan
    return returned
