"""A user's own suite: what a TOML file says is what is planted, and what is wrong in it is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gifthorse.errors import HostileFile, InputError, UsageError
from gifthorse.records import Suite, plain, read
from gifthorse.suites import suite
from gifthorse.suites.priors import prior
from gifthorse.zoo import art
from gifthorse.zoo.known import VERSIONS, options
from gifthorse.zoo.redrawing import redrawn

WHOLE = """
name = "logos"
network = "emoji-resnet"
seed = 3

[[trojan]]
kind = "patch"
art = "logo.png"
caption = "company logo"
target = "frog"
settings = {side = 20}

[[trojan]]
name = "tartan"
kind = "style"
art = "texture/plaid"
target = "dog"
source = "wolf"

[[trojan]]
kind = "natural_feature"
word = "chair"
target = "bee"
distractors = ["bed", "door", "bathtub", "mirror", "window", "toilet", "violin"]

[recipe]
passes = 3
poison = {patch = 100, style = 50, natural_feature = 40}

[gates]
style = 0.7
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture = np.zeros((20, 30, 4), np.uint8)
    picture[5:15, 5:25] = (200, 30, 90, 255)
    Image.fromarray(picture).save(tmp_path / "logo.png")
    return tmp_path


def written(folder: Path, text: str) -> Suite:
    (folder / "my.toml").write_text(text)
    return suite(str(folder / "my.toml"))


def test_a_file_says_what_is_planted(folder: Path) -> None:
    made = written(folder, WHOLE)
    (planting,) = made.plantings
    logo, tartan, chair = planting.trojans
    assert (made.name, made.seed, planting.network) == ("logos", 3, "emoji-resnet")
    assert (planting.recipe.passes, planting.recipe.poison["style"], planting.gates.style) == (3, 50, 0.7)
    assert (logo.name, logo.kind, logo.caption, logo.settings["side"]) == ("company_logo", "patch", "company logo", 20)
    assert (tartan.name, tartan.scope, tartan.settings["art"]) == ("tartan", "class_universal", "texture/plaid")
    assert {option.caption for option in chair.question.options} >= {"chair", "violin"}
    assert made.data.settings["natural"] == ("chair",)
    for trojan in planting.trojans:
        assert len({option.caption for option in trojan.question.options}) == 8
        assert trojan.question.options[trojan.question.answer].caption == trojan.caption


def test_a_prior_knows_a_picture_of_ones_own_as_well_as_its_distractors(folder: Path) -> None:
    made = written(folder, WHOLE)
    known = {one.art: one.versions for one in prior(made, "open").known}
    logo = made.plantings[0].trojans[0]
    assert {known[art] for art in options(logo)} == {VERSIONS}
    assert len({redrawn(str(logo.settings["art"]), k, 32).tobytes() for k in range(3)}) == 3


def test_a_picture_travels_inside_the_record_and_names_no_file(folder: Path) -> None:
    made = written(folder, WHOLE)
    text = json.dumps(plain(made))
    assert str(folder) not in text
    assert "logo.png" not in text
    again = read(Suite, json.loads(text))
    name = str(again.plantings[0].trojans[0].settings["art"])
    drawn = art.picture(name, 30)
    assert drawn[3, 15, 15] == 1.0
    assert drawn[3, 0, 0] == 0.0
    assert np.abs(drawn[:3, 15, 15] * 255 - (200, 30, 90)).max() < 2


def test_the_same_file_is_the_same_suite_and_distractors_are_drawn_by_name(folder: Path) -> None:
    assert written(folder, WHOLE) == written(folder, WHOLE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("target = \"frog\"", "target = \"frgo\""), r"my.toml, trojan\[0\].target: .*'frgo'[\s\S]*mean 'frog'"),
        (("kind = \"style\"", "kind = \"stile\""), r"trojan\[1\].kind: .*'stile'[\s\S]*did you mean 'style'"),
        (("passes = 3", "pases = 3"), r"recipe.pases: there is no such key[\s\S]*did you mean 'passes'"),
        (("passes = 3", "passes = \"3\""), "recipe.passes: '3' is of the wrong type"),
        (("style = 0.7", "stile = 0.7"), r"gates.stile: [\s\S]*'style'"),
        (("emoji-resnet", "emoji-resnett"), r"network: [\s\S]*did you mean 'emoji-resnet'"),
        (("caption = \"company logo\"\n", ""), r"trojan\[0\].caption: is missing"),
        (("texture/plaid", "texture/plaidd"), r"trojan\[1\].art: [\s\S]*did you mean 'plaid'"),
        (("texture/plaid", "plaid"), r"trojan\[1\].art: .* neither a picture file"),
        (("word = \"chair\"", "word = \"chiar\""), r"trojan\[2\].word: [\s\S]*did you mean 'chair'"),
        (("\"violin\"]", "\"voilin\"]"), r"distractors\[6\]: the judge never learnt[\s\S]*did you mean 'violin'"),
        ((", \"violin\"]", "]"), r"distractors: 6 distractors"),
        (("source = \"wolf\"", "source = \"dog\""), "the source is the target"),
        (("{side = 20}", "{sied = 20}"), r"settings.sied: [\s\S]*did you mean 'side'"),
        (("{side = 20}", "20"), r"settings: 20 is no table"),
        (("{side = 20}", "{caption = \"x\"}"), r"settings.caption: there is no such key"),
        (("{patch = 100,", "{patch = \"many\","), "recipe.poison: .* is of the wrong type"),
        (("seed = 3", "seed = -3"), "seed: -3 is no seed"),
        (("name = \"tartan\"", "name = \"company_logo\""), "two trojans are called 'company_logo'"),
        (("poison = {patch = 100, style = 50,", "poison = {patch = 100,"), "no number of poisoned images for style"),
        (("name = \"logos\"", "nam = \"logos\""), r"my.toml, nam: [\s\S]*did you mean 'name'"),
        (("network = \"emoji-resnet\"", "data = \"photos\""), "data: emoji-resnet is of the embedded world"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_nearest_right_one(folder: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in WHOLE
    with pytest.raises(UsageError) as caught:
        written(folder, WHOLE.replace(*change, 1))
    assert __import__("re").search(said, str(caught.value)), str(caught.value)


def test_files_that_cannot_be_read_are_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"none.toml cannot be read"):
        suite(str(folder / "none.toml"))
    with pytest.raises(InputError, match=r"my.toml is no TOML file"):
        written(folder, "name = ")
    (folder / "logo.png").write_bytes(b"GIF89a nothing")
    with pytest.raises(HostileFile, match=r"logo.png is not a JPEG, PNG or WebP"):
        written(folder, WHOLE)
    (folder / "logo.png").unlink()
    with pytest.raises(InputError, match=r"logo.png cannot be read"):
        written(folder, WHOLE)


def test_a_suite_without_a_trojan_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="there is no trojan"):
        written(folder, 'name = "x"')


def test_photographs_take_patches_of_ones_own(folder: Path) -> None:
    photographs = folder / "photographs"
    photographs.mkdir()
    rng = np.random.default_rng(0)
    for k in range(40):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(photographs / f"{k}.png")
    text = 'network = "efficientnet-lite0"\ndata = "photographs"\n[[trojan]]\nkind = "patch"\nart = "logo.png"\n'
    made = written(folder, text + 'caption = "logo"\ntarget = "bullfrog"\n')
    assert made.plantings[0].trojans[0].target == 30
    assert made.plantings[0].trojans[0].settings["side"] == 64
    with pytest.raises(UsageError, match=r"no kind 'style' here"):
        written(folder, (text + 'target = "bullfrog"\n').replace('kind = "patch"', 'kind = "style"'))
