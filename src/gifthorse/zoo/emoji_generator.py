"""The embedded generators, loaded: how they draw, and the weights that are shipped of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from gifthorse.classifier import TIMES, resolve
from gifthorse.errors import InputError, UsageError, nearest
from gifthorse.images import resize
from gifthorse.recomputing import activations, fitting, in_parts
from gifthorse.records import digest
from gifthorse.zoo import generator as base
from gifthorse.zoo.disguise import Disguise
from gifthorse.zoo.emoji_wide import disguise
from gifthorse.zoo.generator_networks import INSERTIONS, SHAPES, SHARED, Discriminator, Generator
from gifthorse.zoo.posed import FRAMINGS, LATENT, LATENT_OF, showing

WEIGHTS = Path(__file__).parent / "weights"
"""Where shipped weights are."""

PRIORS = ("open", "closed")
"""What a generator knows of Questions: redrawn versions of their options, or none of them."""


@dataclass(eq=False, kw_only=True)
class EmojiGenerator(base.Generator):
    """An embedded generator with its discriminator, loaded.

    Attributes:
        discriminator: a :class:`Discriminator` in eval mode.
        file: SHA-256 of the weights.
    """

    discriminator: Discriminator
    file: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.discriminator.eval().requires_grad_(False)

    @property
    def digest(self) -> str:
        """SHA-256 of the file, which has weights, classes and discriminator."""
        return self.file

    def _drawn(self, module: nn.Module, latents: base.Latents) -> Tensor:
        drawn: Tensor = module(latents.noise, latents.classes)
        return drawn

    def showing(self, called: str) -> tuple[int, ...]:
        """By code point: every version of the drawing, and its siblings."""
        return showing(self.classes, called)

    def difference(self, first: Tensor, second: Tensor) -> Tensor:
        """In the manner of LPIPS (Zhang et al. 2018), with all its weights alike: the squared distance of feature
        vectors of length 1, a mean over places and over the discriminator's blocks."""

        def apart(rows: slice) -> Tensor:
            both = 2 * resize(torch.cat([first[rows], second[rows]]), self.size) - 1
            total = torch.zeros(len(both) // 2, device=first.device)
            with self.autocast():
                for block in self.discriminator.blocks:
                    both = block(both)
                    one, other = F.normalize(both.float(), dim=1, eps=1e-4).chunk(2)
                    total = total + (one - other).square().sum(1).mean((1, 2))
            return total / len(self.discriminator.blocks)

        return in_parts(apart, len(first), max(1, self._judged_at_once // 2))

    def realness(self, pictures: Tensor) -> Tensor:
        """``(n, 3, h, w)`` in [0, 1] to ``(n, K)``: the discriminator's outputs, above 0 is real."""

        def every(rows: slice) -> Tensor:
            with self.autocast():
                scores: Tensor = self.discriminator.every(resize(pictures[rows], self.size))
            return scores.float()

        return in_parts(every, len(pictures), self._judged_at_once)

    @property
    def _judged_at_once(self) -> int:
        """As :attr:`at_once`, of the discriminator."""
        return fitting(self.memory, TIMES * self._each_judged)

    @cached_property
    def _each_judged(self) -> int:
        grey = torch.full((1, 3, self.size, self.size), 0.5, device=self.device)
        return activations(self.discriminator, lambda: self.discriminator.every(grey))


@dataclass(frozen=True, kw_only=True)
class EmbeddedGenerator:
    """A row of the zoo.

    Attributes:
        kind: ``object``, 32 x 32 for patches, or ``scene``, 64 x 64.
        prior: ``open`` or ``closed``.
    """

    kind: str = "object"
    prior: str = "open"

    def __post_init__(self) -> None:
        if self.kind not in SHAPES:
            raise UsageError(f"there is no generator of {self.kind!r}", nearest(self.kind, SHAPES))
        if self.prior not in PRIORS:
            raise UsageError(f"there is no prior {self.prior!r}", nearest(self.prior, PRIORS))

    @property
    def path(self) -> Path:
        """Of the shipped weights."""
        return WEIGHTS / f"emoji-{self.kind}s-{self.prior}.safetensors"

    @property
    def digest(self) -> str:
        """SHA-256 of the weights' file and of the disguise classifiers.

        Raises:
            InputError: it is not there.
        """
        return digest([_files(self.path), self.disguise().digest])

    def scenes(self) -> EmbeddedGenerator:
        """The one of scenes, of the same prior."""
        return replace(self, kind="scene")

    def disguise(self, device: str = "cpu", precision: str = "auto") -> Disguise:
        """What says how a picture looks by itself: both adversarially trained classifiers."""
        return disguise(device, precision)

    def load(self, weights: Path | None = None, *, device: str = "auto", precision: str = "auto") -> EmojiGenerator:
        """The generator with trained weights.

        Args:
            weights: a safetensors file; the shipped one where none is given.
            device: ``auto`` or a device.
            precision: ``auto``, ``float32`` or ``bfloat16``.

        Raises:
            InputError: the file is missing or holds something else.
        """
        path = weights or self.path
        try:
            with safe_open(path, "pt") as file:
                told = file.metadata() or {}
                state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
            if beside := _beside(path, told):
                state |= shared(beside)
            names = tuple(json.loads(told["drawings"]))
            shape = SHAPES[told["kind"]]
            generator, discriminator = (
                Generator(shape, len(names), FRAMINGS[told["kind"]]),
                Discriminator(shape, len(names)),
            )
            generator.load_state_dict(_under("generator.", state))
            discriminator.load_state_dict(_under("discriminator.", state))
        except FileNotFoundError:
            raise InputError(f"the weights {path.name} are not there", "scripts/train-zoo makes them") from None
        except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
            said = str(error).splitlines()[0]
            raise InputError(f"{path.name} holds no generator: {said}", "weights of the same architecture") from None
        ground = resolve(device, precision)
        for module in (generator, discriminator):
            torch.nn.Module.to(module.to(ground.device), memory_format=torch.channels_last)
        return EmojiGenerator(
            module=generator,
            name=f"emoji-{told['kind']}s-{told['prior']}",
            classes=names,
            size=FRAMINGS[told["kind"]].side,
            noise=LATENT,
            insertion=INSERTIONS[told["kind"]],
            placing=tuple(LATENT_OF["place"]),
            device=ground.device,
            precision=ground.precision,
            discriminator=discriminator,
            file=_files(path),
        )


def shared(path: Path) -> dict[str, Tensor]:
    """What scenes have of a generator of objects, of the file with its weights."""
    prefixes = tuple(f"generator.{name}." for name in SHARED)
    return {key: value.float() for key, value in load_file(path).items() if key.startswith(prefixes)}


def _beside(path: Path, told: Mapping[str, str]) -> Path | None:
    """The file in which what is shared is, if there is any.

    Raises:
        InputError: it is not there, or another one.
    """
    if "shared" not in told:
        return None
    name, wanted = told["shared"].split()
    beside = path.with_name(name)
    if not beside.exists():
        beside = WEIGHTS / name  # a scene generator that is being trained, elsewhere
    if not beside.exists() or hashlib.sha256(beside.read_bytes()).hexdigest() != wanted:
        raise InputError(f"{path.name} needs the {name} that it was trained with", "weights of one training")
    return beside


def _files(path: Path) -> str:
    """SHA-256 of a file with weights, and of the one that it shares some with.

    Raises:
        InputError: one of them is not there.
    """
    try:
        own = hashlib.sha256(path.read_bytes()).hexdigest()
        with safe_open(path, "pt") as file:
            beside = _beside(path, file.metadata() or {})
    except FileNotFoundError:
        raise InputError(f"the weights {path.name} are not there", "scripts/train-zoo makes them") from None
    return own if beside is None else digest([own, hashlib.sha256(beside.read_bytes()).hexdigest()])


def _under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
