"""How the shipped encoder is made and what is measured of it. Run by ``scripts/train-zoo emoji-encoder``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from gifthorse.records import Question, digest
from gifthorse.zoo import captions
from gifthorse.zoo.encoder import EmojiEncoder, Encoder
from gifthorse.zoo.encoder_measures import (
    accuracy,
    held_out_world,
    on_noise,
    question_exam,
    random_exam,
    report_card,
)
from gifthorse.zoo.encoder_training import FIRST_INSTANCE, NAME, Settings, train

STEPS = 1400
"""Steps of the shipped training: about a quarter of an hour on an idle core with AVX512-BF16."""

CURVE = 20
"""Lines of the training log that the report keeps."""


def train_encoder(
    folder: Path, weights: Path, *, steps: int = STEPS, settings: Settings | None = None
) -> dict[str, object]:
    """``emoji-encoder``: trained in ``folder``, shipped to ``weights`` with its report, which is returned."""
    chosen = settings or Settings()
    made = train(folder, steps=steps, settings=chosen)
    weights.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made, weights / made.name)
    lines = [json.loads(line) for line in (folder / f"{NAME}.log.jsonl").read_text(encoding="utf-8").splitlines()]
    report = reported(EmojiEncoder().load(made), chosen, steps) | {"log": lines[:: max(1, len(lines) // CURVE)]}
    (weights / f"{NAME}.log.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def reported(encoder: Encoder, settings: Settings, steps: int) -> dict[str, object]:
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
        "settings": asdict(settings),
        "steps": steps,
        "scale": encoder.scale,
        "digest": encoder.digest,
        "items": len(captions.items()),
        "vocabulary": {"captions": len(encoder.vocabulary), "sha256": digest(encoder.vocabulary)},
        "held_out": f"texture instances below {FIRST_INSTANCE}, and every seed that measures",
        "accuracy": report_card(encoder),
        "white_noise": noise,
    }


def on_questions(encoder: Encoder, questions: Mapping[str, Sequence[Question]]) -> dict[str, dict[str, float]]:
    """Accuracy on each Question's own eight, half-strength pictures, as the Question has its options.

    Args:
        encoder: trained.
        questions: by name of their suite.
    """
    return {
        suite: {
            question.options[question.answer].caption: accuracy(
                encoder, question_exam(question, seed=number), words=question.options[0].art is None
            )
            for number, question in enumerate(several)
        }
        for suite, several in questions.items()
    }
