from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from fixtures_nets import classifier, one_thread, pictures
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gifthorse.classifier import Classifier, bfloat16_is_fast
from gifthorse.effects import put
from gifthorse.errors import InputError, UsageError
from gifthorse.images import resize
from gifthorse.randomness import Purposes, generator
from gifthorse.records import Insertion
from gifthorse.tools import tool
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.base import Tool
from gifthorse.tools.synthesis.base import Synthesis, Task, brief
from gifthorse.tools.synthesis.draws import Draws
from gifthorse.tools.synthesis.engine import (
    Recipe,
    Schedule,
    Screen,
    _ask,
    _Asked,
    _beside,
    _inserted,
    optimise,
    pace,
    plan,
)
from gifthorse.tools.synthesis.objectives import cross_entropy
from gifthorse.tools.synthesis.parameterisation import Pixels
from gifthorse.tools.synthesis.tabor import Tabor

__all__ = ["one_thread"]


def schedule(steps: int | None, images: int, screenings: int) -> Schedule:
    return Schedule(steps=steps, images=images, learning_rate=0.1, warm_up=0.0, screenings=screenings, screen=4)


@given(
    st.one_of(st.none(), st.integers(1, 300)),
    st.integers(1, 5),
    st.integers(1, 9),
    st.integers(1, 12),
    st.integers(1, 20),
    st.integers(1, 5000),
)
def test_a_plan_spends_its_budget_and_no_more(
    steps: int | None, images: int, screenings: int, n: int, screen: int, budget: int
) -> None:
    step, screening = 2 * n * images, n * screen
    if budget < step + screening:
        with pytest.raises(UsageError, match=f"at least {step + screening}"):
            plan(schedule(steps, images, screenings), n, screen, budget)
        return
    made = plan(schedule(steps, images, screenings), n, screen, budget)
    spent = made.steps * step + len(made.screen_after) * screening
    assert spent <= budget
    assert made.steps >= 1
    assert made.screen_after[-1] == made.steps
    assert len(made.screen_after) <= screenings
    assert sorted(set(made.screen_after)) == list(made.screen_after)
    if steps is None or made.steps < steps:
        # what is left would not pay for another step, but for what rounding of the screenings leaves
        assert budget - spent < step + screenings * screening
    else:
        assert made.steps == steps


def test_the_quick_protocol_pays_for_a_hundred_steps_less_the_screenings() -> None:
    made = plan(schedule(None, 2, 3), 10, 12, 4000)
    assert (made.steps, made.screen_after) == (91, (31, 61, 91))


def test_the_pace_rises_in_a_line_and_falls_as_a_cosine() -> None:
    assert [pace(4, 0.0, step) for step in range(5)] == pytest.approx([1, 0.8536, 0.5, 0.1464, 0], abs=1e-4)
    warm = [pace(100, 0.2, step) for step in range(101)]
    assert warm[0] == pytest.approx(0.05)
    assert warm[19] == max(warm[:20])
    assert warm[20:] == [pace(100, 0.0, step) for step in range(20, 101)]


MANY: dict[str, dict[str, Any]] = {
    # three images a step: rows of one finding fall into two chunks
    "adversarial_patch": {"degrees": 0.0, "scale": 0.0, "images": 3},
    "cppn_target": {"degrees": 0.0, "scale": 0.0, "views": 3, "resolution": 12},
    # three things are asked: chunks have rows of two
    "tabor": {"extent": "local", "images": 3, "blocking": 0.5, "overlay": 0.5},
}


@pytest.mark.parametrize("n", [3, 2])  # two: a chunk is as large as there are findings, and is not one of each
@pytest.mark.parametrize("name", MANY)
def test_small_micro_batches_give_the_same_findings(name: str, n: int) -> None:
    wide = classifier("reused")
    narrow = Classifier(
        wide.module, classes=wide.classes, size=wide.size, mean=wide.mean, std=wide.std, memory=320_000, device="cpu",
        precision="float32",
    )  # fmt: skip
    assert narrow.micro_batch == 2 < wide.micro_batch
    given = brief(1, pictures(12))
    one, other = (tool(name, steps=4, **MANY[name])(net, *given, n=n, keep=n, budget=400) for net in (wide, narrow))
    torch.testing.assert_close(one.pictures, other.pictures, atol=1e-4, rtol=0)
    assert (one.cost.forward, one.cost.backward) == (other.cost.forward, other.cost.backward)


def test_what_is_asked_at_once_is_what_is_asked_one_after_another() -> None:
    net, (told, clean) = classifier("reused"), brief(1, pictures(12))
    task = Task(classifier=net, target=told.target, sources=None, clean=clean, n=3, budget=99, seed=0)
    recipe = Tabor(extent="local", images=2, blocking=0.5, overlay=0.25)._recipe(task, "local")
    asked = [_inserted(task, recipe), *(_beside(task, each) for each in recipe.beside)]
    assert [(one.images, one.weight) for one in asked] == [(2, 1.0), (2, 0.5), (1, 0.25)]
    begun = recipe.parameterisation.pictures().detach()
    aims = torch.tensor([1, 2, 1])

    def gradient(*turns: list[_Asked]) -> Tensor:
        leaf = begun.clone().requires_grad_()
        purposes = [Purposes(one) for one in task.generators("draws")]
        for turn in turns:
            _ask(task, turn, (leaf, aims, purposes))
        assert leaf.grad is not None
        return leaf.grad

    together = gradient(asked)
    torch.testing.assert_close(together, gradient(*([one] for one in asked)))
    assert not torch.allclose(together, gradient(asked[:2]), rtol=0.01)
    torch.testing.assert_close(gradient(asked[2:]), 0.25 * gradient([replace(asked[2], weight=1.0)]))


def test_a_patch_is_as_large_as_it_is_inserted_before_it_is_shaken_and_its_penalty_sees_all_of_it() -> None:
    net, clean = classifier("reused"), brief(1, pictures(12))[1]
    seen: list[Tensor] = []

    def watch(pictures: Tensor, draws: Draws) -> Tensor:
        seen.append(pictures.detach())
        return pictures

    def penalty(whole: Tensor) -> Tensor:
        assert whole.shape == (2, 4, 12, 12)
        return whole[:, 0].square().mean((1, 2))

    drawn = Pixels(12, 0.5, [torch.Generator().manual_seed(k) for k in range(2)], "cpu")
    begun = drawn.pictures().detach()
    recipe = Recipe(
        parameterisation=drawn,
        transformations=(watch,),
        insertion=Insertion(kind="patch", side=5),
        objective=cross_entropy,
        screened=cross_entropy,
        penalty=penalty,
        schedule=replace(schedule(1, 3, 1), learning_rate=0.0),
    )
    optimise(Task(classifier=net, target=1, sources=None, clean=clean, n=2, budget=100, seed=0), recipe)
    torch.testing.assert_close(torch.cat(seen), resize(begun, 5).repeat_interleave(3, 0))
    shown = resize(drawn.pictures(), 5)
    losses = []
    for finding in range(2):
        draws = Draws([(Purposes(generator(0, "draws", finding)), 3)], "cpu")
        behind = clean.fit[draws.indices("images", len(clean.fit))]
        stamped = put(behind, shown[[finding] * 3], recipe.insertion, draws.places(recipe.insertion, net.size))
        losses.append(cross_entropy(net, stamped, torch.tensor([1, 1, 1])))
    total = torch.stack([loss.mean() for loss in losses]).sum() + penalty(drawn.pictures()).sum()
    (wanted,) = torch.autograd.grad(total, drawn.parameters)
    torch.testing.assert_close(drawn.parameters[0].grad, wanted)


@pytest.mark.parametrize("name", ["adversarial_patch", "cppn_target"])
def test_more_passes_make_a_lower_loss(name: str) -> None:
    net, given = classifier("reused"), brief(1, pictures(16))
    settings = {"total_variation": 0.0} if name == "adversarial_patch" else {}
    losses = [tool(name, **settings)(net, *given, n=2, keep=1, budget=budget).findings[0].loss for budget in (40, 400)]
    assert losses[1] < losses[0]


def test_findings_are_better_than_noise() -> None:
    net, given = classifier("reused"), brief(1, pictures(16))
    made = tool("adversarial_patch", total_variation=0.0)(net, *given, n=2, keep=1, budget=400)
    noise = tool("noise")(net, *given, n=2, keep=1, budget=400)
    assert max(f.loss for f in made.findings) < min(f.loss for f in noise.findings)


def test_a_brief_of_ones_own_holds_disjoint_images() -> None:
    images = pictures(10)
    told, clean = brief(3, images, sources=[1, 2])
    assert (told.target, told.sources) == (3, (1, 2))
    assert (len(clean.fit), len(clean.screen)) == (8, 2) == (told.fit.count, told.screen.count)
    assert torch.equal(clean.screen, images[3::4])
    assert told.fit.sha256 != told.screen.sha256
    with pytest.raises(InputError, match="four or more"):
        brief(0, pictures(3))


def test_a_tool_is_made_by_name_or_the_nearest_name_is_told() -> None:
    assert tool("occlusion", window=6).window == 6
    with pytest.raises(UsageError, match="did you mean 'saliency'"):
        tool("salience")
    with pytest.raises(UsageError, match="did you mean 'window'"):
        tool("occlusion", windwo=6)


# -- the rule of classes: abstract or final, frozen, keyword-only ------------------------------------------------------


def test_a_tool_becomes_a_frozen_keyword_only_dataclass_by_deriving() -> None:
    class Constant(Attribution):
        value: float = 1.0

        def _explain(self, explained: Explained) -> torch.Tensor:
            return torch.full((len(explained.images), 24, 24), self.value)

    made = Constant(value=2.0)
    assert made.settings == {"value": 2.0}
    assert made == Constant(value=2.0)
    assert repr(made).endswith("Constant(value=2.0)")
    assert float(made(classifier("linear"), pictures(1), 0).values.mean()) == 2.0
    with pytest.raises(TypeError):
        Constant(2.0)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        made.value = 3.0  # type: ignore[misc]

    with pytest.raises(TypeError, match="is final: hold it as a field"):

        class Derived(Constant):
            pass


def test_what_is_final_stays_final() -> None:
    with pytest.raises(TypeError, match="overrides what Attribution declares final"):

        class Rude(Attribution):
            def __call__(self) -> None:  # type: ignore[override, misc]
                pass

    with pytest.raises(TypeError, match=r"needs \['telepathy'\]"):

        class Greedy(Synthesis):
            needs = frozenset({"telepathy"})

    for kind in (Tool, Attribution, Synthesis):
        with pytest.raises(TypeError, match="abstract"):
            kind()  # type: ignore[abstract]


def test_a_method_that_returns_the_wrong_shape_is_a_bug() -> None:
    class Wrong(Attribution):
        def _explain(self, explained: Explained) -> torch.Tensor:
            return explained.images

    with pytest.raises(RuntimeError, match="maps of shape"):
        Wrong()(classifier("linear"), pictures(1), 0)


@pytest.mark.parametrize("name", ["adversarial_patch", "cppn_target"])
def test_the_best_screening_of_each_finding_is_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    told = [[3.0, 1.0], [2.0, 5.0], [2.0, 0.5], [4.0, 0.7]]  # the best: the second (the earlier of two), and the third

    def losses(self: Screen, pictures: torch.Tensor) -> torch.Tensor:
        seen.append(pictures)
        return torch.tensor(told[len(seen) - 1])

    monkeypatch.setattr(Screen, "losses", losses)
    found = tool(name, steps=8, screenings=4)(classifier("reused"), *brief(1, pictures(12)), n=2, keep=2, budget=400)
    assert [f.loss for f in found.findings] == [2.0, 0.5]
    assert found.kept == (1, 0)
    torch.testing.assert_close(found.pictures[0], seen[1][0])
    torch.testing.assert_close(found.pictures[1], seen[2][1])
    assert not torch.equal(seen[1][0], seen[2][0])


@pytest.mark.skipif(not bfloat16_is_fast("cpu"), reason="no bfloat16 arithmetic on this CPU")
@pytest.mark.parametrize("name", ["saliency", "occlusion"])
def test_maps_are_made_in_float32_whatever_the_classifier_runs_in(name: str) -> None:
    images = pictures(2)
    exact, near = (tool(name)(classifier("reused", precision), images, 1) for precision in ("float32", "bfloat16"))
    torch.testing.assert_close(near.values, exact.values, atol=1e-6, rtol=1e-4)


def test_integrated_gradients_say_how_many_images_stay_above_the_tolerance() -> None:
    network, images = classifier("reused"), pictures(3)
    short = tool("integrated_gradients", steps=1, most=2, tolerance=1e-7)(network, images, 1)
    assert short.notes["steps"].tolist() == [2, 2, 2]
    assert "completeness error above 1e-07 after the most steps: 3 of 3 images" in short.hints
    long = tool("integrated_gradients", steps=50, tolerance=1.0)(network, images, 1)
    assert "completeness error above 1 after the most steps: 0 of 3 images" in long.hints
