"""What experiments leave: attacks with what became of each."""

from __future__ import annotations

from dataclasses import dataclass

from gifthorse.records.suites import Images


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One patch attack, universal and targeted, tried out.

    Attributes:
        target: class index, ``aimed`` its name.
        confidence: mean probability of the target over source images that the attack did not see.
        hits: of ``n`` of these images, those that are classified as the target.
        alone: class that the network under test takes the patch for by itself, with ``alone_confidence``.
        looks: what the realism proxy takes the patch for, with ``realism``, its confidence in that.
        loss: on screening images.
    """

    target: int
    aimed: str
    confidence: float
    hits: int
    n: int
    alone: str
    alone_confidence: float
    looks: str
    realism: float
    loss: float

    @property
    def disguised(self) -> bool:
        """Whether the patch by itself is not classified as the target (thesis, Figure 5.4)."""
        return self.alone != self.aimed


@dataclass(frozen=True, kw_only=True)
class Attacks:
    """A block of attacks of one arm of an experiment.

    Attributes:
        arm: name of the arm.
        network: that was attacked.
        attacks: one a target.
        pictures: of the attacks, ``(n, 4, h, w)`` uint8.
    """

    arm: str
    network: str
    attacks: tuple[Attack, ...]
    pictures: Images


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """Patches that were made on scenes of one class, tried on those of several.

    Attributes:
        source: the class that they were made on.
        tried: the classes that they were tried on.
        confidences: for each of these, the mean target confidence of each patch.
        pictures: of the patches, ``(n, 4, h, w)`` uint8.
    """

    source: str
    tried: tuple[str, ...]
    confidences: tuple[tuple[float, ...], ...]
    pictures: Images


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Several patches that one fine-tuned generator draws for one target.

    Attributes:
        arm: how it was fine-tuned.
        target: class name.
        apart: mean distance of two of the patches: of their colours at 8 x 8 pixels, from 0 to 1.
        confidences: mean probability of the target with each, in scenes that nothing was made on.
        pictures: ``(n, 4, h, w)`` uint8.
    """

    arm: str
    target: str
    apart: float
    confidences: tuple[float, ...]
    pictures: Images


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One patch in images of a source.

    Attributes:
        name: what it is in the pool that it comes from.
        hits: images that are classified as the target with it.
        fooled: those of them that are not without it.
        confidence: mean probability of the target.
    """

    name: str
    hits: int
    fooled: int
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Hunted:
    """Natural patches that were found for a source and a target, and what they did (thesis 5.2).

    Attributes:
        source, target: names of the classes.
        n: source images that nothing was made or chosen on.
        before: of these, those that are classified as the target without a patch.
        natural: the best patches of the pool; ``crops``: middles of images of the target's class, as many chosen of as
            many; ``synthetic``: what the search went by.
        dropped: patches that were passed over, since they show the target.
        alike: mean cosine similarity of two of the natural patches, as the network sees them.
        near: mean cosine similarity of a natural patch and the mean of images of the target's class.
        published: mean success of as many natural patches, had they been chosen and tried on the scenes that synthetic
            ones were made on, as in the thesis's code: it flatters them (selection bias).
        pictures: of natural patches, then crops, then synthetic ones, ``(k, 4, h, w)`` uint8.
    """

    source: str
    target: str
    n: int
    before: int
    natural: tuple[Hit, ...]
    crops: tuple[Hit, ...]
    synthetic: tuple[Hit, ...]
    dropped: int
    alike: float
    near: float
    published: float
    pictures: Images

    def success(self, hit: Hit) -> float:
        """Share of the images that are classified as the target with a patch, less the share without (thesis 5.2.2)."""
        return (hit.hits - self.before) / self.n


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a search finds with fewer synthetic patches, or when fewer natural ones are tried out (Figure 5.8).

    Attributes:
        source, target: names of the classes.
        synthetic, screened: the numbers that were tried.
        success: for each of the former, for each of the latter, the mean success of the best patches.
    """

    source: str
    target: str
    synthetic: tuple[int, ...]
    screened: tuple[int, ...]
    success: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Retried:
    """What is left of a success when one thing about natural patches is changed.

    Attributes:
        what: ``place``, ``drawing`` or ``ground``.
        before, after: mean success of the same patches, as they were found and changed.
        patches: how many there were.
    """

    what: str
    before: float
    after: float
    patches: int


@dataclass(frozen=True, kw_only=True)
class Failing:
    """How a search for a trojan's trigger fails, with the trigger in the pool and without (thesis 5.2.3, 5.2.5).

    Attributes:
        network, trojan, target: names.
        present: mean success of the best patches with the trigger in the pool; ``absent``: without.
        triggers: pictures of the trigger in the pool; ``tried``: those that were tried out.
        nearest: place of the first of them by similarity, from 1; None where none was tried out.
        best: place of the best of them when all are tried out, from 1; None where none was.
        found: those among the best.
        near: mean cosine similarity of the best patches and images of the target's class; ``near_any``: of as many
            patches of the pool at random.
        alike: mean cosine similarity of two of the best; ``alike_any``: of as many at random.
        changed: success that is kept when one thing is changed.
        shown: what each of the best shows with the trigger in the pool, by their names there; then without.
        pictures: the best with the trigger in the pool, then without, ``(n, 4, h, w)`` uint8.
        successes: of them.
    """

    network: str
    trojan: str
    target: str
    present: float
    absent: float
    triggers: int
    tried: int
    nearest: int | None
    best: int | None
    found: int
    near: float
    near_any: float
    alike: float
    alike_any: float
    changed: tuple[Retried, ...]
    shown: tuple[str, ...]
    successes: tuple[float, ...]
    pictures: Images
