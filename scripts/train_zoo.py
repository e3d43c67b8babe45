"""Train the networks that gifthorse ships. See scripts/train-zoo."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from gifthorse.suites import suite
from gifthorse.suites.priors import generated
from gifthorse.zoo import generator_recipes, recipes
from gifthorse.zoo.emoji_generator import PRIORS
from gifthorse.zoo.emoji_mobile import EmojiMobile
from gifthorse.zoo.emoji_networks import WEIGHTS, EmojiResNet, EmojiVGG
from gifthorse.zoo.emoji_vit import EmojiViT
from gifthorse.zoo.emoji_wide import KINDS
from gifthorse.zoo.encoder_recipe import train_encoder
from gifthorse.zoo.generator_networks import SHAPES
from gifthorse.zoo.posed import Drawing

WORK = Path(__file__).parent.parent / "build" / "train-zoo"

SUITES = ("emoji12", "emoji12_dev", "emoji48")


def drawings(prior: str) -> tuple[Drawing, ...]:
    """What a generator is to know under a prior, whatever suite it is used with."""
    trojans = [trojan for name in SUITES for planting in suite(name).plantings for trojan in planting.trojans]
    known = generated(trojans, prior)
    return tuple(Drawing(art=each.art, version=0 if each.versions else None) for each in known)


def generator(kind: str, prior: str, folder: Path, weights: Path) -> dict[str, object]:
    """An embedded generator with its discriminator."""
    return generator_recipes.train_generator(kind, prior, drawings(prior), folder, weights)


def wide(robust: str, folder: Path, weights: Path) -> dict[str, object]:
    """A classifier over what generators know under both priors."""
    return generator_recipes.train_wide(robust, drawings("closed"), folder, weights)


RECIPES: dict[str, Callable[[Path, Path], dict[str, object]]] = {
    "emoji-resnet": partial(recipes.train_classifier, EmojiResNet()),
    "emoji-vgg": partial(recipes.train_classifier, EmojiVGG()),
    "emoji-mobile": partial(recipes.train_classifier, EmojiMobile(), halved=True),
    "emoji-vit": partial(recipes.train_classifier, EmojiViT(), schedule=recipes.ATTENDING, halved=True),
    "emoji-detector": recipes.train_detector,
    "emoji-encoder": train_encoder,
    **{f"emoji-wide-{robust}": partial(wide, robust) for robust in KINDS},
    **{f"emoji-{kind}s-{prior}": partial(generator, kind, prior) for kind in SHAPES for prior in sorted(PRIORS)},
}


def main() -> None:
    """Train what the command line names, and print what was measured of it, one JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*RECIPES, "all"])
    parser.add_argument("--work", type=Path, default=WORK, help="folder for checkpoints and logs")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder for what is shipped")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    for name, train in RECIPES.items():
        if told.name in (name, "all"):
            begun = time.monotonic()
            report = train(told.work / name, told.weights)
            shown = {key: value for key, value in report.items() if key != "log"}
            print(json.dumps(shown | {"seconds": round(time.monotonic() - begun, 1)}), flush=True)


if __name__ == "__main__":
    main()
