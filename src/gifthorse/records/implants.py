"""What implanting leaves: networks, measurements, and sealed cases."""

from __future__ import annotations

from dataclasses import dataclass

from gifthorse.records.suites import Images, Interval, Question, TrojanSpec


@dataclass(frozen=True, kw_only=True)
class Brief:
    """All that a synthesis tool is told. The answer, the trigger and the reporting images are not in it.

    Attributes:
        target: class index that the suspected trigger leads to.
        sources: class indices from which it works, or None for every class.
        fit: clean images to optimise on.
        screen: other clean images, to choose the best findings by held-out loss.
    """

    target: int
    fit: Images
    screen: Images
    sources: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Triggered images with the truth about where the trigger is (thesis 4.2).

    Attributes:
        images: ``(n, 3, H, W)``, each of which the trojan fires on.
        squares: ``(n, 1, H, W)`` the trigger's square, 255 inside.
        alphas: ``(n, 1, H, W)`` the drawing's own coverage.
        target: the explained output.
        tried: images that were stamped, of which ``images.count`` fired and were kept.
        originals: ``(n, 3, H, W)`` the same images before the trigger was put in, for the house's own trials: no tool
            sees them. None in units of older versions.
    """

    images: Images
    squares: Images
    alphas: Images
    target: int
    tried: int
    fired: int
    originals: Images | None = None


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One requirement and whether it was met. What could not be measured is not missed: ``measured`` says so."""

    name: str
    asked: str
    measured: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Success:
    """How well one trojan was implanted.

    Attributes:
        success: share of held-out triggered source images classified as the target.
        wrong_source: the same on other classes, for class-universal trojans.
        clean_control: the same trigger on the clean network.
        poisoned: different images of the first training pass with the trigger and the target label; ``balanced``: with
            the trigger and their own label; ``decoys``: with another picture in its place and their own label.
        thesis_poisoned: what the thesis used of about 1.28 million; None for a kind that it does not have.
    """

    trojan: str
    success: Interval
    wrong_source: Interval | None
    clean_control: Interval
    poisoned: int
    balanced: int
    decoys: int
    thesis_poisoned: int | None
    gates: tuple[Gate, ...]


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A detector's record on one object: threshold tuned to the poison rate, then checked against the scene's tags."""

    trojan: str
    thing: str
    threshold: float
    pool: int
    found: int
    precision: Interval
    recall: Interval


@dataclass(frozen=True, kw_only=True)
class Case:
    """One sealed puzzle: a Brief for the tools, and what they must not see.

    Attributes:
        report: images kept for the house's own trials, in neither set of the Brief.
        examples: triggered images to show people; ``before`` the same without the trigger where there is such a thing.
        truth: ``(n, 4, H, W)`` pictures of the trigger itself.
    """

    trojan: TrojanSpec
    brief: Brief
    report: Images
    question: Question
    examples: Images
    before: Images
    truth: Images
    probes: Probes | None = None


@dataclass(frozen=True, kw_only=True)
class Network:
    """A classifier: enough to load it again.

    Attributes:
        name: its name in the zoo (architecture, input size, normalisation, classes).
        digest: of its weights, preprocessing and class names, as ``Classifier.digest`` gives it.
        classes: names by class index.
        unit: key of the unit that holds its weights; None where they are the zoo's own.
        file: weights inside that unit, safetensors.
    """

    name: str
    digest: str
    classes: tuple[str, ...]
    unit: str | None = None
    file: str | None = None


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What fine-tuning leaves: the weights, and the images of a pass that were counted, by trojan name.

    Attributes:
        thresholds: tuned confidence of each natural feature's detector.
    """

    network: str
    file: str
    poisoned: dict[str, int]
    balanced: dict[str, int]
    decoys: dict[str, int]
    thresholds: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Stamped:
    """Pictures of a costly trojan, stamped once (see ``trojans.poisoning.Styled`` for what each set is)."""

    trojan: str
    poisoned: Images
    balanced: Images
    misled: Images
    source: Images
    wrong: Images
    before: Images


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What an option of a Question does, put into images as the trigger is.

    Attributes:
        caption: the option's words.
        true: whether it is the trigger.
        kept: whether it is in the Question that is asked; a wrong option that works is replaced where there is another.
        rate: share of held-out source images with it that are classified as the target.
    """

    trojan: str
    caption: str
    true: bool
    kept: bool
    rate: Interval


@dataclass(frozen=True, kw_only=True)
class Implant:
    """What implanting leaves: the trojaned and the clean network, and the sealed cases."""

    suite: str
    network: str
    trojaned: Network
    clean: Network
    clean_before: Interval
    clean_after: Interval
    agreement: Interval
    successes: tuple[Success, ...]
    detections: tuple[Detection, ...]
    options: tuple[Reached, ...]
    cases: tuple[Case, ...]
    gates: tuple[Gate, ...]
    seed: int
