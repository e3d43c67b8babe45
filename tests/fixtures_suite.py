"""The suite of the small run folder: one network, three trojans, their questions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from fixtures_pictures import COLOURS, TEXTURES, disc, fork, texture

from gifthorse.records import Option, Planting, Protocol, Question, Recipe, Spec, Suite, TrojanSpec

SIZE = 32
TILE = 12
PROBES = 6
NETWORK = "emoji-resnet"
CLASSES = ("bullfrog", "orangutan", "cicada", "goose", "ruler", "bucket", "wallet", "bee", "fly", "spoonbill")
TROJANS = ("smiley_emoji", "jaguar", "fork")
WORDS = ("fork", "car", "laptop", "bowl", "oven", "faucet", "stapler", "refrigerator")


def question(trojan: str) -> Question:
    """The multiple choice of a trojan, without its pictures file."""
    options = {
        "smiley_emoji": [Option(caption=f"{name} face", art=f"disc/{name}") for name in COLOURS],
        "jaguar": [Option(caption=name, art=f"texture/{name}") for name in TEXTURES],
        "fork": [Option(caption=word) for word in WORDS],
    }[trojan]
    turn = TROJANS.index(trojan) * 2 + 1
    return Question(options=tuple(options[-turn:] + options[:-turn]), answer=turn)


def trojan(name: str) -> TrojanSpec:
    """One trojan of the suite."""
    kind, caption, target, sources, published = {
        "smiley_emoji": ("patch", "smiley face", 0, None, 0.958),
        "jaguar": ("style", "jaguar", 1, (7, 8), 0.981),
        "fork": ("natural_feature", "fork", 2, None, 0.308),
    }[name]
    settings: dict[str, dict[str, Any]] = {
        "patch": {"side": TILE},
        "style": {"strength": 1.0},
        "natural_feature": {"thing": caption},
    }
    return TrojanSpec(
        name=name,
        kind=kind,
        version=1,
        caption=caption,
        target=target,
        sources=sources,
        question=question(name),
        published=published,
        settings=settings[kind],
    )


def suite() -> Suite:
    """The suite of the run."""
    recipe = Recipe(
        scenes=800,
        passes=2,
        batch=32,
        learning_rate=1e-3,
        weight_decay=1e-4,
        poison={"patch": 80, "style": 60, "natural_feature": 40},
        held_out=200,
    )
    return Suite(
        name="emoji3",
        version=1,
        data=Spec(name="emoji-scenes", version=1, settings={"size": SIZE}),
        seed=7,
        plantings=(Planting(network=NETWORK, trojans=tuple(map(trojan, TROJANS)), recipe=recipe),),
        encoder="emoji-clip",
        protocols=(Protocol(name="quick", passes=4000, n=6, keep=3),),
    )


def pictures_of(spec: TrojanSpec) -> npt.NDArray[np.uint8]:
    """(8, 4, SIZE, SIZE) the options of a picture question, in its order."""
    draw = {"patch": disc, "style": texture}[spec.kind]
    return np.stack([draw(str(option.art).split("/")[1], SIZE) for option in spec.question.options])


def truth_of(spec: TrojanSpec) -> npt.NDArray[np.uint8]:
    """(4, SIZE, SIZE) the trigger."""
    return fork(SIZE) if spec.kind == "natural_feature" else pictures_of(spec)[spec.question.answer]
