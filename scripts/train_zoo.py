"""Train the networks that gifthorse ships. See scripts/train-zoo."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from gifthorse.zoo import recipes
from gifthorse.zoo.emoji_networks import WEIGHTS, EmojiResNet, EmojiVGG
from gifthorse.zoo.encoder_recipe import train_encoder

WORK = Path(__file__).parent.parent / "build" / "train-zoo"

RECIPES: dict[str, Callable[[Path, Path], dict[str, object]]] = {
    "emoji-resnet": partial(recipes.train_classifier, EmojiResNet()),
    "emoji-vgg": partial(recipes.train_classifier, EmojiVGG()),
    "emoji-detector": recipes.train_detector,
    "emoji-encoder": train_encoder,
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
