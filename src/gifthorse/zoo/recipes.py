"""How the shipped networks of the emoji world are made, and what is measured of them. Run by ``scripts/train-zoo``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gifthorse.errors import UsageError
from gifthorse.statistics import wilson
from gifthorse.zoo.data import Sample
from gifthorse.zoo.emoji_detector import STRIDE, EmojiDetector, HeatMapDetector
from gifthorse.zoo.emoji_networks import MEAN, STD, EmojiNetwork
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.training import Batch, Passes, Schedule, fit, floats, ship

CLASSIFIER = Schedule(scenes=16_000, passes=16, batch=128, learning_rate=4e-3, weight_decay=0.02)
ATTENDING = replace(CLASSIFIER, passes=24, learning_rate=2e-3)
"""Of a network with attention, which learns more slowly."""
SMOOTHING = 0.02
"""Of the labels that classifiers are trained on."""
DETECTOR = Schedule(scenes=12_800, passes=8, batch=128, learning_rate=3e-3, weight_decay=0.02)
CROWDED = 0.08
"""Rate of each natural object while the detector learns; the world's own is a fifth of it."""

HELD_OUT = 4_000


def train_classifier(
    network: EmojiNetwork,
    folder: Path,
    weights: Path,
    schedule: Schedule = CLASSIFIER,
    held_out: int = HELD_OUT,
    *,
    halved: bool = False,
) -> dict[str, object]:
    """A classifier of the scenes: cross-entropy on fresh ones, mirrored at random. Returns its report.

    Where it is shipped ``halved``, as float16, what is measured is the network of the halved numbers.
    """
    torch.manual_seed(schedule.seed)
    data, mean, std = EmojiScenes(), torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    module = network.module(len(data.classes))

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        labels = torch.from_numpy(batch.sample.labels)[batch.rows]
        logits = network((_mirrored(batch, schedule.seed) - mean) / std)
        return F.cross_entropy(logits.float(), labels, label_smoothing=SMOOTHING)

    log = fit(module, Passes(data), loss, schedule, folder)
    if halved:
        module.half().float()
    sample = data.draw("test", held_out, 0, without=data.things)
    with torch.no_grad():
        parts = np.array_split(sample.images, 1 + held_out // 256)
        logits = torch.cat([module((floats(part) - mean) / std).float() for part in parts])
    found = logits.argmax(1).numpy()
    report = {
        "network": network.name,
        "parameters": sum(p.numel() for p in module.parameters()),
        "schedule": asdict(schedule),
        "data": data.digest,
        "accuracy": asdict(wilson(int((found == sample.labels).sum()), len(found))),
        "confusions": _confusions(data.classes, sample.labels, found),
        "log": log,
    }
    ship(module.state_dict(), network.name, report, weights, halved=halved)
    return report


def _mirrored(batch: Batch, seed: int) -> Tensor:
    first = int(batch.sample.ids[int(batch.rows[0])])
    generator = torch.Generator().manual_seed((seed << 32) + batch.sample.seed * 65_537 + first)
    flips = torch.rand(len(batch.images), generator=generator) < 0.5
    return torch.where(flips[:, None, None, None], batch.images.flip(-1), batch.images)


def _confusions(classes: tuple[str, ...], labels: np.ndarray, found: np.ndarray) -> list[list[object]]:
    pairs, counts = np.unique(np.stack([labels, found])[:, labels != found], axis=1, return_counts=True)
    worst = np.argsort(-counts, kind="stable")[:10]
    return [[classes[pairs[0, k]], classes[pairs[1, k]], int(counts[k])] for k in worst]


def train_detector(
    folder: Path, weights: Path, schedule: Schedule = DETECTOR, held_out: int = 3 * HELD_OUT
) -> dict[str, object]:
    """``emoji-detector``: focal loss (Lin et al. 2017, gamma 2) on where each object is. Returns its report."""
    torch.manual_seed(schedule.seed)
    data = crowded()
    module = EmojiDetector().module()
    truth: dict[int, Tensor] = {}

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        if batch.sample.seed not in truth:
            truth.clear()
            truth[batch.sample.seed] = places(data, batch.sample)
        wanted = truth[batch.sample.seed][batch.rows]
        logits = network(batch.images).float()
        missed = torch.where(wanted > 0.5, 1 - torch.sigmoid(logits), torch.sigmoid(logits))
        cross = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return (missed**2 * cross).sum() / len(logits) / 16

    log = fit(module, Passes(data), loss, schedule, folder)
    detector = HeatMapDetector(module, data.things)
    report = {
        "network": "emoji-detector",
        "parameters": sum(p.numel() for p in module.parameters()),
        "schedule": asdict(schedule),
        "data": data.digest,
        "found": measure(detector, EmojiScenes(), held_out),
        "log": log,
    }
    ship(module.state_dict(), "emoji-detector", report, weights)
    return report


def crowded() -> EmojiScenes:
    """Scenes that a detector learns from: objects are frequent, and grounds twice as many."""
    return replace(EmojiScenes(), natural_rate=CROWDED, ground_count=512)


def places(data: EmojiScenes, sample: Sample) -> Tensor:
    """Which cells of 4 x 4 pixels each natural object covers to a fifth: ``(N, things, H / 4, W / 4)``."""
    side = data.size // STRIDE
    out = torch.zeros(len(sample), len(data.things), side, side)
    for index, thing in enumerate(data.things):
        rows = [row for row, tags in enumerate(sample.tags) if thing in tags]
        part = Sample(sample.images[rows], sample.labels[rows], (), sample.ids[rows], sample.split, sample.seed)
        covered = F.avg_pool2d(floats(data.tag_masks(part, thing)), STRIDE)
        out[rows, index] = (covered[:, 0] > 0.2).float()
    return out


def measure(detector: HeatMapDetector, data: EmojiScenes, count: int) -> dict[str, dict[str, object]]:
    """Precision and recall on held-out scenes, with each threshold at the object's own rate among them."""
    sample = data.draw("test", count, 1)
    every = torch.cat(
        [detector.heats(floats(part)).amax((2, 3)) for part in np.array_split(sample.images, 1 + count // 500)]
    )
    out: dict[str, dict[str, object]] = {}
    for index, thing in enumerate(detector.things):
        scores = every[:, index].numpy()
        true = np.array([thing in tags for tags in sample.tags])
        if not true.any():
            raise UsageError(f"none of {count} scenes has a {thing}", "more held-out scenes")
        threshold = float(np.sort(scores)[-int(true.sum())])
        fired = scores >= threshold
        out[thing] = {
            "threshold": round(threshold, 4),
            "precision": asdict(wilson(int((fired & true).sum()), int(fired.sum()))),
            "recall": asdict(wilson(int((fired & true).sum()), int(true.sum()))),
        }
    return out
