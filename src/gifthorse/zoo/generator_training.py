"""How the embedded generators are trained: first to draw what latents mean, then to draw it so that it looks real.

A plain GAN of this size was noise after 50,000 images on two cores, but the world is procedural: what a latent means is
known (:mod:`gifthorse.zoo.posed`), so the generator first learns by regression. The adversarial phase (hinge loss,
Miyato et al. 2018) sharpens it, keeps the regression beside it, and gives the discriminator that attacks ask.

Resumable and seeded: step ``k`` draws everything from a generator seeded by (seed, k).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from gifthorse.errors import InputError
from gifthorse.randomness import generator
from gifthorse.records import digest
from gifthorse.zoo.generator_networks import INSERTIONS, SHAPES, SHARED, Discriminator, Generator
from gifthorse.zoo.posed import FRAMINGS, LATENT, Drawing, pictures
from gifthorse.zoo.training import Checkpoint, autocast


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """How long and how fast (our choices).

    Attributes:
        drawn: steps of regression.
        sharpened: steps of the adversarial phase, after them.
        batch: pictures a step.
        rate: of Adam in the regression: up over the first fiftieth, then half a cosine down to 0.
        adversarial_rate: of the generator in the adversarial phase, falling in a line; the discriminator's is twice it.
        judged: steps after these in which the discriminator alone learns what else is not real: a generator's pictures
            with something added to a layer, as attacks do, and noise of every coarseness. Without them it took noise
            for more real than any drawing.
        warm: steps of the adversarial phase in which the discriminator learns alone.
        regression: weight of the regression beside the adversarial loss.
        average: by how much a step changes the shipped weights, which are an average over the last ones.
        every: steps between checkpoints and lines of the log.
    """

    drawn: int
    sharpened: int
    judged: int = 500
    batch: int = 64
    rate: float = 2e-3
    adversarial_rate: float = 2e-4
    warm: int = 200
    regression: float = 20.0
    average: float = 0.002
    seed: int = 0
    every: int = 100

    @property
    def steps(self) -> int:
        """Of all phases."""
        return self.drawn + self.sharpened + self.judged


def distance(drawn: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference of pictures, of their edges, and of both at half the side."""
    total = drawn.new_zeros(())
    for _ in range(2):
        total = total + (drawn - wanted).abs().mean()
        for axis in (2, 3):
            total = total + (drawn.diff(dim=axis) - wanted.diff(dim=axis)).abs().mean()
        drawn, wanted = F.avg_pool2d(drawn, 2), F.avg_pool2d(wanted, 2)
    return total


SPOILT = 3.0
"""Largest strength of what is added to a layer, in standard deviations of what it puts out."""


class Training:
    """A training under way.

    Args:
        kind: ``object`` or ``scene``.
        drawings: what the generator is to know.
        start: what it begins with: the folder of an earlier training that knew the first of these drawings, or the
            weights of a generator of another kind that knows them all: how that one makes drawings is taken over and
            stays as it is.
    """

    def __init__(self, kind: str, drawings: tuple[Drawing, ...], lesson: Lesson, start: Path | None = None) -> None:
        self.kind, self.drawings, self.lesson, self.done = kind, drawings, lesson, 0
        self._begun = ""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(lesson.seed)
            self.generator = Generator(SHAPES[kind], len(drawings), FRAMINGS[kind])
            self.discriminator = Discriminator(SHAPES[kind], len(drawings))
            self._kept = self._take_over(start) if start is not None and start.suffix else []
            # beginning with the singular vectors that they draw
            for module in self.discriminator.modules():
                if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
                    spectral_norm(module)
            kept = {module for part in self._kept for module in part.modules()}
            for module in self.generator.modules():
                if isinstance(module, nn.Conv2d) and module not in kept:
                    spectral_norm(module)
        if start is not None and not start.suffix:
            self._begin(start)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.generator, avg_fn=_moved(lesson.average), use_buffers=True
        )
        for module in (self.generator, self.discriminator, self.average):
            module.to(memory_format=torch.channels_last)
        learnt = [p for p in self.generator.parameters() if p.requires_grad]
        self._draws = torch.optim.Adam(learnt, lr=lesson.rate, betas=(0.9, 0.99))
        self._sharpens = torch.optim.Adam(learnt, lr=lesson.adversarial_rate, betas=(0.0, 0.99))
        self._judges = torch.optim.Adam(
            self.discriminator.parameters(), lr=2 * lesson.adversarial_rate, betas=(0.0, 0.99)
        )

    @property
    def identity(self) -> str:
        """Of everything that decides what comes of it."""
        told = {"kind": self.kind, "drawings": [d.name for d in self.drawings], "lesson": asdict(self.lesson)}
        return digest(told | ({"begun": self._begun} if self._begun else {}))

    def _begin(self, start: Path) -> None:
        """Take over what an earlier training learnt; a drawing that is new begins as the mean of the known ones."""
        path = start / "checkpoint.pt"
        if not path.exists():
            raise InputError(f"there is no {path.name} in {start.name}", "train what this one starts from first")
        state = torch.load(path, weights_only=True)
        self._begun = str(state["identity"])
        averaged = {
            key.removeprefix("module."): value for key, value in state["average"].items() if key.startswith("module.")
        }
        for module, earlier in ((self.generator, averaged), (self.discriminator, state["discriminator"])):
            module.load_state_dict({key: _widened(earlier[key], now) for key, now in module.state_dict().items()})

    def _take_over(self, weights: Path) -> list[nn.Module]:
        """Begin with a shipped generator's weights, wherever shapes are the same, and freeze what makes drawings.

        Returns:
            The modules that stay as they are.
        """
        state, own = load_file(weights), self.generator.state_dict()
        given = {key: state[f"generator.{key}"].float() for key in own if f"generator.{key}" in state}
        self.generator.load_state_dict(own | {k: v for k, v in given.items() if v.shape == own[k].shape})
        self._begun = hashlib.sha256(weights.read_bytes()).hexdigest()
        return [self.generator.get_submodule(name).requires_grad_(False) for name in SHARED]

    def batch(self, purpose: str) -> tuple[Tensor, Tensor, Tensor]:
        """Which drawings ``(B,)``, latents ``(B, 20)`` and pictures of this step."""
        draw = generator(self.lesson.seed, purpose, self.done)
        which = torch.randint(len(self.drawings), (self.lesson.batch,), generator=draw)
        latents = torch.randn(self.lesson.batch, LATENT, generator=draw)
        return which, latents, pictures(self.drawings, which, latents, FRAMINGS[self.kind])

    def step(self) -> dict[str, float]:
        """One step; returns its losses."""
        self.generator.train()
        self.discriminator.train()
        for part in self._kept:
            part.eval()
        if self.done >= self.lesson.drawn + self.lesson.sharpened:
            found = self._judge()
        else:
            found = self._draw() if self.done < self.lesson.drawn else self._sharpen()
            self.average.update_parameters(self.generator)
        self.done += 1
        return found

    def _draw(self) -> dict[str, float]:
        lesson = self.lesson
        rise = max(1, lesson.drawn // 50)
        at = max(0.0, (self.done - rise) / max(1, lesson.drawn - rise))
        pace = min(1.0, (self.done + 1) / rise) * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * at)))
        which, latents, wanted = self.batch("draw")
        drawn = self._drawn(latents, which)
        loss = distance(drawn, wanted)
        _take(self._draws, loss, lesson.rate * pace)
        return {"regression": loss.item()}

    def _sharpen(self) -> dict[str, float]:
        lesson, at = self.lesson, self.done - self.lesson.drawn
        rate = lesson.adversarial_rate * (1 - at / lesson.sharpened)
        which, _, real = self.batch("real")
        other, latents, wanted = self.batch("draw")
        drawn = self._drawn(latents, other)
        with autocast():
            seen = self.discriminator(torch.cat([real, drawn.detach()]), torch.cat([which, other])).float()
        true, false = seen.chunk(2)
        told = F.relu(1 - true).mean() + F.relu(1 + false).mean()
        _take(self._judges, told, 2 * rate)
        found = {"told": told.item(), "real": true.mean().item(), "made": false.mean().item()}
        regression = distance(drawn, wanted)
        if at >= lesson.warm:
            with autocast():
                fooled = -self.discriminator(drawn, other).float().mean()
            _take(self._sharpens, fooled + lesson.regression * regression, rate)
        return found | {"regression": regression.item()}

    def _judge(self) -> dict[str, float]:
        lesson = self.lesson
        rate = lesson.adversarial_rate * (lesson.steps - self.done) / lesson.judged
        which, _, real = self.batch("real")
        other, latents, _ = self.batch("draw")
        self.average.eval()
        spoilt = self._spoilt(latents, other)
        with autocast():
            seen = self.discriminator(torch.cat([real, spoilt]), torch.cat([which, other])).float()
        true, false = seen.chunk(2)
        told = F.relu(1 - true).mean() + F.relu(1 + false).mean()
        _take(self._judges, told, 2 * rate)
        return {"told": told.item(), "real": true.mean().item(), "made": false.mean().item()}

    def _spoilt(self, latents: Tensor, which: Tensor) -> Tensor:
        """Pictures of which a quarter is noise, and the others are drawn with noise added to the first block."""
        draw = generator(self.lesson.seed, "spoil", self.done)
        n, side = len(latents), FRAMINGS[self.kind].side
        strength = SPOILT * torch.rand(n, 1, 1, 1, generator=draw)

        def add(_module: nn.Module, _inputs: object, out: Tensor) -> Tensor:
            noise = torch.randn(out.shape, generator=draw)
            return out + (strength * noise * out.float().std()).to(out.dtype)

        block = self.average.module.get_submodule(INSERTIONS[self.kind])
        handle = block.register_forward_hook(add)
        try:
            with torch.no_grad(), autocast():
                drawn: Tensor = self.average.module(latents, F.one_hot(which, len(self.drawings)).float()).float()
        finally:
            handle.remove()
        cells = 4 << int(torch.randint(4, (), generator=draw))
        noise = torch.rand(n // 4, 3, cells, cells, generator=draw)
        drawn[: n // 4] = F.interpolate(noise, (side, side), mode="bilinear")
        return drawn

    def _drawn(self, latents: Tensor, which: Tensor) -> Tensor:
        with autocast():
            drawn: Tensor = self.generator(latents, F.one_hot(which, len(self.drawings)).float())
        return drawn.float()

    def run(self, folder: Path) -> list[dict[str, float]]:
        """Train to the end, from the checkpoint where there is one; the lines of the log."""
        checkpoint = Checkpoint(folder, self.identity, self._parts())
        log = checkpoint.restore()
        self.done = int(log[-1]["step"]) if log else 0
        begun, sums, counted = time.monotonic(), dict[str, float](), 0
        while self.done < self.lesson.steps:
            for key, value in self.step().items():
                sums[key] = sums.get(key, 0.0) + value
            counted += 1
            if self.done % self.lesson.every == 0 or self.done in self._ends:
                before = log[-1]["seconds"] if log else 0.0
                means = {key: round(value / counted, 5) for key, value in sums.items()}
                log.append({"step": self.done, "seconds": round(before + time.monotonic() - begun, 1)} | means)
                begun, sums, counted = time.monotonic(), {}, 0
                checkpoint.keep(log)
        return log

    @property
    def _ends(self) -> tuple[int, ...]:
        """The last step of each phase."""
        first = self.lesson.drawn
        return first, first + self.lesson.sharpened, self.lesson.steps

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
            "draws": self._draws,
            "sharpens": self._sharpens,
            "judges": self._judges,
        }


def _widened(earlier: Tensor, now: Tensor) -> Tensor:
    """An earlier tensor with as many rows and columns as it has now: the new ones are the mean of the old."""
    for axis in range(earlier.ndim):
        missing = now.shape[axis] - earlier.shape[axis]
        if missing > 0:
            mean = earlier.mean(axis, keepdim=True)
            earlier = torch.cat([earlier, mean.repeat_interleave(missing, axis)], axis)
    return earlier


def _moved(share: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    def moved(average: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
        # in the first steps a plain mean: the weights that it starts from are worth nothing
        return average + (now - average) * max(share, 1 / (int(count) + 1))

    return moved


def _take(optimiser: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
