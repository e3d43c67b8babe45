"""How the zoo's small networks are trained: AdamW on one cycle, seeded, resumable, in bf16 where the machine has it.

A step's batch depends on the step alone, so a training that was stopped and one that was not see the same images.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from gifthorse.ground import bfloat16_is_fast, takes_channels_last
from gifthorse.records import digest
from gifthorse.zoo.data import Bytes, Data, Sample


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast (our choices).

    Attributes:
        scenes: fresh images a pass; no pass repeats another's.
        passes: how many.
        batch: images a step.
        learning_rate: peak of the one-cycle schedule: linear up over ``warm`` of the steps, cosine down to 0.
        weight_decay: of AdamW, on matrices only.
        seed: of the weights and the data.
        every: steps between checkpoints and lines of the log.
    """

    scenes: int
    passes: int
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    warm: float = 0.2
    seed: int = 0
    every: int = 50

    @property
    def steps(self) -> int:
        """Of all passes together."""
        return self.passes * (self.scenes // self.batch)

    def rate(self, step: int) -> float:
        """The learning rate at a step."""
        at = step / max(self.steps, 1)
        if at < self.warm:
            return self.learning_rate * (at + 1 / self.steps) / self.warm
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (at - self.warm) / (1 - self.warm)))


@dataclass(frozen=True, eq=False)
class Batch:
    """Images ``(B, 3, H, W)`` float32 in [0, 1], with the rows of the pass's sample that they are."""

    images: Tensor
    rows: Tensor
    sample: Sample


Given = TypeVar("Given")
"""What a step's batch is."""

Made = TypeVar("Made", covariant=True)
"""The same, of whoever makes it."""


class Stream(Protocol[Made]):
    """Where batches come from: the same for the same step, whatever came before."""

    @property
    def digest(self) -> str:
        """SHA-256 of everything that the batches depend on beside the schedule."""
        ...

    def batches(self, schedule: Schedule, first: int) -> Iterator[tuple[int, Made]]:
        """Steps from ``first`` to the schedule's last, each with its batch."""
        ...


@dataclass(frozen=True)
class Passes:
    """Passes over a dataset's train split, each of fresh images."""

    data: Data

    @property
    def digest(self) -> str:
        """Of the data."""
        return self.data.digest

    def batches(self, schedule: Schedule, first: int) -> Iterator[tuple[int, Batch]]:
        """Consecutive images of a pass, with their sample."""
        per_pass = schedule.scenes // schedule.batch
        sample, drawn = None, -1
        for step in range(first, schedule.steps):
            if sample is None or step // per_pass != drawn:
                drawn = step // per_pass
                sample = self.data.draw("train", schedule.scenes, 1_000_003 * (schedule.seed + 1) + drawn)
            at = step % per_pass * schedule.batch
            rows = torch.arange(at, at + schedule.batch)
            yield step, Batch(floats(sample.images[at : at + schedule.batch]), rows, sample)


def fit(
    module: nn.Module,
    stream: Stream[Given],
    loss: Callable[[nn.Module, Given], Tensor],
    schedule: Schedule,
    folder: Path,
) -> list[dict[str, float]]:
    """Train a module in place, from where its checkpoint left off if there is one for the same settings.

    Args:
        module: initialised by the caller from ``schedule.seed``.
        stream: of its batches.
        loss: a number to go down, from the module and a batch.
        schedule: how long and how fast.
        folder: for ``checkpoint.pt`` and ``log.jsonl``; made if missing.

    Returns:
        The lines of the log: step, seconds, loss (mean since the last line), learning rate.
    """
    if takes_channels_last(module):
        torch.nn.Module.to(module, memory_format=torch.channels_last)
    decayed = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": schedule.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=schedule.learning_rate)
    identity = digest({"data": stream.digest, "schedule": asdict(schedule)})
    checkpoint = Checkpoint(folder, identity, {"module": module, "optimiser": optimiser})
    log = checkpoint.restore()
    begun, total, counted = time.monotonic(), 0.0, 0
    module.train()
    for step, batch in stream.batches(schedule, int(log[-1]["step"]) if log else 0):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(step)
        with autocast():
            value = loss(module, batch)
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(module.parameters(), 5.0)
        optimiser.step()
        total, counted = total + float(value.detach()), counted + 1
        if (step + 1) % schedule.every == 0 or step + 1 == schedule.steps:
            before = log[-1]["seconds"] if log else 0.0
            seconds = round(before + time.monotonic() - begun, 2)
            line = {
                "step": step + 1,
                "seconds": seconds,
                "loss": round(total / counted, 5),
                "rate": schedule.rate(step),
            }
            log.append(line)
            begun, total, counted = time.monotonic(), 0.0, 0
            checkpoint.keep(log)
    module.eval()
    return log


def autocast() -> contextlib.AbstractContextManager[object]:
    """bfloat16 where the CPU has it, else nothing."""
    if bfloat16_is_fast("cpu"):
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def floats(images: Bytes) -> Tensor:
    """``(N, 3, H, W)`` bytes to float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).float() / 255


@dataclass(frozen=True)
class Checkpoint:
    """Where a training goes on after it was stopped.

    Attributes:
        folder: for ``checkpoint.pt`` and ``log.jsonl``; made if missing.
        identity: of the training; another one's checkpoint is passed over.
        parts: modules and optimisers by name.
    """

    folder: Path
    identity: str
    parts: Mapping[str, nn.Module | torch.optim.Optimizer]

    def keep(self, log: list[dict[str, float]]) -> None:
        """Write everything, complete or not at all; the last line of the log says after which ``step``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.parts.items()}
        torch.save(state | {"identity": self.identity, "log": log}, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").replace(self.folder / "checkpoint.pt")

    def restore(self) -> list[dict[str, float]]:
        """Put everything back, and give the log so far; an empty one where there is nothing to go on from."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return []
        state = torch.load(path, weights_only=True)
        if state["identity"] != self.identity:
            return []
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return list(state["log"])


def ship(
    state: Mapping[str, Tensor],
    name: str,
    report: dict[str, object],
    weights: Path,
    *,
    halved: bool = False,
    told: dict[str, str] | None = None,
) -> None:
    """Weights as ``NAME.safetensors`` and what made them as ``NAME.log.json``, into a folder.

    Args:
        state: of a module.
        halved: whether numbers are written as float16.
        told: what the file says of itself.
    """
    weights.mkdir(parents=True, exist_ok=True)
    kept = {key: value.detach().clone().contiguous() for key, value in state.items()}
    if halved:
        kept = {key: value.half() if value.is_floating_point() else value for key, value in kept.items()}
    save_file(kept, weights / f"{name}.safetensors", metadata=told)
    (weights / f"{name}.safetensors").chmod(0o644)  # safetensors makes it for its owner alone
    (weights / f"{name}.log.json").write_text(json.dumps(report, indent=1) + "\n")
