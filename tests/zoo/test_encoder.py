from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from gifthorse.errors import InputError, UsageError
from gifthorse.records import Option, Question
from gifthorse.zoo import (
    captions,
    encoder,
    encoder_batches,
    encoder_measures,
    encoder_pictures,
    encoder_recipe,
    encoder_training,
)

TINY = encoder.Shape(widths=(4, 8), buckets=64, width=8, dimensions=16)
FEW = ("emoji/1f369", "emoji/1f600", "emoji/1f353", "emoji/2b50@green", "texture/jaguar", "texture/wood_grain")
QUICK = encoder_batches.Settings(
    shape=TINY, batch=6, nothing=2, instances=2, every=3, learning_rate=1e-2, strengths=(0.2, 0.5), small_side=32
)


@pytest.fixture(scope="module")
def few() -> encoder_batches.World:
    return encoder_batches.world(range(1000, 1002), FEW)


@pytest.fixture(scope="module")
def tiny() -> encoder.Encoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return encoder.Encoder(encoder.Towers(TINY), ["donut"])


@pytest.fixture
def small_world(monkeypatch: pytest.MonkeyPatch, few: encoder_batches.World) -> None:
    def world(instances: range) -> encoder_batches.World:
        return few

    monkeypatch.setattr(encoder_training, "world", world)


@pytest.mark.parametrize("size", [(64, 64), (18, 18), (7, 90), (224, 224)])
def test_pictures_of_any_size_become_unit_vectors(tiny: encoder.Encoder, size: tuple[int, int]) -> None:
    seen = tiny.images(torch.rand(3, 3, *size))
    assert seen.shape == (3, 16)
    assert seen.dtype == torch.float32
    assert torch.allclose(seen.norm(dim=1), torch.ones(3), atol=1e-5)
    assert not seen.requires_grad


def test_batches_do_not_change_the_answer(tiny: encoder.Encoder) -> None:
    images = torch.rand(5, 3, 64, 64)
    assert torch.allclose(tiny.images(images), tiny.images(images, batch=2), atol=1e-5)
    assert tiny.images(images[:0]).shape == (0, 16)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_any_string_becomes_a_unit_vector_and_always_the_same(texts: list[str]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = encoder.Encoder(encoder.Towers(TINY), [])
    read = made.texts(texts)
    assert read.shape == (len(texts), 16)
    assert torch.allclose(read.norm(dim=1), torch.ones(len(texts)), atol=1e-4)
    assert torch.equal(read, made.texts(texts))
    assert torch.allclose(read[0], made.texts(texts[:1])[0], atol=1e-5)


def test_hashing_is_the_same_everywhere() -> None:
    assert encoder.hashed("donut", 6144)[:5] == (3444, 3444, 3444, 3444, 6028)
    assert encoder.hashed("Green_Star", 99) == encoder.hashed("green star", 99)
    assert encoder.hashed("", 99)


@pytest.mark.parametrize(
    "images", [torch.rand(3, 64, 64), torch.rand(1, 4, 64, 64), torch.zeros(1, 3, 64, 64, dtype=torch.uint8)]
)
def test_what_is_no_picture_is_refused(tiny: encoder.Encoder, images: torch.Tensor) -> None:
    with pytest.raises(InputError, match="shape"):
        tiny.images(images)


def test_normalised_pictures_are_refused(tiny: encoder.Encoder) -> None:
    with pytest.raises(InputError, match=r"not in \[0, 1\]"):
        tiny.images(torch.randn(1, 3, 64, 64) * 3)


def test_the_scale_is_clamped() -> None:
    towers = encoder.Towers(TINY)
    with torch.no_grad():
        towers.log_scale.fill_(9.0)
    assert towers.scale.item() == pytest.approx(100.0)


def test_what_is_written_is_what_is_loaded(tmp_path: Path) -> None:
    towers = encoder.Towers(TINY)
    encoder_training.write(towers, tmp_path / "e.safetensors")
    loaded = encoder.EmojiEncoder().load(tmp_path / "e.safetensors")
    again = encoder.EmojiEncoder().load(tmp_path / "e.safetensors")
    assert loaded.digest == again.digest
    assert loaded.vocabulary == captions.vocabulary()
    images = torch.rand(2, 3, 64, 64)
    kept = encoder.Encoder(encoder.stored(towers.eval())[0], sorted(captions.vocabulary()))
    assert torch.equal(loaded.images(images), kept.images(images))
    assert kept.digest == loaded.digest


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    towers = encoder.Towers(TINY)
    state = encoder.stored(towers.eval())[1]
    state["image.head.weight"][0] *= -1
    state = {name: value.contiguous() for name, value in state.items()}
    save_file(state, tmp_path / "e.safetensors", metadata=encoder.notes_of(TINY, ["donut"]))
    with pytest.raises(InputError, match=r"answer\.images"):
        encoder.EmojiEncoder().load(tmp_path / "e.safetensors")


def test_an_altered_word_is_refused(tmp_path: Path) -> None:
    state = encoder.stored(encoder.Towers(TINY).eval())[1]
    state["text.bag.weight"] += 0.5 * torch.randn(state["text.bag.weight"].shape).half()
    save_file(state, tmp_path / "e.safetensors", metadata=encoder.notes_of(TINY, ["donut"]))
    with pytest.raises(InputError, match=r"answer\.texts"):
        encoder.EmojiEncoder().load(tmp_path / "e.safetensors")


def test_a_missing_or_foreign_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no encoder weights"):
        encoder.EmojiEncoder().load(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(InputError, match="no safetensors"):
        encoder.EmojiEncoder().load(tmp_path / "text.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="no encoder in it"):
        encoder.EmojiEncoder().load(tmp_path / "other.safetensors")


def test_rendering_is_seeded_and_in_range(few: encoder_batches.World) -> None:
    items = torch.arange(6).repeat(8)

    def rendered(seed: int) -> torch.Tensor:
        dice = encoder_pictures.Dice(torch.Generator().manual_seed(seed))
        return encoder_pictures.render(few.drawings, items, dice)

    first = rendered(0)
    assert first.shape == (48, 3, 64, 64)
    assert float(first.min()) >= 0.0
    assert float(first.max()) <= 1.0
    assert torch.equal(first, rendered(0))
    assert not torch.equal(first, rendered(1))
    assert (first.flatten(1).std(1) > 0.01).float().mean() > 0.9


def test_a_tint_recolours_the_drawing_and_keeps_white(few: encoder_batches.World) -> None:
    rgba = torch.zeros(2, 4, 2, 2)
    rgba[:, 3] = 1.0
    rgba[:, 0, 0] = 1.0
    rgba[:, :3, 1] = 1.0
    tints = torch.tensor([[0.0, 1.0, 0.0], [float("nan")] * 3])
    out = encoder_pictures._tinted(rgba.clone(), tints)
    assert out[0, :3, 0, 0].tolist() == [0.0, 1.0, 0.0]
    assert out[0, :3, 1, 0].tolist() == [1.0, 1.0, 1.0]
    assert torch.equal(out[1], rgba[1])


@pytest.mark.parametrize("grouped", [0.0, 0.5, 1.0])
def test_a_batch_holds_no_item_twice_and_a_pass_holds_them_all(grouped: float) -> None:
    quick = encoder_batches.Settings(batch=4, grouped=grouped)
    twelve = encoder_batches.world(range(1000, 1001), captions.items()[::90][:12])
    passed = torch.cat([encoder_batches._items(twelve, quick, step) for step in range(3)])
    assert sorted(passed.tolist()) == list(range(12))
    later = torch.cat([encoder_batches._items(twelve, quick, step) for step in range(3, 6)])
    assert sorted(later.tolist()) == list(range(12))
    assert passed.tolist() != later.tolist()


def test_grouped_batches_bring_look_alikes_together() -> None:
    names = captions.items()[::9]
    source = encoder_batches.world(range(1000, 1001), names)

    def kinds(grouped: float) -> float:
        settings = encoder_batches.Settings(batch=12, grouped=grouped)
        batches = [encoder_batches._items(source, settings, step).tolist() for step in range(9)]
        return sum(len({captions.category(names[item]) for item in batch}) for batch in batches) / len(batches)

    assert kinds(1.0) < 3 < kinds(0.0)


def test_look_alikes_meet_in_a_batch_with_a_share_of_textures() -> None:
    names = [*[n for n in captions.items() if n.startswith("emoji/")][:40], "texture/zebra", "texture/jaguar"]
    source = encoder_batches.world(range(1000, 1001), names)
    nearest = torch.tensor([[k, k ^ 1, (k + 2) % 42] for k in range(42)])
    source = dataclasses.replace(source, nearest=nearest)
    settings = encoder_batches.Settings(batch=12, alike=2, textures=0.2)
    seen = set()
    for step in range(12):
        items = encoder_batches._items(source, settings, step).tolist()
        assert len(set(items)) == len(items) == 12
        assert {40, 41} <= set(items), "textures have their share"
        pairs = sum(item ^ 1 in items for item in items)
        assert pairs >= 10, "look-alikes are in the same batch"
        seen |= set(items)
    assert len(seen) > 38


def test_what_looks_alike_is_found_by_the_towers(few: encoder_batches.World) -> None:
    towers = encoder.Towers(TINY)
    found = encoder_batches.compared(few, towers, 3).nearest
    assert found.shape == (len(few.names), min(3, len(few.names)))
    assert found[:, 0].tolist() == list(range(len(few.names)))


def test_look_alikes_need_weights_that_know_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="looks alike"):
        encoder_training.train(tmp_path, steps=1, settings=dataclasses.replace(QUICK, alike=2))


def test_full_sized_batches_have_clean_pictures_of_every_second_thing(few: encoder_batches.World) -> None:
    small = encoder_batches.batch_of(few, QUICK, 0, 10)
    full = encoder_batches.batch_of(few, QUICK, 9, 10)
    assert small.images.shape == (6, 3, 32, 32)
    assert len(small.clean) == 0
    assert full.images.shape == (6, 3, 64, 64)
    assert full.clean.shape == (3, 3, 64, 64)
    assert full.nothing.shape == (2, 3, 64, 64)
    corners = full.clean[:, :, 0, 0][
        [not opaque for opaque in few.drawings.opaque[encoder_batches._items(few, QUICK, 9)][::2]]
    ]
    assert torch.allclose(corners, corners[:, :1].expand(-1, 3), atol=1e-6)


def test_captions_of_absent_items_are_told_from_as_well(few: encoder_batches.World) -> None:
    batch = encoder_batches.batch_of(few, dataclasses.replace(QUICK, batch=4, tinted=0.0), 0, 10)
    assert len(batch.images) == 4
    assert len(batch.texts) == 6
    assert batch.same.shape == (4, 6)
    assert batch.same.nonzero().tolist() == [[i, i] for i in range(4)]
    meant = set(batch.texts)
    assert all(meant & set(captions) for captions in few.captions)


def test_a_question_is_asked_with_its_own_options(monkeypatch: pytest.MonkeyPatch, few: encoder_batches.World) -> None:
    monkeypatch.setattr(encoder_measures, "held_out_world", lambda: few)
    names = FEW[:4]
    options = tuple(Option(caption=captions.captions(name)[0], art=None) for name in names)
    exam = encoder_measures.question_exam(Question(options=options, answer=2), seed=0, n=5)
    assert exam.pictures.shape == (5, 3, 64, 64)
    assert exam.options[0].tolist() == [2, 0, 1, 3]
    shown = tuple(Option(caption="jaguar", art="texture/jaguar/7") for _ in range(2))
    assert encoder_measures.question_exam(Question(options=shown, answer=0), seed=0, n=1).options.tolist() == [[4, 4]]
    with pytest.raises(UsageError, match="no picture"):
        encoder_measures.question_exam(Question(options=(Option(caption="no such thing"),), answer=0), seed=0)


def test_the_right_option_wins_when_the_towers_know_it(few: encoder_batches.World) -> None:
    class Knows(encoder.Encoder):
        def images(self, images: torch.Tensor, batch: int = 256) -> torch.Tensor:
            return torch.eye(len(images))

    with torch.random.fork_rng():
        knows = Knows(encoder.Towers(TINY), [])
    options = (torch.arange(6)[:, None] + torch.arange(3)) % 6
    exam = encoder_measures.Exam(torch.zeros(6, 3, 8, 8), options, FEW)
    assert encoder_measures.accuracy(knows, exam, words=False) == 1.0
    wrong = encoder_measures.Exam(exam.pictures, options.flip(1), FEW)
    assert encoder_measures.accuracy(knows, wrong, words=False) == 0.0


def test_training_lowers_the_loss(few: encoder_batches.World) -> None:
    training = encoder_training.Training(QUICK, few, 40)
    losses = [training.step()["loss"] for _ in range(40)]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


@pytest.mark.usefixtures("small_world")
def test_a_resumed_training_gives_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encoder_training.train(tmp_path / "whole", steps=8, settings=QUICK)
    step, done = encoder_training.Training.step, iter(range(5))

    def interrupted(self: encoder_training.Training) -> dict[str, float]:
        if next(done, None) is None:
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(encoder_training.Training, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            encoder_training.train(tmp_path / "parts", steps=8, settings=QUICK)
    assert (tmp_path / "parts" / "emoji-encoder.checkpoint").exists()
    parts = encoder_training.train(tmp_path / "parts", steps=8, settings=QUICK)
    assert not (tmp_path / "parts" / "emoji-encoder.checkpoint").exists()
    assert whole.read_bytes() == parts.read_bytes()
    logged = [json.loads(line) for line in (tmp_path / "parts" / "emoji-encoder.log.jsonl").read_text().splitlines()]
    assert logged[-1]["step"] == 8


@pytest.mark.usefixtures("small_world")
def test_a_second_training_starts_from_the_first(tmp_path: Path) -> None:
    first = encoder_training.train(tmp_path / "first", steps=2, settings=QUICK)
    still = dataclasses.replace(QUICK, learning_rate=1e-12, small=0.0)
    second = encoder_training.train(tmp_path / "second", steps=1, settings=still, start=first)
    before, after = load_file(first), load_file(second)
    assert torch.allclose(before["text.bag.weight"], after["text.bag.weight"])
    assert torch.allclose(before["image.head.weight"], after["image.head.weight"])
    assert not torch.allclose(encoder.Towers(TINY).image.head.weight, after["image.head.weight"].float(), atol=1e-3)


@pytest.mark.usefixtures("small_world")
def test_the_recipe_ships_weights_and_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: encoder_batches.World
) -> None:
    trainings = {"first": (2, QUICK), "second": (1, dataclasses.replace(QUICK, small=0.0, alike=2, textures=0.5))}
    monkeypatch.setattr(encoder_recipe, "TRAININGS", trainings)
    monkeypatch.setattr(encoder_recipe, "held_out_world", lambda: few)
    monkeypatch.setattr(encoder_recipe, "report_card", lambda made: {"random eight": 1.0})
    report = encoder_recipe.train_encoder(tmp_path / "work", tmp_path / "weights")
    shipped = encoder.EmojiEncoder().load(tmp_path / "weights" / "emoji-encoder.safetensors")
    assert report == json.loads((tmp_path / "weights" / "emoji-encoder.log.json").read_text())
    assert report["digest"] == shipped.digest
    again = encoder_recipe.train_encoder(tmp_path / "work", tmp_path / "again")
    assert again["digest"] == report["digest"]


@pytest.mark.usefixtures("small_world")
def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path, few: encoder_batches.World) -> None:
    encoder_training.Training(QUICK, few, 8).save(tmp_path / "emoji-encoder.checkpoint")
    other = encoder_batches.Settings(shape=TINY, batch=5)
    with pytest.raises(UsageError, match="other settings"):
        encoder_training.train(tmp_path, steps=8, settings=other)


def test_steps_or_minutes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="either"):
        encoder_training.train(tmp_path)


def test_nothing_leads_to_an_even_choice() -> None:
    texts = torch.eye(8)
    even = torch.full((2, 8), 8**-0.5)
    assert float(encoder_training.undecided(even, texts, torch.tensor(20.0))) == pytest.approx(0.0, abs=1e-5)
    assert float(encoder_training.undecided(texts[:2], texts, torch.tensor(20.0))) > 10


def test_learning_rate_goes_up_and_down() -> None:
    rates = [encoder_training.rate(step, 100, 1.0) for step in range(100)]
    assert max(rates) == 1.0
    assert rates[9] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.02


@pytest.fixture(scope="module")
def shipped() -> encoder.Encoder:
    if not encoder.WEIGHTS.exists():
        pytest.skip(f"the encoder's weights are not there: {encoder.WEIGHTS.name}")
    return encoder.EmojiEncoder().load()


def test_the_shipped_encoder_knows_the_vocabulary_and_is_small(shipped: encoder.Encoder) -> None:
    assert shipped.vocabulary == captions.vocabulary()
    assert encoder.WEIGHTS.stat().st_size <= 4_000_000
    parameters = sum(value.numel() for name, value in load_file(encoder.WEIGHTS).items() if name.startswith("image."))
    assert parameters < 1_250_000


@pytest.mark.parametrize("words", [False, True])
def test_the_shipped_encoder_reads_pictures_that_it_never_saw(shipped: encoder.Encoder, words: bool) -> None:
    names = captions.items()[::5]
    exam = encoder_measures.random_exam(encoder_batches.world(encoder_measures.HELD_OUT, names), seed=0)
    assert encoder_measures.accuracy(shipped, exam, words=words) >= 0.8
    assert encoder_measures.on_noise(shipped, exam, words=words)["share"] < 0.4


@pytest.mark.parametrize("kind", ["pictures", "words"])
def test_the_shipped_encoders_report_card_is_its_own_and_meets_its_gates(shipped: encoder.Encoder, kind: str) -> None:
    report = json.loads(encoder.WEIGHTS.with_suffix(".log.json").read_text())
    assert report["digest"] == shipped.digest
    assert report["items"] == len(captions.items())
    assert report["accuracy"][f"held-out renderings, {kind}"] >= 0.95
    assert abs(report["white_noise"][kind]["right"] - 1 / 8) < 0.02
    names = captions.items()[::4]
    exam = encoder_measures.random_exam(encoder_batches.world(encoder_measures.HELD_OUT, names), seed=7)
    assert encoder_measures.accuracy(shipped, exam, words=kind == "words") >= 0.92


def test_treatments_leave_pictures_and_grow_stronger() -> None:
    pictures = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    done = {name: treat(pictures.clone()) for name, treat in encoder_measures.treatments().items()}
    assert torch.equal(done[""], pictures)
    for name, treated in done.items():
        assert treated.shape == pictures.shape, name
        assert 0 <= float(treated.min()) <= float(treated.max()) <= 1, name
    change = {name: float((treated - pictures).abs().mean()) for name, treated in done.items()}
    for group in ("noise of", "blur of", "hue turned"):
        amounts = [value for name, value in change.items() if name.startswith(group)]
        assert amounts == sorted(amounts)
        assert amounts[0] > 0.01
    assert torch.equal(done["grey"][:, 0], done["grey"][:, 2])


def test_the_shipped_encoder_reads_clean_drawings(shipped: encoder.Encoder) -> None:
    names = [name for name in captions.items() if name.startswith("emoji/")]
    options = torch.arange(len(names))[:, None] + torch.arange(8) * 101
    exam = encoder_measures.Exam(encoder_measures.clean_pictures(names), options % len(names), tuple(names))
    assert encoder_measures.accuracy(shipped, exam, words=True) >= 0.95
