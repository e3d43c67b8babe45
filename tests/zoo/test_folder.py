"""A folder of photographs: its splits, labels, crops, and the files that it does not let in. All pictures are drawn."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from gifthorse import disk
from gifthorse.errors import InputError, UsageError
from gifthorse.zoo import DATA, folder, imagenet_classes
from gifthorse.zoo.folder import ImageFolder

SIDE = 24
Make = Callable[..., ImageFolder]


@pytest.fixture(autouse=True)
def own_memory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, and nothing remembered in the process."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    folder._manifest.cache_clear()
    folder._cropped.cache_clear()
    folder._REFUSED.clear()
    return cache


def draw_picture(path: Path, seed: int, size: tuple[int, int] = (40, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    Image.fromarray(values).resize(size, Image.Resampling.BILINEAR).save(path)


def names(count: int) -> list[str]:
    return [
        f"{i}_{name.replace(' ', '_')}.png"
        for i, name in zip(imagenet_classes.wordnet_ids()[:count], imagenet_classes.names(), strict=False)
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, name in enumerate(names(20)):
        draw_picture(tmp_path / "photos" / name, seed)
    return tmp_path / "photos"


def opened(root: Path, size: int = SIDE) -> ImageFolder:
    return ImageFolder(root=str(root), size=size, resize=size + 4)


def test_a_fifth_is_held_out_and_no_photograph_is_in_both_splits(root: Path) -> None:
    data = opened(root)
    train, test = data.draw("train", 99, 0), data.draw("test", 99, 0)
    assert (len(train), len(test)) == (16, 4)
    assert not set(train.ids) & set(test.ids)
    assert sorted([*train.labels, *test.labels]) == list(range(20))
    assert train.images.shape == (16, 3, SIDE, SIDE)
    assert train.images.dtype == np.uint8


def test_nothing_depends_on_where_the_folder_lies_or_when_it_was_copied(root: Path, tmp_path: Path) -> None:
    first = opened(root).draw("test", 3, 5)
    digest = opened(root).digest
    shutil.copytree(root, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    again = opened(tmp_path / "elsewhere")
    assert again.digest == digest
    assert np.array_equal(again.draw("test", 3, 5).images, first.images)


def test_the_digest_covers_contents_names_and_the_crop(root: Path) -> None:
    digests = {opened(root).digest, opened(root, SIDE + 1).digest}
    (root / names(1)[0]).rename(root / "n01440764_renamed.png")
    folder._manifest.cache_clear()
    digests.add(opened(root).digest)
    draw_picture(root / names(2)[1], 99)
    folder._manifest.cache_clear()
    digests.add(opened(root).digest)
    assert len(digests) == 4


def test_draws_repeat_and_an_image_does_not_depend_on_the_count(root: Path) -> None:
    data = opened(root)
    five, ten = data.draw("train", 5, 7), data.draw("train", 10, 7)
    assert np.array_equal(five.ids, ten.ids[:5])
    assert np.array_equal(five.images, ten.images[:5])
    assert not np.array_equal(data.draw("train", 10, 8).ids, ten.ids)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(0, 40), seed=st.integers(0, 2**56 - 1))
def test_no_photograph_is_drawn_twice(tmp_path_factory: pytest.TempPathFactory, count: int, seed: int) -> None:
    shared = tmp_path_factory.getbasetemp() / "shared"
    if not shared.exists():
        for i, name in enumerate(names(10)):
            draw_picture(shared / name, i)
    sample = opened(shared).draw("train", count, seed)
    assert len(sample) == min(count, 8)
    assert len(set(sample.ids)) == len(sample)


def test_classes_choose_and_unknown_ones_only_by_minus_one(root: Path) -> None:
    draw_picture(root / "holiday.png", 77)
    data = opened(root)
    both = [data.draw(s, 99, 0, classes=(3, 4)).labels for s in ("train", "test")]
    assert sorted(np.concatenate(both)) == [3, 4]
    unknown = [data.draw(s, 99, 0, classes=(3, -1)).labels for s in ("train", "test")]
    assert sorted(np.concatenate(unknown)) == [-1, 3]
    assert not data.labelled
    assert len(data.draw("train", 99, 0, classes=(500,))) == 0


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("n01440764_tench.JPEG", 0),
        ("n02058221/0001.jpg", 146),
        ("albatross/0001.jpg", 146),
        ("Red_Wolf/n01641577_12.jpg", 30),
        ("albatross/deeper/0001.jpg", 146),
        ("ILSVRC2012_val_n01641577.jpg", 30),
        ("turn01641577.jpg", -1),
        ("n00000000.jpg", -1),
        ("holiday.jpg", -1),
    ],
)
def test_labels_come_from_wordnet_ids_and_class_folders(path: str, label: int) -> None:
    assert folder.label_of(path) == label


def test_a_picture_under_two_names_is_one_photograph(root: Path) -> None:
    shutil.copyfile(root / names(1)[0], root / "zz_twin.png")
    data = opened(root)
    assert data.manifest.twins == ("zz_twin.png",)
    assert len(data.draw("train", 99, 0)) + len(data.draw("test", 99, 0)) == 20


def test_files_that_are_no_images_are_left_out_and_counted(root: Path) -> None:
    whole = (root / names(1)[0]).read_bytes()
    (root / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "text.jpg").write_text("not a picture")
    (root / "empty.png").write_bytes(b"")
    (root / "notes.txt").write_text("passed over")
    (root / ".hidden.png").write_bytes(whole)
    data = opened(root)
    drawn = [data.draw(split, 99, 0) for split in ("train", "test")]
    assert sum(map(len, drawn)) == 20
    assert set(data.refused) == {"cut.png", "text.jpg", "empty.png"}
    assert "truncated" in data.refused["cut.png"]


def test_a_refused_file_is_replaced_by_the_next(root: Path) -> None:
    for i in range(10):
        (root / f"text{i}.jpg").write_text(f"not a picture {i}")
    data = opened(root)
    assert len(data.manifest.photographs) == 30
    assert len(data.draw("train", 12, 3)) == 12


def test_tags_are_an_error_and_not_an_empty_answer(root: Path) -> None:
    data = opened(root)
    with pytest.raises(UsageError, match="fork"):
        data.draw("train", 1, 0, without=("fork",))
    with pytest.raises(UsageError, match="apple"):
        data.draw("train", 1, 0, having="apple")
    with pytest.raises(UsageError, match="fork"):
        data.tag_masks(data.draw("train", 1, 0), "fork")
    assert len(data.draw("train", 1, 0, without=(), having=None)) == 1


def test_wrong_calls_say_what_to_do(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="validation"):
        opened(root).draw("validation", 1, 0)
    with pytest.raises(UsageError, match="does not fit"):
        ImageFolder(root=str(root), size=300, resize=256)
    with pytest.raises(InputError, match="no folder"):
        opened(tmp_path / "nowhere").draw("train", 1, 0)
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="no photograph"):
        opened(tmp_path / "bare").draw("train", 1, 0)


@settings(max_examples=20, deadline=None)
@given(width=st.integers(20, 70), height=st.integers(20, 70), size=st.integers(10, 30))
def test_the_crop_is_torchvisions(tmp_path_factory: pytest.TempPathFactory, width: int, height: int, size: int) -> None:
    root = tmp_path_factory.mktemp("crop")
    draw_picture(root / "one.png", width * 100 + height, (width, height))
    standard = transforms.Compose(
        [transforms.Resize(size + 4, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(size)]
    )
    with Image.open(root / "one.png") as image:
        expected = np.asarray(standard(image)).transpose(2, 0, 1)
    assert np.array_equal(opened(root, size).draw("train", 1, 0).images[0], expected)


def test_hashes_are_remembered_and_a_changed_file_is_hashed_again(
    root: Path, own_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(p.name for p in root.iterdir())
    digest = opened(root).digest
    hashed: list[str] = []
    measure = disk.measure

    def count(path: Path) -> disk.FileEntry:
        hashed.append(path.name)
        return measure(path)

    monkeypatch.setattr(disk, "measure", count)
    folder._manifest.cache_clear()
    assert opened(root).digest == digest
    assert hashed == []
    draw_picture(root / names(1)[0], 1234, (64, 48))
    folder._manifest.cache_clear()
    assert opened(root).digest != digest
    assert hashed == [names(1)[0]]
    assert sorted(p.name for p in root.iterdir()) == before, "nothing is written beside the photographs"
    for file in own_memory.rglob("*.json"):
        file.write_text("damaged")
    folder._manifest.cache_clear()
    assert len(opened(root).manifest.photographs) == 20


def test_a_cache_that_cannot_be_written_costs_only_time(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(opened(root).manifest.photographs) == 20


def test_the_table_makes_it_from_settings(root: Path) -> None:
    spec = DATA.spec("folder", {"root": str(root), "size": SIDE, "resize": SIDE + 4})
    assert spec.settings == {"root": str(root), "size": SIDE, "resize": SIDE + 4}
    assert DATA.remake(spec).digest == opened(root).digest
