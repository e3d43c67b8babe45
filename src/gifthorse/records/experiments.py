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
