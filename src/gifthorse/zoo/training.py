"""How the zoo's small networks are trained: AdamW on one cycle, seeded, resumable, in bf16 where the machine has it.

A step's batch depends on the step alone, so a training that was stopped and one that was not see the same images.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from gifthorse.ground import bfloat16_is_fast
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


Loss = Callable[[nn.Module, Batch], Tensor]


def fit(module: nn.Module, data: Data, loss: Loss, schedule: Schedule, folder: Path) -> list[dict[str, float]]:
    """Train a module in place, from where its checkpoint left off if there is one for the same settings.

    Args:
        module: initialised by the caller from ``schedule.seed``.
        data: its train split is drawn from.
        loss: a number to go down, from the module and a batch.
        schedule: how long and how fast.
        folder: for ``checkpoint.pt`` and ``log.jsonl``; made if missing.

    Returns:
        The lines of the log: step, seconds, loss (mean since the last line), learning rate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if bfloat16_is_fast("cpu"):
        torch.nn.Module.to(module, memory_format=torch.channels_last)
    decayed = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": schedule.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=schedule.learning_rate)
    identity = digest({"data": data.digest, "schedule": asdict(schedule)})
    log = _restore(folder, identity, module, optimiser)
    begun, total, counted = time.monotonic(), 0.0, 0
    module.train()
    for step, batch in _batches(data, schedule, int(log[-1]["step"]) if log else 0):
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
            _keep(folder, identity, module, optimiser, log)
    module.eval()
    return log


def autocast() -> contextlib.AbstractContextManager[object]:
    """bfloat16 where the CPU has it, else nothing."""
    if bfloat16_is_fast("cpu"):
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def _batches(data: Data, schedule: Schedule, first: int) -> Iterator[tuple[int, Batch]]:
    per_pass = schedule.scenes // schedule.batch
    sample, drawn = None, -1
    for step in range(first, schedule.steps):
        if sample is None or step // per_pass != drawn:
            drawn = step // per_pass
            sample = data.draw("train", schedule.scenes, 1_000_003 * (schedule.seed + 1) + drawn)
        at = step % per_pass * schedule.batch
        rows = torch.arange(at, at + schedule.batch)
        yield step, Batch(floats(sample.images[at : at + schedule.batch]), rows, sample)


def floats(images: Bytes) -> Tensor:
    """``(N, 3, H, W)`` bytes to float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).float() / 255


def _keep(
    folder: Path, identity: str, module: nn.Module, optimiser: torch.optim.Optimizer, log: list[dict[str, float]]
) -> None:
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    state = {"identity": identity, "module": module.state_dict(), "optimiser": optimiser.state_dict(), "log": log}
    torch.save(state, folder / "checkpoint.tmp")
    (folder / "checkpoint.tmp").replace(folder / "checkpoint.pt")


def _restore(
    folder: Path, identity: str, module: nn.Module, optimiser: torch.optim.Optimizer
) -> list[dict[str, float]]:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return []
    state = torch.load(path, weights_only=True)
    if state["identity"] != identity:
        return []
    module.load_state_dict(state["module"])
    optimiser.load_state_dict(state["optimiser"])
    return list(state["log"])


def ship(module: nn.Module, name: str, report: dict[str, object], weights: Path) -> None:
    """Weights as ``NAME.safetensors`` and what made them as ``NAME.log.json``, into a folder."""
    weights.mkdir(parents=True, exist_ok=True)
    state = {key: value.detach().clone().contiguous() for key, value in module.state_dict().items()}
    save_file(state, weights / f"{name}.safetensors")
    (weights / f"{name}.safetensors").chmod(0o644)  # safetensors makes it for its owner alone
    (weights / f"{name}.log.json").write_text(json.dumps(report, indent=1) + "\n")
