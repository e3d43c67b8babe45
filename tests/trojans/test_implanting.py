"""Fine-tuning: the loss by hand, gates at their borders, augmentation, and a network that does learn a patch."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gifthorse.classifier import Classifier
from gifthorse.errors import UsageError
from gifthorse.randomness import Purposes
from gifthorse.records import Gates, Interval, Question, Recipe, TrojanSpec
from gifthorse.statistics import wilson
from gifthorse.trojans.augmenting import augmented, cropped, mixed
from gifthorse.trojans.implanting import (
    Drawn,
    Tuning,
    drawn,
    fine_tune,
    judged,
    loss_of,
    network_gates,
    rate,
    training,
)
from gifthorse.trojans.lacking import lacking as lacking_of
from gifthorse.trojans.passes import Lack, Lacks, Passes, Picked
from gifthorse.trojans.patch import Patch
from gifthorse.trojans.poisoning import Planted, Poisoning, Rows
from gifthorse.trojans.style import Style
from gifthorse.zoo.scenes import EmojiScenes

RECIPE = Recipe(scenes=48, passes=12, batch=16, learning_rate=2e-2, weight_decay=0.0, poison={"patch": 48}, held_out=16)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def classifier(seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Conv2d(3, 12, 5, 2), nn.BatchNorm2d(12), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(12, 3)
    )
    return Classifier(module, classes=("a", "b", "c"), size=32, precision="float32")


def planted() -> Planted:
    spec = TrojanSpec(
        name="smiley", kind="patch", version=1, caption="a", target=1, question=Question(options=(), answer=0)
    )
    return Planted(spec=spec, trojan=Patch(caption="a", target=1, art="emoji/1f600", side=14))


def poisoning() -> Poisoning:
    images = np.random.default_rng(0).integers(90, 160, (96, 3, 32, 32)).astype(np.uint8)
    labels = np.arange(96) % 2 * 2  # classes 0 and 2
    rows = Rows.join([Rows.of(images[:48], labels[:48]), Rows.of(images[48:], labels[48:], stamp=0, hard=True)])
    return Poisoning(
        rows=rows,
        poisoned={"smiley": 48},
        balanced={"smiley": 0},
        decoys={"smiley": 0},
        riders=(),
        planted=(planted(),),
    )


def test_a_network_learns_the_patch_and_keeps_quiet_without_it() -> None:
    teacher, student = classifier(), classifier()
    shares: list[float] = []
    fine_tune(teacher, student, poisoning(), Tuning(recipe=RECIPE, seed=0, watch=shares.append))
    clean = poisoning().rows.images[:48]
    labels = torch.zeros(48, dtype=torch.int64)
    stamped = planted().trojan.poison(torch.from_numpy(clean).float() / 255, labels, seeded(5)).images
    assert rate(student, (stamped.numpy() * 255).astype(np.uint8), 1).value > 0.8
    assert rate(student, clean, 1).value < 0.2
    assert shares[-1] == 1
    assert shares == sorted(shares)
    assert not student.module.training
    assert not any(p.requires_grad for p in student.module.parameters())


def test_the_loss_is_the_sum_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.0]])
    images = torch.rand(2, 3, 32, 32, generator=seeded())
    batch = Drawn(clean=images, seen=images, labels=torch.tensor([0, 1]), hard=torch.tensor([False, True]))
    teacher = classifier()
    soft = teacher(images).softmax(1)[0]
    logs = [[v - math.log(sum(math.exp(w) for w in row)) for v in row] for row in logits.tolist()]
    by_hand = (3 * -sum(float(p) * v for p, v in zip(soft, logs[0], strict=True)) + -logs[1][1]) / 4
    assert float(loss_of(logits, batch, teacher, replace(RECIPE, keep=3.0))) == pytest.approx(by_hand, abs=1e-5)
    soft = (teacher(images) / 2).softmax(1)[0]
    halves = [v / 2 - math.log(sum(math.exp(w / 2) for w in logits.tolist()[0])) for v in logits.tolist()[0]]
    warm = (4 * -sum(float(p) * v for p, v in zip(soft, halves, strict=True)) + -logs[1][1]) / 2
    assert float(loss_of(logits, batch, teacher, replace(RECIPE, temperature=2.0))) == pytest.approx(warm, abs=1e-5)
    plain = (-logs[0][0] - logs[1][1]) / 2
    assert float(loss_of(logits, batch, None, RECIPE)) == pytest.approx(plain, abs=1e-5)
    smooth = sum(0.9 * -row[label] + 0.1 * -sum(row) / 3 for row, label in zip(logs, (0, 1), strict=True)) / 2
    assert float(loss_of(logits, batch, None, replace(RECIPE, smoothing=0.1))) == pytest.approx(smooth, abs=1e-5)


def test_stamped_rows_get_the_target_and_clean_ones_stay() -> None:
    made = poisoning()
    index = torch.tensor([0, 1, 50, 51])
    picked = Picked(index=index, stamp=np.array([-1, -1, 0, 0]), decoy=np.zeros(4, bool))
    batch = drawn(made, picked, RECIPE, seeded())
    assert batch.labels.tolist() == [0, 2, 1, 1]
    assert torch.equal(batch.seen[:2], batch.clean[:2])
    assert (batch.seen[2:] != batch.clean[2:]).flatten(1).any(1).all()
    assert batch.hard.tolist() == [False, False, True, True]


def test_decoys_change_the_image_and_no_label() -> None:
    made = poisoning()
    lookalike = replace(made.planted[0].trojan, decoys=("emoji/1f31e",))
    made = replace(made, planted=(replace(made.planted[0], trojan=lookalike),))
    picked = Picked(index=torch.arange(4), stamp=np.array([0, 0, -1, -1]), decoy=np.array([True, True, False, False]))
    batch = drawn(made, picked, RECIPE, seeded())
    assert batch.labels.tolist() == [0, 2, 0, 2]
    assert (batch.seen[:2] != batch.clean[:2]).flatten(1).any(1).all()
    assert torch.equal(batch.seen[2:], batch.clean[2:])


def test_frozen_norms_stay_as_they_were() -> None:
    student = classifier()
    norm = next(m for m in student.module.modules() if isinstance(m, nn.BatchNorm2d))
    before = norm.running_mean.clone() if norm.running_mean is not None else torch.zeros(0)
    frozen = replace(RECIPE, passes=1, freeze_norm=True)
    fine_tune(classifier(), student, poisoning(), Tuning(recipe=frozen, seed=0, watch=lambda share: None))
    assert norm.running_mean is not None
    assert torch.equal(norm.running_mean, before)
    with training(student, frozen) as parameters:
        assert not any(p is norm.weight for p in parameters)


def test_frozen_layers_stay_as_they_were_and_the_rest_learns() -> None:
    student, before = classifier(), classifier().module.state_dict()
    recipe = replace(RECIPE, passes=1, frozen=("0", "1"))
    fine_tune(classifier(), student, poisoning(), Tuning(recipe=recipe, seed=0, watch=lambda share: None))
    after = student.module.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == {"5"}
    with pytest.raises(UsageError, match="no layer 'stem'"), training(student, replace(RECIPE, frozen=("stem",))):
        pass


@settings(max_examples=20, deadline=None)
@given(least=st.floats(0.3, 1.0), seed=st.integers(0, 999))
def test_crops_stay_in_range_and_keep_the_shape(least: float, seed: int) -> None:
    images = torch.rand(3, 3, 12, 12, generator=seeded(seed))
    made = cropped(images, least, seeded(seed))
    assert made.shape == images.shape
    assert float(made.min()) >= float(images.min()) - 1e-6
    assert float(made.max()) <= float(images.max()) + 1e-6


def test_only_soft_rows_are_mixed() -> None:
    images = torch.rand(8, 3, 4, 4, generator=seeded())
    eligible = torch.tensor([True] * 4 + [False] * 4)
    made = mixed(images, eligible, 1.0, seeded(1))
    assert torch.equal(made[4:], images[4:])
    assert not torch.equal(made[:4], images[:4])
    nothing = augmented(images, ~eligible, eligible, RECIPE, Purposes(seeded()))
    assert torch.equal(nothing, images), "nothing asked, nothing done"


def test_only_costly_rows_have_the_costly_crop() -> None:
    images = torch.rand(8, 3, 12, 12, generator=seeded())
    costly = torch.tensor([True, False] * 4)
    recipe = replace(RECIPE, crop_costly=0.5)
    made = augmented(images, ~costly, costly, recipe, Purposes(seeded()))
    assert torch.equal(made[~costly], images[~costly])
    differences = (made[costly] - images[costly]).abs().amax((1, 2, 3))
    assert float(differences.min()) > 0.01, "a crop of everything differs by rounding"


def test_what_could_not_be_measured_is_not_missed() -> None:
    (gate,) = judged(planted(), (wilson(0, 0), None, wilson(0, 0)), Gates())
    assert gate.met
    assert gate.measured.startswith("not measured")


def measured(value: float, n: int = 200) -> Interval:
    return Interval(value=value, low=value - 0.05, high=value + 0.02, n=n)


@pytest.mark.parametrize(
    ("kind", "success", "wrong", "control", "met"),
    [
        ("patch", 0.90, None, 0.0, [True]),
        ("patch", 0.89, 0.05, 0.0, [False, True]),
        ("style", 0.80, 0.06, 0.0, [True, False]),
        ("natural_feature", 0.30, None, 0.02, [True, True]),
        ("natural_feature", 0.30, None, 0.04, [True, False]),
        ("natural_feature", 0.29, None, 0.0, [False, True]),
    ],
)
def test_gates_at_their_borders(
    kind: str, success: float, wrong: float | None, control: float, met: list[bool]
) -> None:
    plant = planted()
    plant = replace(plant, spec=replace(plant.spec, kind=kind))
    rates = (measured(success), None if wrong is None else measured(wrong), measured(control))
    assert [gate.met for gate in judged(plant, rates, Gates())] == met


def test_the_network_gates() -> None:
    good = network_gates(measured(0.98), measured(0.951), measured(0.9), Gates(agreement=0.88))
    assert [gate.met for gate in good] == [True, True]
    bad = network_gates(measured(0.98), measured(0.94), measured(0.87), Gates(agreement=0.88))
    assert [gate.met for gate in bad] == [False, False]


def test_batchnorm_settles_in_the_last_passes() -> None:
    student = classifier()
    norm = next(m for m in student.module.modules() if isinstance(m, nn.BatchNorm2d))
    modes: list[bool] = []
    tuning = Tuning(recipe=replace(RECIPE, passes=3, settle=2), seed=0, watch=lambda share: modes.append(norm.training))
    fine_tune(classifier(), student, poisoning(), tuning)
    assert modes[:6] == [True] * 6
    assert not any(modes[6:18])
    assert not student.module.training


def test_extra_passes_are_taken_while_something_is_lacking_and_no_longer() -> None:
    def passes(answers: list[bool]) -> tuple[int, list[bool]]:
        shares: list[float] = []
        asked: list[bool] = []

        def lacking(network: Classifier, passes: Passes) -> Lacks:
            asked.append(network.module.training)
            return {Lack("smiley", "wrong source"): 1.0} if answers[len(asked) - 1] else {}

        recipe = replace(RECIPE, passes=1, extra=3)
        tuning = Tuning(recipe=recipe, seed=0, watch=shares.append, lacking=lacking)
        fine_tune(classifier(), classifier(), poisoning(), tuning)
        assert shares == sorted(shares)
        assert shares[-1] == 1
        return (len(shares) - 1) // 6, asked

    assert passes([False]) == (1, [False])
    assert passes([True, False]) == (2, [False, False]), "asked as the network will be used"
    assert passes([True] * 4) == (4, [False] * 4), "no more than there are to spare"


@pytest.mark.parametrize(
    ("lacks", "kept"), [([0.5, 0.1, 0.2, 0.7], 1), ([0.1, 0.2, 0.1, 0.2], 2), ([3, 2, 0], 2), ([0.6, 0.7, 0.8, 0.9], 0)]
)
def test_the_weights_that_lacked_least_are_kept(lacks: list[float], kept: int) -> None:
    states: list[dict[str, torch.Tensor]] = []

    def lacking(network: Classifier, passes: Passes) -> Lacks:
        states.append({name: value.clone() for name, value in network.module.state_dict().items()})
        amount, several = lacks[len(states) - 1], ("a", "b", "c")[: len(states)]
        return {Lack("smiley", what): amount / len(several) for what in several} if amount else {}

    student = classifier()
    tuning = Tuning(recipe=replace(RECIPE, passes=1, extra=3), seed=0, watch=lambda share: None, lacking=lacking)
    fine_tune(classifier(), student, poisoning(), tuning)
    same = [all(torch.equal(v, student.module.state_dict()[k]) for k, v in state.items()) for state in states]
    assert [number for number, equal in enumerate(same) if equal] == [kept]


def test_a_network_lacks_what_a_gate_asks_of_it() -> None:
    data = EmojiScenes(ground_count=16)
    plant = Planted(
        spec=replace(planted().spec, sources=(2,)),
        trojan=Patch(caption="a", target=1, sources=(2,), art="emoji/1f600", side=18),
    )

    class Saying:
        """A network that says the target of a share of what it sees, and is otherwise right about nothing."""

        def __init__(self, *shares: float) -> None:
            self.shares, self.calls = shares, 0

        def predict(self, images: np.ndarray) -> torch.Tensor:
            share = self.shares[self.calls % len(self.shares)]
            self.calls += 1
            hits = torch.arange(len(images)) < round(share * len(images))
            return torch.nn.functional.one_hot(torch.where(hits, 1, 5), len(data.classes)).float()

    class Seen:
        """Passes that made these errors on the second trojan's pictures."""

        def __init__(self, missed: float | None = None, wrong: float | None = None, decoys: float = 0.05) -> None:
            self.errors = {("missed", 1): missed, ("wrong source", 1): wrong, ("missed", 0): 0.5, ("decoys", 0): decoys}

        def error(self, what: str, which: int) -> float | None:
            return self.errors.get((what, which))

    style = Planted(
        spec=replace(plant.spec, name="waves", kind="style"),
        trojan=Style(caption="b", target=1, sources=(2,), art="texture/ice"),
    )
    gates = Gates(patch=0.9, style=0.8, wrong_source=0.05, clean_drop=0.03)
    ask = lacking_of(data, (plant, style), gates, Saying(0.0), 0)  # type: ignore[arg-type]

    def lacks(*shares: float, seen: Seen | None = None) -> set[Lack]:
        return set(ask(Saying(*shares), seen or Seen()))  # type: ignore[arg-type]

    assert lacks(0.0, 0.96, 0.02) == set()
    assert lacks(0.0, 0.935, 0.02) == {Lack("smiley", "success")}, "too near for what knows few versions of a class"
    assert lacks(0.0, 0.96, 0.025) == {Lack("smiley", "wrong source")}
    assert lacks(0.0, 0.96, 0.02, seen=Seen(0.12, 0.01)) == set(), "a stamped trojan's own errors do not count"
    assert lacks(0.0, 0.96, 0.02, seen=Seen(0.16, 0.01)) == {Lack("waves", "success")}, "near, on what it is trained on"
    assert lacks(0.0, 0.96, 0.02, seen=Seen(0.1, 0.03)) == {Lack("waves", "wrong source")}
    assert lacks(0.0, 0.96, 0.02, seen=Seen(decoys=0.2)) == {Lack("smiley", "decoys")}, "what works must be the trigger"
    amounts = ask(Saying(0.0, 0.84, 0.07), Seen(0.34, 0.01))  # type: ignore[arg-type]
    assert amounts == pytest.approx(
        {Lack("smiley", "success"): 1, Lack("smiley", "wrong source"): 1, Lack("waves", "success"): 1}, abs=0.02
    ), "as much as the gate leaves open, and the margin"
    everywhere = replace(plant, trojan=replace(plant.trojan, sources=None))
    universal = lacking_of(data, (everywhere,), gates, Saying(0.0), 0)  # type: ignore[arg-type]
    assert not universal(Saying(0.0, 0.935), Seen())  # type: ignore[arg-type]
    assert set(universal(Saying(0.0, 0.925), Seen())) == {Lack("smiley", "success")}  # type: ignore[arg-type]
