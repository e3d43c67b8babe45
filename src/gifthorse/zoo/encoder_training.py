"""How the image-text encoder is trained: symmetric InfoNCE over drawings made imperfect and their names.

Once the pictures have their full size, a second InfoNCE ties every second one to a clean picture of the same thing,
since that is what a Question shows as its options.

Resumable and seeded: step ``k`` draws everything from a generator seeded by (seed, k), so an interrupted training that
goes on from its checkpoint gives the same weights as one that never stopped, on one machine with one thread count.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from gifthorse.errors import UsageError
from gifthorse.ground import bfloat16_is_fast
from gifthorse.zoo import captions
from gifthorse.zoo.encoder import EmojiEncoder, Towers, notes_of, stored
from gifthorse.zoo.encoder_batches import FIRST_INSTANCE, NEIGHBOURS, Settings, World, batch_of, compared, world

NAME = "emoji-encoder"


def contrastive(images: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Symmetric InfoNCE (Radford et al. 2021, Fig. 3).

    It differs in that pairs of one item or one caption are no negatives of each other.

    Args:
        images: ``(B, D)`` of norm 1.
        texts: ``(B + E, D)``: the images' own, row for row, then others that pictures are told from as well.
        scale: what cosines are multiplied by.
        same: ``(B, B + E)`` bool, pairs that mean the same thing; its diagonal is not looked at.
    """
    n = len(images)
    others = same & ~torch.eye(n, len(texts), dtype=torch.bool, device=same.device)
    logits = (scale * images @ texts.T).masked_fill(others, -math.inf)
    right = torch.arange(n, device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits[:, :n].T, right)) / 2


def undecided(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy to an even choice among the texts: pictures of nothing must prefer none. 0 at best."""
    logits = scale * images @ texts.T
    return -F.log_softmax(logits, 1).mean() - math.log(len(texts))


def rate(step: int, steps: int, peak: float) -> float:
    """One-cycle learning rate: linear up over a tenth of the steps, cosine down to a hundredth of the peak."""
    rise = max(1, steps // 10)
    if step < rise:
        return peak * (step + 1) / rise
    return peak * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * (step - rise) / max(1, steps - rise))))


class Training:
    """A training under way: towers, optimiser and the number of steps done."""

    def __init__(self, settings: Settings, source: World, steps: int) -> None:
        self.settings, self.source, self.steps, self.done = settings, source, steps, 0
        with _seeded(settings.seed):
            self.towers = Towers(settings.shape)
        matrices = [p for p in self.towers.parameters() if p.dim() > 1]
        vectors = [p for p in self.towers.parameters() if p.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98))
        self.towers.image.to(memory_format=torch.channels_last)

    def step(self) -> dict[str, float]:
        """One step of optimisation; returns its losses."""
        settings, towers = self.settings, self.towers.train()
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.done, self.steps, settings.learning_rate)
        batch = batch_of(self.source, settings, self.done, self.steps)
        pictures = torch.cat([batch.images, batch.nothing, batch.clean])
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_is_fast("cpu")):
            seen = towers.image(pictures.contiguous(memory_format=torch.channels_last))
        seen = F.normalize(seen.float(), dim=1)
        read = F.normalize(towers.text(batch.texts), dim=1)
        things, empty, anchors = torch.split(seen, [len(batch.images), len(batch.nothing), len(batch.clean)])
        loss = contrastive(things, read, towers.scale, batch.same)
        even = undecided(empty, read, towers.scale)
        total = loss + 0.1 * even
        if len(anchors):
            same = batch.same[::2, : len(things) : 2]
            total = total + 0.5 * contrastive(things[::2], anchors, towers.scale, same)
            total = total + 0.1 * undecided(empty, anchors, towers.scale)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(towers.parameters(), 5.0)
        self.optimiser.step()
        self.done += 1
        return {"step": self.done, "loss": loss.item(), "undecided": even.item(), "scale": towers.scale.item()}

    def save(self, path: Path) -> None:
        """Write everything that a resumed training needs; complete or not at all."""
        state = {
            "towers": self.towers.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
            "steps": self.steps,
            "settings": json.dumps(asdict(self.settings)),
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            UsageError: it is of a training with other settings.
        """
        state = torch.load(path, weights_only=True)
        if state["settings"] != json.dumps(asdict(self.settings)):
            raise UsageError(
                f"the checkpoint {path} is of a training with other settings: {state['settings']}",
                "train with those settings, or remove the checkpoint to start anew",
            )
        self.towers.load_state_dict(state["towers"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.done, self.steps = state["done"], state["steps"]


def train(
    out: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    resume: bool = True,
    settings: Settings | None = None,
    start: Path | None = None,
) -> Path:
    """Train the encoder and write its weights.

    Args:
        out: folder for ``emoji-encoder.safetensors``, its log (``.log.jsonl``) and, until it is done, its checkpoint.
        steps: how many.
        minutes: instead of steps: as many as fit, by the speed of ten of them.
        resume: go on from the checkpoint where there is one.
        settings: defaults when None.
        start: weights of an earlier training to start from, with an optimiser that has seen nothing.

    Returns:
        The weights file.

    Raises:
        UsageError: neither or both of steps and minutes, a checkpoint of other settings, or look-alikes asked of
            weights that have learnt nothing.
    """
    if (steps is None) == (minutes is None):
        raise UsageError("a training needs either a number of steps or of minutes", "pass steps=5000 or minutes=30")
    chosen = settings or Settings()
    if chosen.alike and start is None:
        raise UsageError("only trained weights know what looks alike", "pass start=, or alike=0")
    out.mkdir(parents=True, exist_ok=True)
    checkpoint, log, weights = (out / f"{NAME}{end}" for end in (".checkpoint", ".log.jsonl", ".safetensors"))
    source = world(range(FIRST_INSTANCE, FIRST_INSTANCE + chosen.instances))
    if minutes is not None and not (resume and checkpoint.exists()):
        steps = _affordable(chosen, source, minutes)
    training = Training(chosen, source, steps or 1)
    if start is not None:
        training.towers.load_state_dict(EmojiEncoder().load(start).towers.state_dict())
    if chosen.alike:
        training.source = compared(source, training.towers, NEIGHBOURS)
    if resume and checkpoint.exists():
        training.resume(checkpoint)
    started = time.monotonic()
    with log.open("a", encoding="utf-8") as lines:
        while training.done < training.steps:
            losses = training.step()
            if training.done % 20 == 0 or training.done == training.steps:
                lines.write(json.dumps(losses | {"seconds": round(time.monotonic() - started, 1)}) + "\n")
                lines.flush()
            if training.done % chosen.every == 0:
                training.save(checkpoint)
    write(training.towers, weights)
    checkpoint.unlink(missing_ok=True)
    return weights


def write(towers: Towers, path: Path) -> None:
    """Write towers as float16 safetensors with their known answers, sizes and vocabulary."""
    again, tensors = stored(towers.eval())
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    save_file(contiguous, path, metadata=notes_of(again.shape, sorted(captions.vocabulary())))


def _affordable(settings: Settings, source: World, minutes: float) -> int:
    trial = Training(settings, source, 1000)
    trial.step()
    started = time.monotonic()
    for _ in range(10):
        trial.step()
    return max(20, int(minutes * 60 / (time.monotonic() - started) * 10))


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
