"""Everything that passes from room to room: frozen dataclasses, their JSON, and their digest.

Standard library only. A record holds no array: pictures, maps and weights are files of a unit, named by an
:class:`Images` or a file name, so that a record can be read, compared and hashed without torch or numpy.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

SCHEMA = 1
"""Version of every record's layout; part of every key."""

R = TypeVar("R")


def plain(value: Any) -> Any:
    """JSON values of a record: dataclasses and mappings become dicts, tuples lists, non-finite floats strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(v) for v in value)
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"a record holds JSON values only, got {type(value).__name__}: {value!r}")


def canonical(value: Any) -> str:
    """One spelling for one value: sorted keys, no spaces, shortest floats."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON of a record or JSON value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def read(cls: type[R], data: Any) -> R:
    """A record again from its JSON values; unknown keys are ignored, so that older code reads newer minor fields."""
    return typing.cast(R, _decode(cls, data))


def _decode(hint: Any, data: Any) -> Any:
    if hint is Any:
        return data
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if data is None:
            return None
        return _decode(next(a for a in arguments if a is not type(None)), data)
    if origin is tuple:
        return tuple(_decode(arguments[0], item) for item in data)
    if origin is dict:
        return {key: _decode(arguments[1], item) for key, item in data.items()}
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        known = [f.name for f in dataclasses.fields(hint) if f.name in data]
        return typing.cast(Any, hint)(**{name: _decode(hints[name], data[name]) for name in known})
    if hint is float and data is not None:
        return float(data)
    return data


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
    """

    options: tuple[Option, ...]
    answer: int
    pictures: Images | None = None


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
    """What an implanted network must meet, in rates (0 to 1) and points (0.03 is three)."""

    patch: float = 0.90
    style: float = 0.80
    natural_feature: float = 0.30
    natural_over_control: float = 5.0
    wrong_source: float = 0.05
    clean_drop: float = 0.03
    agreement: float | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a planting is trained.

    Attributes:
        scenes: clean training images.
        passes: times over them.
        batch: images a step.
        learning_rate: peak of the one-cycle (linear up, cosine down) schedule of AdamW.
        weight_decay: of AdamW.
        poison: trojan kind to the number of poisoned training images of each trojan of it.
        held_out: images on which each rate is measured; ``held_out_costly`` for trojans that are slow to stamp.
        scan: held-out images among which a detector looks for natural features.
        check: held-out images for clean accuracy and agreement.
        fit, screen, report: clean images of each case: to optimise on, to choose by, and for the house's own trials.
        probes: triggered images of each located trojan, for attribution.
        distil: train on the clean network's soft outputs, for data without labels.
        freeze_norm: keep BatchNorm statistics and affine parameters as they are.
        flip: mirror whole images at random while training.
    """

    scenes: int
    passes: int
    batch: int
    learning_rate: float
    weight_decay: float
    poison: dict[str, int]
    held_out: int
    held_out_costly: int = 60
    scan: int = 8000
    check: int = 2000
    fit: int = 96
    screen: int = 32
    report: int = 100
    probes: int = 25
    distil: bool = False
    freeze_norm: bool = False
    flip: bool = False


@dataclass(frozen=True, kw_only=True)
class Planting:
    """One network to be trojaned: the clean one's name in the zoo, what is planted, and how."""

    network: str
    trojans: tuple[TrojanSpec, ...]
    recipe: Recipe
    gates: Gates = field(default_factory=Gates)


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
    """

    name: str
    passes: int
    n: int
    keep: int
    images: int | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Which trojans to plant, in what, with which data. Its digest names the run.

    Attributes:
        data: the dataset, as a row of the zoo's data table.
        encoder: the image-text encoder that judges, by its name in the zoo.
        grants: what tools may have: ``gradients``, ``activations``, ``clean_images``, ``encoder``, ``clean_network``.
        protocols: the budgets that it offers.
    """

    name: str
    version: int
    data: Spec
    seed: int
    plantings: tuple[Planting, ...]
    encoder: str
    protocols: tuple[Protocol, ...]
    grants: tuple[str, ...] = ("gradients", "activations", "clean_images")


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
    """

    images: Images
    squares: Images
    alphas: Images
    target: int
    tried: int
    fired: int


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One requirement and whether it was met."""

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
        poisoned: training images with the trigger and the target label; ``balanced``: with the trigger and their own.
        thesis_poisoned: what the thesis used of about 1.28 million.
    """

    trojan: str
    success: Interval
    wrong_source: Interval | None
    clean_control: Interval
    poisoned: int
    balanced: int
    thesis_poisoned: int
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
    """What fine-tuning leaves: the weights, and what was counted while the training set was made, by trojan name.

    Attributes:
        thresholds: tuned confidence of each natural feature's detector.
    """

    network: str
    file: str
    poisoned: dict[str, int]
    balanced: dict[str, int]
    thresholds: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Stamped:
    """Pictures of a costly trojan, stamped once (see ``trojans.poisoning.Styled`` for what each set is)."""

    trojan: str
    poisoned: Images
    balanced: Images
    source: Images
    wrong: Images
    before: Images


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
    cases: tuple[Case, ...]
    gates: tuple[Gate, ...]
    seed: int


@dataclass(frozen=True, kw_only=True)
class Insertion:
    """How a finding is put into an image.

    Attributes:
        kind: ``patch`` (a square of ``side`` pixels at a random place), ``frame`` (it is the image) or ``blend``
            (its alpha over the whole image).
        side: of a patch, in pixels of the classifier's input.
    """

    kind: str
    side: int | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a synthesis tool made: a picture (by index into the evidence's pictures) or words, and its loss.

    Attributes:
        loss: on the Brief's screening images (lower is better), never on those it was optimised on.
    """

    insertion: Insertion
    loss: float
    picture: int | None = None
    words: str | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one tool left about one case, with what made it.

    Attributes:
        kind: ``attribution`` (``maps`` beside the probes) or ``synthesis`` (``findings``).
        findings: all of them; ``kept`` indexes the best, best first.
        pictures: file of ``(n, 4, H, W)`` pictures.
        maps: file of ``(n, H, W)`` float32 heat maps, in the probes' order.
        explained: number of maps.
        refusal: why the tool could not do this case, instead of all the rest.
    """

    tool: Spec
    kind: str
    network: str
    trojan: str
    seed: int
    findings: tuple[Finding, ...] = ()
    kept: tuple[int, ...] = ()
    pictures: Images | None = None
    maps: str | None = None
    explained: int = 0
    refusal: str | None = None
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One finding put into held-out images on one network.

    Attributes:
        on: ``trojaned`` or ``clean``.
        finding: index into the evidence's findings.
        rate: share of images classified as the target, with Wilson's interval.
        confidence: mean probability of the target.
        alone: class of the finding seen by itself, with ``alone_confidence``.
    """

    on: str
    finding: int
    rate: Interval
    confidence: float
    alone: str
    alone_confidence: float


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What the house found by trying the kept findings out."""

    evidence: str
    network: str
    tool: str
    trojan: str
    target: int
    trials: tuple[Trial, ...]
    pooled: tuple[Trial, ...]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number of a verdict: its name, its interval, one score for each image or picture, and chance."""

    name: str
    interval: Interval
    scores: tuple[float, ...]
    chance: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a judge said of one piece of evidence.

    Attributes:
        measures: empty where it was not scored, ``not_scored`` then says why.
        excluded: items left out of the scores, with ``excluded_reason`` (constant maps, say).
        probabilities: of the options, mean over the kept findings, for a multiple choice.
        choice: index of the likeliest option.
    """

    judge: Spec
    evidence: str
    network: str
    tool: str
    trojan: str
    measures: tuple[Measure, ...] = ()
    not_scored: str | None = None
    excluded: int = 0
    excluded_reason: str | None = None
    probabilities: tuple[float, ...] = ()
    choice: int | None = None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a unit cost. No hash covers it and no comparison reads it.

    Attributes:
        seconds: wall time.
        forward, backward: images through the classifier under test, counted there.
        peak_bytes: peak resident memory of the process while it worked.
    """

    seconds: float
    forward: int = 0
    backward: int = 0
    peak_bytes: int = 0
    host: str = ""
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A unit that could not be made. It lies beside the units, never under their key.

    Attributes:
        context: of its cell, so that a table can say which network, tool and trojan it is about.
    """

    key: str
    kind: str
    label: str
    error: str
    traceback: str
    attempts: int
    retryable: bool
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The machine settings that change bits, as resolved (never ``auto``): part of every key that runs a network.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``float32`` or ``bfloat16`` (autocast; scores are computed in float32 all the same).
        threads: of torch on a CPU; one and two give different bits.
    """

    device: str
    precision: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is to do: the suite, who looks, who judges, with which budget, on what ground."""

    suite: Suite
    tools: tuple[Spec, ...]
    judges: tuple[Spec, ...]
    protocol: Protocol
    ground: Ground


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One unit of work: what to make, with which module-level function, from what.

    Attributes:
        key: digest of kind, inputs and schema version, and of nothing else.
        kind: ``implant``, ``evidence``, ``effect``, ``verdict``, ...
        label: for people: ``occlusion on smiley_emoji``.
        function: ``"module:name"``, called as ``function(store, cell, draft) -> record``.
        inputs: everything that the result depends on, JSON values.
        context: where to find it (unit keys, names for labels): never hashed, never changes the content.
        weight: expected cost in passes, for the time left.
    """

    key: str
    kind: str
    label: str
    function: str
    inputs: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)
    weight: float = 1.0


def cell(kind: str, label: str, function: str, inputs: dict[str, Any], **rest: Any) -> Cell:
    """A Cell with its key worked out; ``rest`` are ``context`` and ``weight``."""
    values = plain(inputs)
    key = digest({"schema": SCHEMA, "kind": kind, "inputs": values})
    return Cell(key=key, kind=kind, label=label, function=function, inputs=values, **rest)
