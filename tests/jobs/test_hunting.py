"""Experiments on natural patches for pairs of classes: the figures by hand, and each as a command, made small."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_attacks import few, small
from fixtures_nets import one_thread
from PIL import Image
from safetensors.torch import save_file

from gifthorse.captioners import CAPTIONERS
from gifthorse.captioners.base import Reference, Sight
from gifthorse.classifier import resolve
from gifthorse.cli.app import code_of
from gifthorse.cli.talk import Talk
from gifthorse.errors import Refusal, UsageError
from gifthorse.jobs import biases, hunting, pair_search, replication, showing, similar
from gifthorse.jobs import surroundings as surroundings_
from gifthorse.jobs.surroundings import LEAST, counted, surroundings
from gifthorse.records import Caption, Hit, Hunted, Images, PoolSample, Spec, Swept
from gifthorse.report import hunted, swept
from gifthorse.stages import networks
from gifthorse.stages.networks import from_zoo
from gifthorse.store import Store
from gifthorse.suites import photographs, replications
from gifthorse.suites.replications import REPLICATIONS
from gifthorse.tools.synthesis.natural import Ranking, Shortlist
from gifthorse.zoo import DATA, ENCODERS, efficientnet_lite, imagenet_classes
from gifthorse.zoo.folder import ImageFolder
from gifthorse.zoo.lift import lift
from gifthorse.zoo.world import BIASES

__all__ = ["few", "one_thread", "small"]

NONE = Images(sha256="", file="", count=0, channels=4, height=1, width=1)


def code(*arguments: str) -> int:
    return code_of(["experiment", *arguments, "--workers", "1"], Talk())


def record(
    natural: tuple[Hit, ...], *, before: int = 0, target: str = "fly", crops: tuple[Hit, ...] | None = None
) -> Hunted:
    return Hunted(
        source="bee",
        target=target,
        n=10,
        before=before,
        natural=natural,
        crops=natural if crops is None else crops,
        synthetic=natural,
        dropped=1,
        alike=0.5,
        near=0.25,
        published=0.5,
        pictures=NONE,
    )


def hit(name: str, hits: int, fooled: int) -> Hit:
    return Hit(name=name, hits=hits, fooled=fooled, confidence=hits / 10)


# -- figures by hand --------------------------------------------------------------------------------------------------


def test_success_is_the_share_with_a_patch_less_the_share_without() -> None:
    told = record((hit("a", 7, 5),), before=2)
    assert told.success(told.natural[0]) == pytest.approx(0.5)


def test_shares_are_over_pairs_by_hand() -> None:
    first = record((hit("a", 5, 5), hit("b", 0, 0)))
    second = record((hit("a", 5, 5), hit("b", 9, 9)), before=1)
    third = record((hit("a", 0, 0), hit("b", 0, 0)))
    found = hunted.cells([first, second, third], lambda one: one.natural)
    assert found["half"].value == pytest.approx((0.5 + 0.5 + 0.0) / 3), "0.4 of the second's first patch is below half"
    assert found["fool"].value == pytest.approx((0.5 + 1.0 + 0.0) / 3)
    assert found["pairs"].value == pytest.approx(2 / 3)
    assert found["success"].value == pytest.approx((0.25 + 0.6 + 0.0) / 3)


def test_what_is_planted_is_a_dataset_bias_and_what_is_in_no_scene_is_not() -> None:
    for bias in BIASES:
        told = lift(bias.thing, bias.label)
        assert told.biased
        assert told.value > 5
    never = lift("castle", "fly")
    assert (never.value, never.biased) == (1.0, False)


def test_a_lift_is_what_counting_scenes_gives() -> None:
    data: Any = DATA.make("emoji")
    contents = data.contents("train", 60_000, 0)
    tags, fly = data.tags(contents), data.classes.index("fly")
    of_fly = [tag for tag, label in zip(tags, contents.labels, strict=True) if label == fly]
    others = [tag for tag, label in zip(tags, contents.labels, strict=True) if label != fly]
    told = lift("soap", "fly")
    assert told.rate.value == pytest.approx(sum("soap" in tag for tag in of_fly) / len(of_fly))
    assert told.elsewhere == pytest.approx(sum("soap" in tag for tag in others) / len(others))


@pytest.mark.parametrize(
    ("names", "fooled", "kind"),
    [
        (("emoji/1f6a6 3", "emoji/1f3b4 1"), 4, showing.BIAS),
        (("emoji/1f3b4 3", "scene 12"), 4, showing.MISTAKE),
        (("emoji/1f6a6 3", "emoji/1f3b4 1"), 0, showing.NOTHING),
        (("emoji/1fab0 3",), 4, showing.ITSELF),
        (("emoji/1fab0 3", "emoji/1f3b4 1"), 4, showing.MISTAKE),
    ],
)
def test_why_patches_work_is_told_by_what_the_working_ones_show(names: tuple[str, ...], fooled: int, kind: str) -> None:
    found = showing.cause(record(tuple(hit(name, fooled, fooled) for name in names)))
    assert found.kind == kind
    if kind == showing.BIAS:
        assert [one.thing for one in found.lifts] == ["traffic light"]


def test_what_else_is_beside_the_target_in_a_patch_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {"both": ("fly", "traffic light"), "one": ("traffic light",)}
    monkeypatch.setattr(showing, "things_of", shown.__getitem__)
    assert showing.cause(record((hit("both", 4, 4), hit("one", 0, 0)))).kind == showing.ITSELF
    assert showing.cause(record((hit("both", 4, 4), hit("one", 4, 4)))).kind == showing.BIAS


def test_a_planted_bias_beside_the_target_is_not_recovered(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {"both": ("fly", "traffic light"), "one": ("traffic light",)}
    monkeypatch.setattr(biases, "things_of", shown.__getitem__)
    pictures = np.zeros((1, 4, 8, 8), np.uint8)

    def told(name: str) -> str:
        found = record((hit(name, 1, 1),))
        pair = hunted.Pair(hunted=found, pictures=pictures, shown=(name,), kind=showing.MISTAKE, why="")
        return biases.recovered([pair])[0]

    assert "for 0 of 1" in told("both")
    assert "for 1 of 1" in told("one")


def test_without_tags_nothing_is_said_of_causes() -> None:
    told = record((hit("7.png", 4, 4),))
    assert showing.cause(told, tagged=False) == showing.Cause(kind=showing.UNTOLD)
    assert showing.cause(record((hit("7.png", 4, 0),)), tagged=False).kind == showing.NOTHING


def test_patches_are_named_by_what_they_show() -> None:
    assert showing.caption("emoji/1f6a6 3") == "traffic light"
    assert showing.caption("emoji/1f34e~2 3") == "apple, by another hand"
    assert showing.caption("scene 3") == "a crop: camera"
    assert showing.caption("scene 2000") == "a crop: a ground"
    assert showing.things_of("scene 3") == ("camera",)
    assert showing.things_of("emoji/1f6a6~1 3") == ("traffic light",)
    assert showing.things_of("emoji/1f3b4 3") == (), "no scene has flower playing cards"


def test_the_thesis_s_pairs_are_imagenet_s_and_their_stand_ins_are_the_world_s() -> None:
    names, world = set(imagenet_classes.names()), set(DATA.make("emoji").classes)
    for one in REPLICATIONS:
        assert {one.source, one.target} <= names
        assert one.stand_in is None or set(one.stand_in) <= world
    assert len(REPLICATIONS) == 9
    assert max(REPLICATIONS, key=lambda one: one.rate).source == "pretzel"


def test_the_most_confused_classes_by_hand() -> None:
    network = from_zoo("emoji-resnet", resolve("cpu", "float32", 1))
    world: Any = DATA.make("emoji")
    sample = world.draw("test", similar.ASKED, 5, without=world.things)
    told, bee = network.predict(sample.images), network.classes.index("bee")
    mean = told[torch.from_numpy(sample.labels) == bee].mean(0)
    mean[bee] = -1
    wanted = mean.argsort(descending=True)[: similar.TARGETS].tolist()
    assert [pair.target for pair in similar.confused(network, surroundings("emoji-resnet"), [bee])] == wanted


def test_pairs_are_read_and_drawn() -> None:
    classes = ("bee", "fly", "owl")
    assert replication.parsed(" bee > owl", classes) == hunting.Pair(0, 2)
    for wrong in ("bee", "bee>bee", "bee>ant"):
        with pytest.raises(UsageError):
            replication.parsed(wrong, classes)
    pairs = [hunting.Pair(a, b) for a in range(4) for b in range(4) if a != b]
    drawn = hunting.drawn(pairs, 5, 0)
    assert len(set(drawn)) == 5
    assert drawn == sorted(drawn)
    assert drawn == hunting.drawn(pairs, 5, 0)
    assert drawn != hunting.drawn(pairs, 5, 1)
    assert hunting.drawn(pairs, None, 0) == pairs
    with pytest.raises(UsageError, match="1 to 12"):
        hunting.drawn(pairs, 13, 0)


def test_the_mean_of_a_sweep_by_hand() -> None:
    rows = [
        Swept(source="a", target="b", synthetic=(1, 2), screened=(4, 8), success=values)
        for values in (((0.1, 0.2), (0.3, 0.4)), ((0.3, 0.4), (0.5, 0.8)))
    ]
    assert swept.mean(rows, 1, 1).value == pytest.approx(0.6)
    assert swept.figures(rows)["success"] == [pytest.approx([0.2, 0.3]), pytest.approx([0.4, 0.6])]


def test_farther_patches_are_looked_at_where_the_near_ones_show_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = list[int]()

    def listed(_task: Any, _candidates: Any, _synthetic: Any, _most: int, how: Ranking) -> Shortlist:
        looked.append(how.looked)
        return Shortlist(ids=("a",) * (how.looked // 2), pictures=torch.zeros(1, 4, 2, 2), dropped=0)

    monkeypatch.setattr(pair_search, "shortlist", listed)
    hunt: Any = object.__new__(pair_search.Hunt)
    hunt.draft, hunt.candidates, hunt.screened = SimpleNamespace(phase=lambda _: nullcontext()), None, 300
    hunt.kept = 4
    assert len(hunt.listed(None, None).ids) == 4
    assert looked == [2, 8]
    hunt.kept = 17
    with pytest.raises(Refusal, match="16 natural patches do not show the target"):
        hunt.listed(None, None)
    assert looked == [2, 8, 2, 8, 32]


# -- as commands ------------------------------------------------------------------------------------------------------


def test_pairs_are_searched_once_and_again_for_nothing(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("replication", "--pairs", "bee>fly,owl>duck", "--json")
    assert code(*asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["source"], one["target"]) for one in told["pairs"]] == [("bee", "fly"), ("owl", "duck")]
    assert all(len(one["success"]) == 2 for one in told["pairs"])
    assert {name for one in told["pairs"] for name in one["shown"]} <= {"apple", "bee", "grass"}
    assert set(told["groups"]) == set(hunted.GROUPS)
    assert set(told["seconds"]) == {"synthesis", "embedding", "search", "screening"}
    page = (few / "runs" / "experiment-replication" / "report.html").read_text()
    for words in ("bee to fly", "0.250 there", "pretzel to hermit crab 0.928", "Intervals are of 95%, over pairs"):
        assert words in page
    store = Store(few / "runs" / "experiment-replication")
    kinds = ("hunted", "sample", "caption")
    before = {unit.key: unit.path.stat().st_mtime_ns for kind in kinds for unit in store.units(kind)}
    assert len(before) == 2 + 1 + 2
    assert code(*asked) == 0
    assert {unit.key: unit.path.stat().st_mtime_ns for kind in kinds for unit in store.units(kind)} == before


def test_a_caption_is_of_the_natural_patches_of_its_pair(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("replication", "--pairs", "bee>fly", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["pairs"]
    store = Store(few / "runs" / "experiment-replication")
    ((found,), (named,)) = (tuple(store.units(kind)) for kind in ("hunted", "caption"))
    record, caption = found.record(Hunted), named.record(Caption)
    assert caption.evidence == found.key
    assert told["named"] == caption.words
    assert (caption.n, caption.pool) == (len(record.natural), 24), "three drawings in eight poses"
    natural = found.images(record.pictures)[: len(record.natural)]
    (sample,) = store.units("sample")
    told_of = sample.record(PoolSample)
    reference = Reference(
        embeddings=sample.array(told_of.embeddings), marks=sample.array(told_of.marks), total=told_of.total
    )
    sight = Sight(encoder=ENCODERS.make("emoji-encoder").load(device="cpu"), reference=reference)
    again = CAPTIONERS.make("encoder").of(natural, sight)
    assert (again.words, again.p, again.themes) == (caption.words, caption.p, caption.themes)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "not captioned"),
        ({"not_captioned": "a reason"}, "not captioned"),
        ({"p": 0.2, "level": 0.05}, "no common theme"),
        ({"words": "apple", "p": 0.004, "level": 0.05}, "the encoder names apple (p = .004)"),
    ],
)
def test_a_theme_is_named_or_not(said: dict[str, Any] | None, words: str) -> None:
    blank = Caption(captioner=Spec(name="encoder", version=1), evidence="", network="", tool="", trojan="")
    assert hunted.theme(None if said is None else replace(blank, **said)) == words


def test_themes_are_counted_by_hand(few: Path) -> None:
    blank = Caption(captioner=Spec(name="encoder", version=1), evidence="", network="", tool="", trojan="", level=0.05)
    captions = [replace(blank, words="apple", p=0.01), replace(blank, p=0.5), replace(blank, not_captioned="so few")]
    pictures = np.zeros((1, 4, 8, 8), np.uint8)
    pairs = [
        hunted.Pair(
            hunted=record((hit("a", 1, 1),)), pictures=pictures, shown=("a",), kind=showing.MISTAKE, why="", named=each
        )
        for each in (*captions, None)
    ]
    saying = hunted.Saying(title="", facts={}, counts=(1, 2), phases={})
    text = hunted.draw(pairs, saying)
    assert "what natural patches have in common for 1 of 2 pairs" in text
    assert "it names at most 5% of random sets" in text
    assert [one["named"] for one in hunted.figures(pairs, saying)["pairs"]] == ["apple", None, None, None]


# -- photographs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def album(few: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Drawn photographs of bees, flies and pretzels, a pool of coloured patches, an ImageNet network of any weights."""
    torch.manual_seed(0)
    save_file(efficientnet_lite.EfficientNetLite().state_dict(), few / "random.safetensors")
    networks._load.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(few / "cache"))
    monkeypatch.setattr(efficientnet_lite, "SIZE", 64)
    monkeypatch.setattr(efficientnet_lite, "published", lambda: few / "random.safetensors")
    monkeypatch.setattr(photographs, "SIZES", {"efficientnet-lite0": 64})
    monkeypatch.setattr(surroundings_, "PATCH", 16)  # smaller than crops, as at 224 pixels
    rng = np.random.default_rng(3)
    for name, count in {"bee": 40, "fly": 40, "pretzel": 3, "ostrich": 12}.items():
        for number in range(count):
            path = few / "album" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (72, 72, 3), dtype=np.uint8)).save(path)
    for number in range(12):
        path = few / "patches" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((40, 40, 3), rng.integers(0, 256, 3), np.uint8)).save(path)
    yield few
    networks._load.cache_clear()


PHOTOGRAPHS = ("--net", "efficientnet-lite0", "--data", "album", "--pool", "patches")


def test_pairs_are_searched_on_photographs(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("replication", *PHOTOGRAPHS, "--pairs", "bee>fly", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["pairs"]
    assert (told["source"], told["target"]) == ("bee", "fly")
    assert all(name.endswith(".png") for name in told["shown"]), "files of the pool, by their names"
    (named,) = Store(album / "runs" / "experiment-replication").units("caption")
    caption = named.record(Caption)
    assert caption.pool - caption.sample == caption.n == 2, "what was found is in no random set of the pool"
    assert told["kind"] in (showing.UNTOLD, showing.NOTHING)
    page = (album / "runs" / "experiment-replication" / "report.html").read_text()
    assert "bee to fly, Casper et al. 2022: 0.250 there" in page
    assert str(album) not in page


def test_photographs_that_do_not_do_are_said_before_the_work(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("replication", *PHOTOGRAPHS, "--pairs", "pretzel>fly") == 3
    assert "of the source 'pretzel' there are" in capsys.readouterr().err
    assert code("replication", *PHOTOGRAPHS, "--pairs", "bee>wok") == 3
    assert "no photograph of the target 'wok'" in capsys.readouterr().err
    assert code("replication", "--data", "album", "--pairs", "bee>fly") == 2
    assert "--data FOLDER --pool FOLDER, or neither" in capsys.readouterr().err
    assert code("replication", "--data", "album", "--pool", "patches", "--pairs", "bee>fly") == 2
    assert "no ImageNet classifier" in capsys.readouterr().err
    assert code("dissimilar", *PHOTOGRAPHS) == 3
    assert "of the source 'academic gown' there are 0" in capsys.readouterr().err
    assert code("replication", *PHOTOGRAPHS) == 3
    assert "of the source 'grey whale' there are 0" in capsys.readouterr().err
    assert code("similar", *PHOTOGRAPHS, "--sources", "bee,pretzel") == 3
    assert "of the source 'pretzel' there are" in capsys.readouterr().err
    unlabelled = str(album / "album" / "bee")
    assert code("similar", *PHOTOGRAPHS[:2], "--data", unlabelled, *PHOTOGRAPHS[4:]) == 3
    assert "has no class with 8 photographs" in capsys.readouterr().err
    assert code("biases", "--data", "album") == 2
    assert "--data is not of the experiment biases" in capsys.readouterr().err


def test_sources_on_photographs_are_those_with_enough_of_them(
    album: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = surroundings("efficientnet-lite0", "album", "patches")
    names = list(where.data.classes)
    assert isinstance(where.data, ImageFolder)
    ostrich = [counted(where.data)[split][names.index("ostrich")] for split in ("train", "test")]
    assert ostrich[0] >= LEAST["train"], "enough to make patches on"
    assert ostrich[1] < LEAST["test"], "and too few to try them on"
    assert where.enough(range(len(names))) == sorted(map(names.index, ("bee", "fly")))
    network, bee = from_zoo("efficientnet-lite0", resolve("auto", "auto", 1)), names.index("bee")
    counting: Any = SimpleNamespace(predict=lambda images: torch.full((1, 1), float(len(images))))
    told = similar.means(counting, where.data, [bee, names.index("ostrich")])
    of_each = {index: counted(where.data)["test"][index] for index in told}
    assert {index: row.item() for index, row in told.items()} == of_each, "each source's own photographs, all of them"
    every = similar.confused(network, where, [bee])
    assert {pair.target for pair in every} == {names.index(name) for name in ("fly", "pretzel", "ostrich")}, (
        "others have no images"
    )


def test_images_that_cannot_be_read_fail_their_pair_alone(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (album / "album" / "ostrich").iterdir():
        path.write_bytes(b"no picture, but " + path.name.encode())
    assert code("replication", *PHOTOGRAPHS, "--pairs", "bee>ostrich,bee>fly", "--json") == 4
    assert "no image of ostrich could be read" in capsys.readouterr().err
    page = (album / "runs" / "experiment-replication" / "report.html").read_text()
    assert "bee to fly" in page
    assert "which has never seen a photograph" in page


def test_the_thesis_lists_are_classes_of_imagenet() -> None:
    names = imagenet_classes.names()
    assert set(replications.GARMENTS) | set(replications.TRAFFIC) <= set(names)
    assert len(set(replications.GARMENTS)) == len(set(replications.TRAFFIC)) == 10


def test_what_is_tried_is_what_the_effects_count(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The hits of a record, once more: its pictures in the scenes, at the places that its seed draws."""
    assert code("replication", "--pairs", "bee>fly") == 0
    capsys.readouterr()
    (unit,) = Store(few / "runs" / "experiment-replication").units("hunted")
    made, seen = unit.record(Hunted), None
    network = from_zoo("emoji-resnet", resolve("auto", "auto", 1))
    world: Any = DATA.make("emoji")
    bee, fly = network.classes.index("bee"), network.classes.index("fly")
    scenes = world.draw("test", 6, 0, classes=(bee,)).images
    seen = network.predict(scenes).argmax(1) == fly
    assert made.before == int(seen.sum())
    pictures = unit.images(made.pictures)
    assert len(pictures) == len(made.natural) + len(made.crops) + len(made.synthetic)
    assert {one.name.rpartition(" ")[0] for one in made.natural} <= {"emoji/1f34e", "emoji/1f41d", "texture/grass"}
    assert all(0 <= one.fooled <= one.hits <= made.n for one in (*made.natural, *made.crops, *made.synthetic))


def test_similar_and_dissimilar_classes(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("similar", "--sources", "bee", "--n", "2", "--json") == 0
    told = json.loads(capsys.readouterr().out)["pairs"]
    assert {one["source"] for one in told} == {"bee"}
    assert code("dissimilar", "--sources", "dress,coat", "--targets", "bus", "--json") == 0
    told = json.loads(capsys.readouterr().out)["pairs"]
    assert [(one["source"], one["target"]) for one in told] == [("dress", "bus"), ("coat", "bus")]
    assert "1 of 1,000 natural patches" in (few / "runs" / "experiment-dissimilar" / "report.html").read_text()
    assert code("dissimilar", "--sources", "bus", "--targets", "bus") == 2
    assert "bus is a source and a target" in capsys.readouterr().err
    assert code("similar", "--sources", "bee", "--n", "6") == 2
    assert "1 to 5, the pairs that there are" in capsys.readouterr().err
    assert code("disguise", "--pairs", "bee>fly") == 2
    assert "--pairs is not of the experiment disguise" in capsys.readouterr().err


def test_planted_biases_are_asked_for(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("biases", "--n", "1", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["pairs"]
    assert told["source"] == pair_search.ANY
    assert told["target"] in {bias.label for bias in BIASES}
    assert "is among its natural patches for 0 of 1" in (few / "runs" / "experiment-biases" / "report.html").read_text()


def test_a_sweep_is_of_random_pairs(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("sweep", "--n", "2", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["pairs"], told["synthetic"], told["screened"]) == (2, [1, 3], [4, 8])
    assert np.asarray(told["success"]).shape == (2, 2)
    page = (few / "runs" / "experiment-sweep" / "report.html").read_text()
    assert "8 tried out" in page
    assert "one synthetic" in page
    assert all(a.source != a.target for a in _swept(few))


def _swept(root: Path) -> list[Swept]:
    return [unit.record(Swept) for unit in Store(root / "runs" / "experiment-sweep").units("swept")]
