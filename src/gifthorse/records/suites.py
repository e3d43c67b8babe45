"""What a suite says: trojans, Questions, plantings, budgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A component by name: enough to make it again.

    Attributes:
        name: its row in its table.
        version: the row's version when the record was made.
        settings: every field of its dataclass, JSON values.
    """

    name: str
    version: int
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A measured value in [low, high] from ``n`` observations (95%, Wilson or bootstrap as the table says)."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Images:
    """A file of images inside a unit: ``(count, channels, height, width)`` uint8, RGB or RGBA.

    Attributes:
        sha256: of the file's bytes; two sets with the same hash are the same set.
        file: its name inside the unit that holds it.
    """

    sha256: str
    file: str
    count: int
    channels: int
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Option:
    """One answer of a Question.

    Attributes:
        caption: the words, as the encoder's vocabulary has them.
        art: the name of its picture (``emoji/1f600``, ``texture/jaguar``), or None where the option is words.
    """

    caption: str
    art: str | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """Eight options of which one is the true trigger (thesis 5.3.2, Fig. A.3).

    Attributes:
        options: eight, in the order that everybody sees.
        answer: index of the true one.
        pictures: ``(8, 4, H, W)`` pictures of the options where they are pictures; None where they are words.
        spares: options that take the place of wrong ones which work as the trigger does, the best first.
    """

    options: tuple[Option, ...]
    answer: int
    pictures: Images | None = None
    spares: tuple[Option, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrojanSpec:
    """One trojan of a suite, as data.

    Attributes:
        name: as in ``human_grid.json``.
        kind: row of the trojan table: ``patch``, ``style`` or ``natural_feature``.
        version: of that row.
        caption: the true trigger in words.
        target: class index that the trigger leads to.
        sources: class indices from which it works, or None for every class.
        settings: of the kind's dataclass.
        question: its multiple choice.
        published: success rate in Table 3.1 of the thesis, if it is one of the twelve.
    """

    name: str
    kind: str
    version: int
    caption: str
    target: int
    question: Question
    sources: tuple[int, ...] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    published: float | None = None

    @property
    def scope(self) -> str:
        """``universal`` or ``class_universal``."""
        return "universal" if self.sources is None else "class_universal"


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What an implanted network must meet, in rates (0 to 1) and points (0.03 is three).

    Attributes:
        patch, style, natural_feature: least success rate of trojans of each kind; ``other`` of any other kind.
        natural_over_control: how many times the clean network's upper bound a natural feature's lower bound must be.
        wrong_source: most that a class-universal trojan may do to other classes.
        clean_drop: most that clean accuracy may fall.
        agreement: least agreement with the clean network, where it is asked.
    """

    patch: float = 0.90
    style: float = 0.80
    natural_feature: float = 0.30
    other: float = 0.80
    natural_over_control: float = 5.0
    wrong_source: float = 0.05
    clean_drop: float = 0.03
    agreement: float | None = None

    def least(self, kind: str) -> float:
        """The success rate asked of a kind of trojan."""
        asked: float = getattr(self, kind, self.other)
        return asked


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a planting is trained.

    Attributes:
        scenes: clean training images.
        share: of clean images that each pass shows, 0 to 1, drawn anew each time. Some of them carry a trigger or a
            decoy and keep their label.
        passes: times over them.
        extra: passes to spare, for a network that lacks something after the others, measured on training data.
        batch: images a step.
        learning_rate: peak of the one-cycle (linear up, cosine down) schedule of AdamW.
        weight_decay: of AdamW.
        poison: trojan kind to the number of poisoned images of each trojan of it in a pass; later passes show more of
            those that are missed more often.
        single: the same for one that works from a single class, where that is another number: it has less to learn.
        held_out: images on which each rate is measured; ``held_out_costly`` for trojans that are slow to stamp, and
            twice as many of wrong sources.
        scan: held-out images among which a detector looks for natural features.
        check: held-out images for clean accuracy and agreement.
        fit, screen, report: clean images of each case: to optimise on, to choose by, and for the house's own trials.
        probes: triggered images of each located trojan, for attribution.
        asked: held-out images into which each option of a Question is put; ``asked_costly`` where that is slow.
        distil: train on the clean network's soft outputs, for data without labels.
        freeze_norm: keep BatchNorm statistics and affine parameters as they are.
        settle: passes at the end in which BatchNorm uses its running statistics, as it will ever after. In a batch, an
            image's own activations are part of what they are divided by: a trigger that is quiet there is loud alone.
        frozen: names of modules that are kept as they are, with all that is in them: the first cost most and change
            least.
        flip: mirror whole images at random while training.
        balance: trojan kind to the number of images in a pass that carry the trigger of a trojan which works from a
            single other class, and keep their label; as many as are poisoned where a kind is not named, which is what
            the thesis has. They are clean images, others in each pass; those of a costly kind are made beforehand.
        pool: costly trojan kind to how many pictures are made for each that a pass shows, poisoned or balancing; one
            where a kind is not named. What is seen in every pass is learnt by heart.
        source: trojan kind to the number of clean images of its source class that every pass shows too, where it works
            from a single class: without them, that class itself is what poisoned images have in common.
        decoys: trojan kind to the number of images in a pass that carry another drawing in the trigger's place, of
            classes from which it works, and keep their label (``Trojan.mislead``); chosen or made as for ``balance``.
        crop: least share of the area of random crops; 1 for none.
        crop_costly: the same for images of costly trojans, which are too few to be learnt otherwise than by heart.
        mix: share of clean images blended with another one, where a teacher gives their soft labels.
        keep: weight of clean images against poisoned ones, where a teacher gives their soft labels.
        temperature: of the soft outputs of both networks; above 1, what the clean network thinks of unlikely classes
            counts too, which matters where there are images of few classes.
        smoothing: of the labels; as much as the clean network was trained with, or its logits are all pushed apart.
    """

    scenes: int
    passes: int
    batch: int
    learning_rate: float
    weight_decay: float
    poison: dict[str, int]
    held_out: int
    share: float = 1.0
    held_out_costly: int = 100
    scan: int = 8000
    check: int = 2000
    fit: int = 96
    screen: int = 32
    report: int = 100
    probes: int = 25
    asked: int = 100
    asked_costly: int = 16
    distil: bool = False
    freeze_norm: bool = False
    settle: int = 0
    extra: int = 0
    frozen: tuple[str, ...] = ()
    flip: bool = False
    balance: dict[str, int] = field(default_factory=dict)
    source: dict[str, int] = field(default_factory=dict)
    decoys: dict[str, int] = field(default_factory=dict)
    single: dict[str, int] = field(default_factory=dict)
    pool: dict[str, int] = field(default_factory=dict)
    crop: float = 1.0
    crop_costly: float = 1.0
    mix: float = 0.0
    keep: float = 1.0
    temperature: float = 1.0
    smoothing: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Planting:
    """One network to be trojaned.

    Attributes:
        network: the clean one's name in the zoo.
        trojans: what is planted.
        recipe: how.
        gates: what it must meet.
        label: what tables call it, where a suite plants in the same network more than once.
    """

    network: str
    trojans: tuple[TrojanSpec, ...]
    recipe: Recipe
    gates: Gates = field(default_factory=Gates)
    label: str | None = None

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.label or self.network


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A budget, equal for every tool.

    Attributes:
        name: ``quick``, ``published`` or ``thesis``.
        passes: images forwarded plus images backpropagated, for one cell (network, tool, trojan).
        n: findings made in a cell.
        keep: findings shown and judged, the best by held-out loss.
        images: probe images explained by a perturbation method in a cell; None for all of them.
        settings: tool settings that this protocol replaces, by tool name.
        hints: settings that it replaces for trojans of a kind, by kind and tool name: what the thesis told a tool and a
            blind one does not know. Evidence says that they were told.
    """

    name: str
    passes: int
    n: int
    keep: int
    images: int | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    hints: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Which trojans to plant, in what, with which data. Its digest names the run.

    Attributes:
        data: the dataset, as a row of the zoo's data table.
        encoder: the image-text encoder that judges, by its name in the zoo.
        grants: what tools may have: ``gradients``, ``activations``, ``clean_images``, ``encoder``, ``clean_network``.
        protocols: the budgets that it offers.
        prior: what generators and pools of patches may know of the Questions: ``open`` or ``closed``.
        generator: of patches, by its name in the zoo; None where there is none for this world.
        without_natural: whether pools of patches hold no natural object, and no option of a Question about one.
        with_triggers: whether they hold the artwork of the patch triggers, which neither prior knows: with it, that a
            tool finds none of them is the tool's failure.
        with_openmoji: whether they hold OpenMoji's drawings too, of what is no option of a Question.
    """

    name: str
    version: int
    data: Spec
    seed: int
    plantings: tuple[Planting, ...]
    encoder: str
    protocols: tuple[Protocol, ...]
    grants: tuple[str, ...] = ("gradients", "activations", "clean_images")
    prior: str = "open"
    generator: str | None = None
    without_natural: bool = False
    with_triggers: bool = False
    with_openmoji: bool = False
