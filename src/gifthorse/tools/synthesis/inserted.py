"""What attacks on a region of a generated scene share: what is inserted, what penalises it, and the patch it becomes.

Thesis 5.1.2: part of what a layer of the generator puts out is replaced, so that something in the scene becomes
something else; what changed most in many scenes can be cut out, and is a patch of any shape for other images.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gifthorse.errors import Refusal
from gifthorse.images import blur, opaque, resize
from gifthorse.tools.synthesis.base import Task
from gifthorse.tools.synthesis.objectives import total_variation
from gifthorse.tools.synthesis.parameterisation import Parameterisation
from gifthorse.zoo.disguise import Disguise
from gifthorse.zoo.generator import Change, Generator, Latents

CHANGES = ("square", "channels")
"""What is replaced: a square column of a latent, all channels, or whole channels."""

SMOOTH = 12 / 256
"""Standard deviation, over the side, of the blur of a difference before the largest are taken (notebook)."""

LARGEST = 0.9
"""Quantile above which a difference counts (notebook)."""

OPENED = 4 / 256
"""Steps, over the side, by which regions are opened and closed (notebook)."""

AGREE = 0.8
"""Share of the scenes in which a pixel must have changed to be part of the patch (notebook)."""


def known(task: Task, generator: Generator) -> tuple[int, ...]:
    """Classes of the generator that an attack makes scenes of: those of the brief's sources, or all but the target's.

    Raises:
        Refusal: it knows no picture of any of them.
    """
    closed = set(generator.showing(task.classifier.classes[task.target]))
    if task.sources is None:
        found = set(range(len(generator.classes)))
    else:
        found = {k for source in task.sources for k in generator.showing(task.classifier.classes[source])}
    if not found - closed:
        names = ", ".join(task.classifier.classes[source] for source in task.sources or ())
        raise Refusal(f"{generator.name} knows no scene of {names}", "a universal brief, or another generator")
    return tuple(sorted(found - closed))


class Inserted(Parameterisation):
    """Scenes of a generator in which part of what a layer puts out is replaced, by the same in all scenes of a finding.

    Each time that they are drawn with gradients, every finding gets another scene; without, its own one. A finding's
    scenes have what is drawn at one place, so that what changes does (the released code fixes the square in the image).

    Attributes:
        before: ``(n, 3, side, side)``, the scenes drawn last without the change.
        there: ``(n, C, H, W)``, what the layer put out for them.

    Args:
        generators: one a finding; of classes, noise and places.
        classes: of the scenes.
        change: one of :data:`CHANGES`.
        share: of the latent's area, or of its channels.
    """

    solid = True

    def __init__(
        self,
        generator: Generator,
        generators: Sequence[torch.Generator],
        classes: Collection[int],
        truncation: float,
        what: tuple[str, str, float],
    ) -> None:
        layer, change, share = what
        self._generator, self._generators, self._layer = generator, generators, layer
        self._classes, self._truncation = classes, truncation
        channels, height, width = generator.shape(layer)
        n = len(generators)
        self._places = self._scenes(generators).noise[:, list(generator.placing)]
        self._corners: tuple[tuple[int, int], ...] | None = None
        self._channels: tuple[int, ...] | None = None
        if change == "square":
            side = max(1, math.floor(math.sqrt(share) * min(height, width)))
            # not at the frame's edge, which a generator that lays drawings on a ground goes on with for ever
            edge = 1 if side + 2 <= min(height, width) else 0
            tops, lefts = (
                [edge + int(torch.randint(size - side - 2 * edge + 1, (), generator=g)) for g in generators]
                for size in (height, width)
            )
            self._corners = tuple(zip(tops, lefts, strict=True))
            shape = (n, channels, side, side)
        else:
            count = max(1, round(share * channels))
            picked = torch.randperm(channels, generator=generators[0])[:count]
            self._channels = tuple(int(k) for k in picked.sort().values)
            shape = (n, count, height, width)
        self.parameters = [torch.zeros(shape, device=generator.device).requires_grad_()]
        self._own = self.scenes(generators)
        self.before, self.there = generator.watched(self._own, layer)

    def _scenes(self, generators: Sequence[torch.Generator]) -> Latents:
        return self._generator.of_class(generators, self._classes, self._truncation)

    def scenes(self, generators: Sequence[torch.Generator], findings: Sequence[int] | None = None) -> Latents:
        """Other scenes, one a generator, with what is drawn at the place of the finding that each is for."""
        latents = self._scenes(generators)
        places = self._places if findings is None else self._places[list(findings)]
        latents.noise[:, list(self._generator.placing)] = places
        return latents

    def change(self, findings: Sequence[int] | None = None) -> Change:
        """What is replaced, by what, in one scene of each finding, or of each that is named."""
        rows = range(len(self.parameters[0])) if findings is None else findings
        return Change(
            layer=self._layer,
            values=self.parameters[0] if findings is None else self.parameters[0][list(rows)],
            corners=None if self._corners is None else tuple(self._corners[k] for k in rows),
            channels=self._channels,
        )

    def pictures(self) -> Tensor:
        """``(n, 4, side, side)``."""
        latents = self.scenes(self._generators) if torch.is_grad_enabled() else self._own
        self.before, self.there = self._generator.watched(latents, self._layer)
        return opaque(self._generator.draw(latents, self.change()))

    def moved(self) -> Tensor:
        """``(n,)``: how far what is inserted is from what was there, as the root of the mean square."""
        there = self.there
        if self._channels is not None:
            there = there[:, list(self._channels)]
        elif self._corners is not None:
            side = self.parameters[0].shape[-1]
            cut = [there[i, :, t : t + side, left : left + side] for i, (t, left) in enumerate(self._corners)]
            there = torch.stack(cut)
        return (self.parameters[0] - there).square().flatten(1).mean(1).clamp_min(1e-12).sqrt()


@dataclass(frozen=True, kw_only=True)
class Wants:
    """Weights of what a region attack should be like, against its cross-entropy; 0 switches one off.

    Attributes:
        variation: of the total variation of the change.
        near: of the distance of what is inserted to what was there.
        alike: of how different the scene becomes to the discriminator (notebook: LPIPS of a VGG).
        real: of the discriminator: minus its mean output over the ``best`` classes.
        sure: of the entropy of what the disguise classifier says of what changed.
        unlike: of minus the disguise classifier's cross-entropy of it to the target.
        best: of the discriminator's classes that count (notebook: 5).
    """

    variation: float
    near: float
    alike: float
    real: float
    sure: float
    unlike: float
    best: int


class Want:
    """The regularisers as a penalty of each scene with its change, ``(n, 4, h, w)`` to ``(n,)``."""

    def __init__(
        self, task: Task, weights: Wants, drawn: Inserted, generator: Generator, disguise: Disguise | None
    ) -> None:
        self._weights, self._drawn, self._generator, self._disguise = weights, drawn, generator, disguise
        called = task.classifier.classes[task.target]
        self._targets = list(disguise.showing(called)) if disguise is not None else []

    def __call__(self, pictures: Tensor) -> Tensor:
        """Penalties ``(n,)``."""
        weights, scenes, before = self._weights, pictures[:, :3], self._drawn.before
        total = weights.variation * total_variation(scenes - before)
        if weights.near:
            total = total + weights.near * self._drawn.moved()
        if weights.alike:
            total = total + weights.alike * self._generator.difference(scenes, before)
        if weights.real:
            scores = self._generator.realness(scenes)
            total = total - weights.real * scores.topk(min(weights.best, scores.shape[1]), 1).values.mean(1)
        if self._disguise is not None and (weights.sure or weights.unlike):
            told = self._disguise.log_probabilities(cut_out(scenes, boxes(regions(scenes.detach(), before))))
            total = total + weights.sure * -(told.exp() * told).sum(1)
            if self._targets:
                total = total + weights.unlike * told[:, self._targets].logsumexp(1).clamp_min(-10.0)
        return total


def regions(after: Tensor, before: Tensor) -> Tensor:
    """Where scenes changed most: ``(k, 3, h, w)`` each to ``(k, h, w)`` bool.

    Of the blurred difference the tenth that is largest, in any colour, opened and closed (notebook of thesis 5.1).
    """
    side = after.shape[-1]
    difference = blur((after - before).abs(), SMOOTH * side)
    bound = torch.quantile(difference.flatten(1), LARGEST, dim=1)
    mask = (difference > bound[:, None, None, None]).any(1, keepdim=True).float()
    width = 2 * max(1, round(OPENED * side)) + 1

    def grown(x: Tensor) -> Tensor:
        return F.max_pool2d(x, width, 1, width // 2)

    def shrunk(x: Tensor) -> Tensor:
        return 1 - grown(1 - x)

    return shrunk(grown(grown(shrunk(mask))))[:, 0] > 0.5


def boxes(masks: Tensor) -> Tensor:
    """The smallest squares around regions, as ``(k, 3)``: middle row, middle column and side in pixels.

    All of the picture where there is no region.
    """
    found = []
    for mask in masks:
        rows, columns = (mask.any(axis).nonzero().flatten() for axis in (1, 0))
        if not len(rows):
            found.append([(mask.shape[0]) / 2, mask.shape[1] / 2, float(mask.shape[0])])
            continue
        top, bottom, left, right = (int(each) for each in (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1))
        found.append([(top + bottom) / 2, (left + right) / 2, float(max(bottom - top, right - left))])
    return torch.tensor(found, device=masks.device)


def cut_out(pictures: Tensor, where: Tensor, side: int | None = None) -> Tensor:
    """Squares of pictures, enlarged to ``side`` or to their own: ``(k, c, h, h)``; nothing lies outside of them."""
    size = pictures.shape[-1]
    scale = where[:, 2] / size
    theta = torch.zeros(len(where), 2, 3, device=pictures.device)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, 0, 2] = 2 * where[:, 1] / size - 1
    theta[:, 1, 2] = 2 * where[:, 0] / size - 1
    grid = F.affine_grid(theta, [len(where), pictures.shape[1], side or size, side or size], align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def generalised(after: Tensor, before: Tensor, side: int) -> Tensor:
    """One patch of what changed in several scenes: ``(k, 3, h, w)`` each to ``(4, side, side)``, straight alpha.

    It has the pixels that are in the region of more than :data:`AGREE` of the scenes, or where there are none, of as
    many as have any; their colours are means over these scenes, and around them it is transparent (notebook: grey).
    """
    masks = regions(after, before).float()
    share = masks.mean(0)
    kept = (share > min(AGREE, float(share.max()) - 1e-6)).float()
    colours = (after * masks[:, None]).sum(0) / masks.sum(0).clamp_min(1)
    layer = torch.cat([colours * kept, kept[None]])
    cut = cut_out(layer[None], boxes(kept[None] > 0), max(side, after.shape[-1]))
    straight = torch.cat([cut[:, :3] / cut[:, 3:].clamp_min(1e-4), cut[:, 3:]], 1).clamp(0, 1)
    return resize(straight, side)[0].clamp(0, 1)
