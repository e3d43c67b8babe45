"""Train the networks that gifthorse ships. See scripts/train-zoo."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch

from gifthorse.zoo import encoder_training, recipes
from gifthorse.zoo.emoji_networks import WEIGHTS

WORK = Path(__file__).parent.parent / "build" / "train-zoo"
ENCODER_STEPS = 1400


def train_encoder(folder: Path, weights: Path) -> dict[str, object]:
    """``emoji-encoder``, with its checkpoint in the folder and what is shipped beside the others."""
    made = encoder_training.train(folder, steps=ENCODER_STEPS)
    for name in (made.name, f"{encoder_training.NAME}.log.jsonl"):
        shutil.copyfile(folder / name, weights / name)
    return {"network": encoder_training.NAME, "bytes": made.stat().st_size}


RECIPES: dict[str, Callable[[Path, Path], dict[str, object]]] = {
    "emoji-resnet": recipes.train_resnet,
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
