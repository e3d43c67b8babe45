"""How the shipped encoder is made and what is measured of it. Run by ``scripts/train-zoo emoji-encoder``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gifthorse.records import Question, digest, plain
from gifthorse.zoo import captions
from gifthorse.zoo.encoder import EmojiEncoder, Encoder
from gifthorse.zoo.encoder_batches import FIRST_INSTANCE, Settings
from gifthorse.zoo.encoder_measures import (
    accuracy,
    held_out_world,
    on_noise,
    question_exam,
    random_exam,
    report_card,
)
from gifthorse.zoo.encoder_training import NAME, train

FIRST = (1400, Settings())
"""Steps and settings of the first training: small pictures, little spoilt, then larger and worse ones."""

SECOND = (500, Settings(seed=1, learning_rate=2e-3, small=0.0, ramp=0.0, strengths=(0.25, 0.6, 1.0), grouped=0.5))
"""Those of the second, which starts from the first's weights: everything at full size, look-alikes in one batch."""

THIRD = (
    700,
    replace(SECOND[1], seed=2, grouped=0.0, alike=6, textures=0.25),
)
"""Those of the third: things beside those that the second's weights take them for, and many textures in each batch."""

FOURTH = (
    400,
    replace(THIRD[1], seed=3, learning_rate=1.5e-3, alike=8, textures=0.15, tinted=0.16, every=25),
)
"""Those of the fourth: the same with larger groups, and more drawings in colours that are not their own."""

FIFTH = (400, replace(FOURTH[1], seed=4, alike=16, textures=0.2, tinted=0.1))
"""Those of the fifth: larger groups still, of what the fourth's weights find hardest."""

TRAININGS = {"first": FIRST, "second": SECOND, "third": THIRD, "fourth": FOURTH, "fifth": FIFTH}
"""One after the other, each from the weights of the one before."""

CURVE = 20
"""Lines of the training log that the report keeps."""


def train_encoder(folder: Path, weights: Path) -> dict[str, object]:
    """``emoji-encoder``: trained several times over in ``folder``, shipped to ``weights``, the report returned."""
    made: Path | None = None
    lines: list[dict[str, object]] = []
    for name, (steps, settings) in TRAININGS.items():
        done = folder / name / f"{NAME}.safetensors"
        made = done if done.exists() else train(folder / name, steps=steps, settings=settings, start=made)
        written = (folder / name / f"{NAME}.log.jsonl").read_text(encoding="utf-8").splitlines()
        lines += [{"training": name} | json.loads(line) for line in written[:: max(1, len(written) // CURVE)]]
    weights.mkdir(parents=True, exist_ok=True)
    shipped = weights / f"{NAME}.safetensors"
    shutil.copyfile(folder / list(TRAININGS)[-1] / shipped.name, shipped)
    report = reported(EmojiEncoder().load(shipped)) | {"log": lines}
    shipped.with_suffix(".log.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def reported(encoder: Encoder) -> dict[str, object]:
    """What is said of a trained encoder: sizes, settings, data and its report card."""
    source = held_out_world()
    noise = {
        name: on_noise(encoder, random_exam(source, seed=0), words=words)
        for name, words in (("pictures", False), ("words", True))
    }
    return {
        "network": NAME,
        "parameters": {
            "image": sum(p.numel() for p in encoder.towers.image.parameters()),
            "text": sum(p.numel() for p in encoder.towers.text.parameters()),
        },
        "trainings": [{"steps": steps, "settings": plain(settings)} for steps, settings in TRAININGS.values()],
        "scale": encoder.scale,
        "digest": encoder.digest,
        "items": len(captions.items()),
        "vocabulary": {"captions": len(encoder.vocabulary), "sha256": digest(encoder.vocabulary)},
        "held_out": f"texture instances below {FIRST_INSTANCE}, and every seed that measures",
        "accuracy": report_card(encoder),
        "white_noise": noise,
    }


RENDERINGS = 1_024
"""Of the trigger, for each Question: accuracy near .85 is then known to one point (standard error)."""


def on_questions(encoder: Encoder, questions: Mapping[str, Mapping[str, Question]]) -> dict[str, dict[str, float]]:
    """Accuracy on each Question's own eight, held-out renderings, as the Question has its options.

    Args:
        encoder: trained.
        questions: by name of their suite, then of themselves.
    """
    return {
        suite: {
            name: accuracy(
                encoder, question_exam(question, seed=number, n=RENDERINGS), words=question.options[0].art is None
            )
            for number, (name, question) in enumerate(several.items())
        }
        for suite, several in questions.items()
    }
