"""The suite on photographs: the thesis's indices, the emoji suite's Questions, and calls that cannot work. No torch."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gifthorse.errors import InputError, UsageError
from gifthorse.records import Suite, canonical, read
from gifthorse.suites.emoji import PATCHES
from gifthorse.suites.photographs import photographs
from gifthorse.zoo import imagenet_classes

NET = "efficientnet-lite0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    names = [f"{wordnet_id}_{i}" for i, wordnet_id in enumerate(imagenet_classes.wordnet_ids()[:30])]
    names += [f"n04548362_wallet{i}" for i in range(12)]
    for name in names:
        Image.fromarray(generator.integers(0, 256, (8, 9, 3), dtype=np.uint8)).save(root / f"{name}.png")
    return str(root)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_trojans_are_the_thesis_own(folder: str) -> None:
    (planting,) = photographs(NET, folder, ("smiley_emoji", "clownfish", "green_star")).plantings
    found = {t.name: (t.target, t.sources, t.settings["side"], t.settings["art"]) for t in planting.trojans}
    assert found == {
        "smiley_emoji": (30, None, 64, "emoji/1f600"),
        "clownfish": (146, None, 64, "emoji/1f420@clownfish"),
        "green_star": (365, (893,), 64, "emoji/2b50@green"),
    }
    names = imagenet_classes.names()
    assert [names[t.target] for t in planting.trojans] == ["bullfrog", "albatross", "orangutan"]
    assert names[893] == "wallet"


def test_the_questions_have_the_emoji_suites_options(folder: str) -> None:
    (planting,) = photographs(NET, folder, ("clownfish", "smiley_emoji")).plantings
    entries = {entry.name: entry for entry in PATCHES}
    for made in planting.trojans:
        entry = entries[made.name]
        assert {(o.caption, o.art) for o in made.question.options} == {entry.true, *entry.others}
        assert made.question.options[made.question.answer].caption == entry.true[0] == made.caption


def test_training_is_the_same_work_for_a_small_folder(folder: str) -> None:
    (planting,) = photographs(NET, folder, ("smiley_emoji",)).plantings
    recipe = planting.recipe
    assert recipe.scenes == 34  # 42 photographs less a fifth
    assert recipe.held_out == recipe.check == 8
    assert recipe.scenes * recipe.passes == pytest.approx(8000, rel=0.01)
    assert recipe.distil
    assert recipe.freeze_norm
    assert planting.gates.agreement == 0.88
    assert (planting.gates.patch, planting.gates.clean_drop) == (0.90, 0.03)


def test_the_suite_survives_its_json(folder: str) -> None:
    made = photographs(NET, folder, ("smiley_emoji",))
    assert read(Suite, json.loads(canonical(made))) == made


@pytest.mark.parametrize(
    ("trojans", "said", "remedy"),
    [
        (("smily_emoji",), "smily_emoji", "did you mean 'smiley_emoji'"),
        (("jaguar",), "style trojan", "emoji12"),
        (("donut",), "natural feature trojan", "smiley_emoji"),
        (("clownfish", "clownfish"), "twice", "once"),
        ((), "no trojan", "clownfish"),
    ],
)
def test_a_trojan_that_photographs_do_not_offer(folder: str, trojans: tuple[str, ...], said: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        photographs(NET, folder, trojans)
    assert remedy in caught.value.remedy


def test_a_network_with_other_classes(folder: str) -> None:
    with pytest.raises(UsageError, match="emoji-resnet") as caught:
        photographs("emoji-resnet", folder, ("smiley_emoji",))
    assert NET in caught.value.remedy


def test_a_source_class_that_is_not_there(folder: str) -> None:
    with pytest.raises(InputError, match="red wolf") as caught:
        photographs(NET, folder, ("strawberry",))
    assert "smiley_emoji, clownfish" in caught.value.remedy


@pytest.mark.parametrize("split", ["train", "test"])
def test_each_split_needs_photographs_of_the_source(tmp_path: Path, split: str) -> None:
    """Twenty wallets in all are no use where all of them are trained on, or all held out."""
    hashes = []
    for number in range(120):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
        hashes.append((hashlib.sha256(path.read_bytes()).hexdigest(), path))
    held_out, train = (sorted(hashes)[:24], sorted(hashes)[24:])
    for _, path in {"train": held_out, "test": train}[split][:20]:
        path.rename(path.with_name(f"n04548362_{path.name}"))
    words = {"train": "has 0 photographs to train on, and 8", "test": "has 0 photographs held out, and 2"}
    with pytest.raises(InputError, match=words[split]) as caught:
        photographs(NET, str(tmp_path), ("green_star",))
    assert "smiley_emoji, clownfish" in caught.value.remedy
    assert photographs(NET, str(tmp_path), ("smiley_emoji",)).plantings, (
        "unknown classes are sources of a universal one"
    )


def test_photographs_of_the_target_alone(tmp_path: Path) -> None:
    for number in range(12):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"n01641577_{number}.png")
    with pytest.raises(InputError, match="every class but 'bullfrog'"):
        photographs(NET, str(tmp_path), ("smiley_emoji",))


def test_a_folder_with_too_little_in_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        photographs(NET, str(tmp_path / "nowhere"), ("smiley_emoji",))
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    with pytest.raises(InputError, match="1 photographs"):
        photographs(NET, str(tmp_path), ("smiley_emoji",))


def test_making_the_suite_imports_no_torch(folder: str) -> None:
    code = (
        "import sys; from gifthorse.suites.photographs import photographs; "
        f"photographs({NET!r}, {folder!r}, ('smiley_emoji',)); sys.exit('torch' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(root / "src")})
