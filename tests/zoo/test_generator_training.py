"""How generators and the classifiers beside them are trained, in small."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fixtures_nets import one_thread
from safetensors import safe_open

from gifthorse.errors import InputError, UsageError
from gifthorse.zoo import generator_recipes as recipes
from gifthorse.zoo import generator_training
from gifthorse.zoo.emoji_generator import EmbeddedGenerator
from gifthorse.zoo.emoji_wide import EmojiWide
from gifthorse.zoo.generator_networks import SHARED, Shape
from gifthorse.zoo.generator_training import Lesson, Training, distance
from gifthorse.zoo.posed import Drawing
from gifthorse.zoo.training import Schedule

__all__ = ["one_thread"]

KNOWN = tuple(Drawing(art=f"emoji/{code}") for code in ("1f34e", "1f41d", "1f697", "1f415"))
FILE = "emoji-objects-closed.safetensors"
SMALL = Shape(widths=(12, 12, 10, 8), ground=(6, 6, 6, 6), embedding=6, seen=(6, 8))
SHAPES = {"object": SMALL, "scene": replace(SMALL, ground=(6, 6, 6, 6, 6), seen=(6, 8, 8))}
LESSON = Lesson(drawn=6, sharpened=6, judged=6, batch=8, warm=2, every=3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_training, "SHAPES", SHAPES)
    monkeypatch.setattr(recipes, "LESSONS", {kind: {"closed": (96, 96)} for kind in SHAPES})
    monkeypatch.setattr(recipes, "JUDGED", 6)
    monkeypatch.setattr(recipes, "measured", lambda made, kind, encoder: {"of": made.name})
    monkeypatch.setattr(recipes, "recognised", lambda made, classifier: {"value": 0.5})
    monkeypatch.setattr("gifthorse.zoo.emoji_generator.SHAPES", SHAPES)


def trained(folder: Path) -> Training:
    training = Training("object", KNOWN, LESSON)
    training.run(folder)
    return training


def test_a_training_that_was_stopped_gives_the_same_weights(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    for at in (2, 7, 14):  # in each phase
        stopped = Training("object", KNOWN, LESSON)
        plain = stopped.step

        def stop(plain: object = plain, stopped: Training = stopped, at: int = at) -> dict[str, float]:
            if stopped.done == at + 1:
                raise KeyboardInterrupt
            return plain()  # type: ignore[operator, no-any-return]

        stopped.step = stop  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            stopped.run(tmp_path / f"stopped {at}")
        again = trained(tmp_path / f"stopped {at}")
        for name in ("generator", "discriminator", "average"):
            first, second = (getattr(each, name).state_dict() for each in (whole, again))
            assert all(torch.equal(first[key], second[key]) for key in first), name


def test_it_learns_to_draw_and_the_discriminator_to_tell() -> None:
    training = Training("object", KNOWN, Lesson(drawn=60, sharpened=120, batch=16, warm=60))
    losses = [training.step() for _ in range(120)]
    assert losses[59]["regression"] < 0.9 * losses[0]["regression"]
    assert losses[119]["real"] > losses[119]["made"]
    before = training.generator.state_dict()["last.parametrizations.weight.original"].clone()
    training.step()  # the discriminator has learnt alone for long enough: the generator is sharpened now
    assert not torch.equal(before, training.generator.state_dict()["last.parametrizations.weight.original"])


def test_the_discriminator_learns_that_noise_is_not_real() -> None:
    training = Training("object", KNOWN, Lesson(drawn=2, sharpened=2, judged=80, batch=16, warm=0))
    for _ in range(4):
        training.step()
    before = {key: value.clone() for key, value in training.average.state_dict().items()}
    losses = [training.step() for _ in range(80)]
    assert losses[-1]["real"] > losses[-1]["made"] + 0.2
    assert all(torch.equal(before[key], value) for key, value in training.average.state_dict().items())
    noise = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    judge = training.discriminator.eval()
    which, _, real = training.batch("real")
    assert judge(real, which).mean() > judge(noise, torch.arange(20) % 4).mean()


def test_the_distance_is_nought_for_equals_and_sees_edges() -> None:
    shown = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert float(distance(shown, shown)) == 0
    flat, lined = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    lined[..., ::2] = 0.5
    shifted = flat + 0.25
    assert float(distance(flat, lined)) > float(distance(flat, shifted)), "of one mean difference"


def test_what_is_shipped_is_what_was_trained(tmp_path: Path) -> None:
    report = recipes.train_generator("object", "closed", KNOWN, tmp_path / "work", tmp_path)
    made = EmbeddedGenerator(prior="closed").load(tmp_path / "emoji-objects-closed.safetensors")
    assert made.classes == tuple(d.name for d in KNOWN)
    assert (made.name, made.size) == ("emoji-objects-closed", 32)
    assert report["drawings"] == 4
    assert report["measured"] == {"of": "emoji-objects-closed"}
    training = Training("object", KNOWN, replace(LESSON, batch=64, warm=200, every=100))
    training.run(tmp_path / "again")
    kept = training.average.module.eval()
    latents = made.mixed([torch.Generator().manual_seed(0)])
    with torch.no_grad():  # spectral norms of averaged weights are worked out anew, and float16 rounds
        wanted = recipes.bare(kept)(latents.noise, latents.classes)
        judged = recipes.bare(training.discriminator.eval())(wanted, torch.tensor([2]))
    assert torch.allclose(made.draw(latents), wanted, atol=0.01)
    assert made.realness(wanted)[0, 2] == pytest.approx(float(judged[0]), abs=0.02)


def test_a_training_goes_on_from_one_that_knew_less(tmp_path: Path) -> None:
    first = trained(tmp_path / "first")
    more = (*KNOWN, Drawing(art="emoji/1f34a"), Drawing(art="emoji/1f34b"))
    second = Training("object", more, LESSON, tmp_path / "first")
    latents, which = torch.zeros(3, 20), torch.eye(6)[[0, 2, 3]]
    with torch.no_grad():
        earlier = first.average.module.eval()(latents, which[:, :4])
        now = second.generator.eval()(latents, which)
        assert torch.allclose(now, earlier, atol=1e-5), "what it knew it draws as before"
    assert second.identity != Training("object", more, LESSON).identity
    with pytest.raises(InputError, match="train what this one starts from first"):
        Training("object", more, LESSON, tmp_path / "nowhere")


def test_scenes_share_what_makes_drawings_with_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gifthorse.zoo.emoji_generator.WEIGHTS", tmp_path)
    recipes.train_generator("object", "closed", KNOWN, tmp_path / "work" / "objects", tmp_path)
    report = recipes.train_generator("scene", "closed", KNOWN, tmp_path / "work" / "scenes", tmp_path)
    objects = EmbeddedGenerator(prior="closed").load(device="cpu", precision="float32")
    scenes = EmbeddedGenerator(prior="closed").scenes().load(device="cpu", precision="float32")
    assert (scenes.name, scenes.size, report["network"]) == ("emoji-scenes-closed", 64, "emoji-scenes-closed")
    for name in SHARED:
        one, other = (dict(each.module.get_submodule(name).state_dict()) for each in (objects, scenes))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name
    with safe_open(EmbeddedGenerator(prior="closed").scenes().path, "pt") as file:
        assert not [key for key in file.keys() if key.startswith("generator.drawing")]  # noqa: SIM118
    latents = scenes.of_class([torch.Generator().manual_seed(3)])
    again = Training("scene", KNOWN, replace(LESSON, batch=64, warm=200, every=100), objects_file := tmp_path / FILE)
    again.run(tmp_path / "again")
    for name in SHARED:
        one, other = (each.get_submodule(name).state_dict() for each in (objects.module, again.average.module))
        assert all(torch.equal(one[key], other[key]) for key in one), f"{name} was not to be trained"
    with torch.no_grad():
        wanted = recipes.bare(again.average.module.eval())(latents.noise, latents.classes)
    assert torch.allclose(scenes.draw(latents), wanted, atol=0.01)
    assert scenes.digest not in (objects.digest, hashlib.sha256(objects_file.read_bytes()).hexdigest())
    objects_file.write_bytes(objects_file.read_bytes() + b" ")
    with pytest.raises(InputError, match=f"needs the {FILE} that it was trained with"):
        EmbeddedGenerator(prior="closed").scenes().load()
    objects_file.unlink()
    with pytest.raises(InputError, match="weights of one training"):
        EmbeddedGenerator(prior="closed").scenes().load()


def test_wrong_weights_and_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not there"):
        EmbeddedGenerator().load(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="holds no generator"):
        EmbeddedGenerator().load(tmp_path / "bad.safetensors")
    with pytest.raises(UsageError, match="objekt"):
        EmbeddedGenerator(kind="objekt")
    with pytest.raises(UsageError, match="opne"):
        EmbeddedGenerator(prior="opne")


@pytest.mark.parametrize("norm", recipes.REACH)
def test_changes_stay_within_reach_and_raise_the_loss(norm: str) -> None:
    torch.manual_seed(0)
    network = EmojiWide().module(4).eval()
    which, images = recipes.Posed(KNOWN).drawn(6, torch.Generator().manual_seed(1))
    changed = recipes.attacked(network, images, which, norm)
    moved = changed - images
    length = moved.abs().amax((1, 2, 3)) if norm == "linf" else moved.flatten(1).norm(dim=1)
    assert float(length.max()) <= recipes.REACH[norm] + 1e-5
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    loss = torch.nn.functional.cross_entropy
    assert loss(network(changed), which) > loss(network(images), which) + 1e-3


@pytest.mark.parametrize("robust", ["plain", "l2"])
def test_a_wide_classifier_is_trained_shipped_and_loaded(robust: str, tmp_path: Path) -> None:
    schedule = Schedule(scenes=64, passes=2, batch=16, every=4)
    report = recipes.train_wide(robust, KNOWN, tmp_path / "work", tmp_path, schedule)
    assert {"accuracy", "accuracy under l2", "accuracy under linf", "log"} <= set(report)
    made = EmojiWide(robust=robust).load(tmp_path / f"emoji-wide-{robust}.safetensors", device="cpu")
    assert tuple(made.classes) == tuple(d.name for d in KNOWN)
    assert made.predict(torch.rand(2, 3, 32, 32)).shape == (2, 4)
    with pytest.raises(InputError, match="not there"):
        EmojiWide(robust=robust).load(tmp_path / "none.safetensors")
    with pytest.raises(UsageError, match="l3"):
        EmojiWide(robust="l3")
