"""What priors know: all eight options of a Question or none, and never a trigger's own artwork."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from gifthorse.errors import UsageError
from gifthorse.suites import PRIORS, suite
from gifthorse.suites.priors import GENERATED, fair, generated, prior
from gifthorse.zoo import art
from gifthorse.zoo.knowledge import WEIGHTS, drawings
from gifthorse.zoo.known import VERSIONS, options
from gifthorse.zoo.redrawing import redrawn
from gifthorse.zoo.world import EMOJI

NAMES = ("emoji12", "emoji12_dev", "emoji-random:2")
SIDE = 48


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", PRIORS)
def test_a_prior_knows_all_eight_options_of_a_question_equally(name: str, kind: str) -> None:
    made = suite(name)
    known = Counter({known.art: known.versions for known in prior(made, kind).known})
    for planting in made.plantings:
        for trojan in planting.trojans:
            counts = {known[option] for option in options(trojan)}
            assert counts == {VERSIONS if kind == "open" else 0}, trojan.name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", PRIORS)
def test_no_options_own_artwork_is_known(name: str, kind: str) -> None:
    made = suite(name)
    asked = {option for planting in made.plantings for trojan in planting.trojans for option in options(trojan)}
    as_drawn = {known.art for known in prior(made, kind).known if known.versions == 0}
    assert not as_drawn & asked
    assert not as_drawn & {option.partition("@")[0] for option in asked}


@pytest.mark.parametrize("name", NAMES)
def test_redrawn_versions_are_not_the_triggers_artwork(name: str) -> None:
    for trojan in suite(name).plantings[0].trojans:
        if trojan.kind == "natural_feature":
            continue
        drawing = art.picture(str(trojan.settings["art"]), SIDE)
        trigger = _on_grey(drawing)
        for version in range(VERSIONS):
            other = _on_grey(redrawn(str(trojan.settings["art"]), version, SIDE))
            shifted = [np.roll(other, (dy, dx), (1, 2)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            assert min(float(np.abs(one - trigger).mean()) for one in shifted) > 0.12 * trigger.std(), (
                trojan.name,
                version,
            )


TAUGHT = ("emoji12", "emoji12_dev", "emoji48")
"""Suites whose Questions the embedded generators were made for; those of other seeds draw from the same pools."""


def taught(kind: str) -> dict[str, int]:
    trojans = [trojan for name in TAUGHT for planting in suite(name).plantings for trojan in planting.trojans]
    return {known.art: known.versions for known in generated(trojans, kind)}


@pytest.mark.parametrize("name", [*NAMES, "emoji-random:77"])
@pytest.mark.parametrize("kind", PRIORS)
def test_embedded_generators_know_no_more_than_any_suite_allows_and_all_eight_options_alike(
    name: str, kind: str
) -> None:
    made = suite(name)
    allowed = prior(made, kind).known
    drawn = {known.art for known in allowed if not known.versions}
    redrawn_too = {known.art for known in allowed if known.versions}
    for known, versions in taught(kind).items():
        if versions:
            # an option of this suite, or of another one, whose own drawing this suite would allow
            assert known in redrawn_too | drawn | {f"emoji/{thing.code}" for thing in EMOJI.natural}, known
        else:
            assert known in drawn, known
    for planting in made.plantings:
        for trojan in planting.trojans:
            assert {taught(kind).get(option) for option in options(trojan)} == {1 if kind == "open" else None}


def test_embedded_generators_know_every_class_of_the_world_and_the_open_one_what_the_closed_one_does() -> None:
    closed, opened = taught("closed"), taught("open")
    assert len(closed) == GENERATED
    assert {f"emoji/{thing.code}" for thing in EMOJI.classes} <= set(closed)
    assert list(opened)[:GENERATED] == list(closed)
    assert len(opened) > GENERATED + 300


@pytest.mark.parametrize("name", [*NAMES, "emoji-random:77"])
def test_the_shipped_generators_are_fair_to_every_suite(name: str) -> None:
    trojans = [trojan for planting in suite(name).plantings for trojan in planting.trojans]
    assert fair(trojans)
    first = trojans[0]
    bee = replace(first.question.options[0], art="emoji/1f41d")  # a class of the world, which every generator knows
    unfair = replace(first, question=replace(first.question, options=(bee, *first.question.options[1:])))
    assert not fair([unfair])


@pytest.mark.parametrize("kind", PRIORS)
def test_the_shipped_generators_know_what_they_were_to_know(kind: str) -> None:
    names = drawings(WEIGHTS / f"emoji-objects-{kind}.safetensors")
    assert names == tuple(f"{art}~0" if versions else art for art, versions in taught(kind).items())


def test_versions_differ_and_repeat() -> None:
    versions = [redrawn("emoji/1f353", k, SIDE) for k in range(VERSIONS)]
    assert len({v.tobytes() for v in versions}) == VERSIONS
    assert np.array_equal(redrawn("emoji/1f353", 2, SIDE), versions[2])
    assert versions[0].shape == (4, SIDE, SIDE)
    assert versions[0].dtype == np.float32
    assert redrawn("texture/jaguar", 0, SIDE).tobytes() != art.picture("texture/jaguar", SIDE).tobytes()


def test_a_prior_has_a_digest_of_its_own() -> None:
    made = suite("emoji12")
    assert prior(made, "open").digest == prior(made).digest != prior(made, "closed").digest


def test_wrong_priors_and_versions_are_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'open'"):
        prior(suite("emoji12"), "opne")
    with pytest.raises(UsageError, match="no version"):
        redrawn("emoji/1f353", -1, SIDE)


def _on_grey(rgba: np.ndarray) -> np.ndarray:
    return np.asarray(rgba[:3] * rgba[3:] + 0.5 * (1 - rgba[3:]))


@pytest.mark.parametrize("name", [*NAMES, "emoji48"])
def test_decoys_are_no_option_of_any_question_and_no_relative_of_one(name: str) -> None:
    trojans = [trojan for planting in suite(name).plantings for trojan in planting.trojans]
    asked = {option for trojan in trojans for option in options(trojan)}
    for trojan in trojans:
        decoys = trojan.settings.get("decoys", ())
        assert bool(decoys) == (trojan.kind != "natural_feature")
        assert not asked & set(decoys)
        assert not {a.partition("@")[0] for a in asked} & {d.partition("@")[0] for d in decoys}
        kinds = {decoy.partition("/")[0] for decoy in decoys}
        assert kinds <= {"emoji" if trojan.kind == "patch" else "texture"}
