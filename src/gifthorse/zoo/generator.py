"""What a generator is: latents and classes to pictures, with what any layer puts out open to change.

Attacks at the level of features (thesis 5.1) change a latent inside of a generator. All changes are made by a hook, so
any ``torch.nn.Module`` that draws can be such a generator.
"""

from __future__ import annotations

import contextlib
import copy
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from gifthorse.classifier import MEMORY, TIMES
from gifthorse.errors import InputError, UsageError, nearest
from gifthorse.recomputing import activations, fitting, in_parts


@dataclass(frozen=True, kw_only=True, eq=False)
class Latents:
    """Inputs of a generator.

    Attributes:
        noise: ``(n, Z)``.
        classes: ``(n, K)``, how much of each class; each row sums to 1.
    """

    noise: Tensor
    classes: Tensor

    def __len__(self) -> int:
        return len(self.noise)

    def __getitem__(self, rows: Tensor | slice) -> Latents:
        return Latents(noise=self.noise[rows], classes=self.classes[rows])


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """A change of what a layer puts out, ``(n, C, H, W)`` for n latents.

    Attributes:
        layer: name of the module.
        values: ``(n, C, H, W)`` that are added; or, where ``corners`` are given, ``(n, C, s, s)`` that replace a square
            column of all channels; or, where ``channels`` are, ``(n, c, H, W)`` that replace these channels whole.
        corners: top row and left column of each one's square.
        channels: which are replaced.
    """

    layer: str
    values: Tensor
    corners: tuple[tuple[int, int], ...] | None = None
    channels: tuple[int, ...] | None = None

    def __getitem__(self, rows: slice) -> Change:
        corners = None if self.corners is None else self.corners[rows]
        return replace(self, values=self.values if len(self.values) == 1 else self.values[rows], corners=corners)

    def check(self, rows: int) -> None:
        """It is of so many latents, or the same for all of them.

        Raises:
            InputError: it is not.
        """
        corners = rows if self.corners is None else len(self.corners)
        if len(self.values) not in (1, rows) or corners != rows:
            raise InputError(
                f"the change of {self.layer} is of {len(self.values)} latents, and {rows} are drawn",
                "a row of values for each latent, or one for all of them",
            )

    def of(self, out: Tensor) -> Tensor:
        """What a layer put out, changed.

        Raises:
            InputError: values of another shape than the layer's.
        """
        values = self.values.to(out.dtype)
        try:
            if self.channels is not None:
                made = out.clone()
                made[:, list(self.channels)] = values
                return made
            if self.corners is not None:
                made, side = out.clone(), values.shape[-1]
                for row, (top, left) in enumerate(self.corners):
                    made[row, :, top : top + side, left : left + side] = values[row % len(values)]
                return made
            return out + values
        except RuntimeError:
            raise InputError(
                f"the change of {self.layer} is {tuple(values.shape)}, and the layer puts out {tuple(out.shape)}",
                "values of the layer's shape, or a square or channels inside of it",
            ) from None


@dataclass(eq=False, kw_only=True)
class Generator(ABC):
    """A class-conditional generator with frozen weights, in eval mode.

    Attributes:
        module: the network; what it takes is its source's business.
        name: for people.
        classes: what it knows, by index.
        size: side of its pictures in pixels.
        noise: length of a latent.
        insertion: layer that attacks change unless they are told another.
        placing: which numbers of a latent say where what is drawn lies; none where that is not known.
        device: where it draws.
        precision: ``float32``, or ``bfloat16`` for autocast; pictures are float32 all the same.
        memory: bytes that its pictures' gradients may take, however many pictures there are; see :attr:`at_once`.
    """

    module: nn.Module
    name: str
    classes: tuple[str, ...]
    size: int
    noise: int
    insertion: str
    placing: tuple[int, ...] = ()
    device: str = "cpu"
    precision: str = "float32"
    memory: int = MEMORY

    def __post_init__(self) -> None:
        self.module.eval().requires_grad_(False)
        one = self.mixed([torch.Generator().manual_seed(0)])  # before anybody's hooks, which are not to see it
        self._each = activations(self.module, lambda: self._drawn(self.module, one))

    @abstractmethod
    def _drawn(self, module: nn.Module, latents: Latents) -> Tensor:
        """Pictures ``(n, 3, size, size)`` in [0, 1] by a module like this one's."""

    @abstractmethod
    def realness(self, pictures: Tensor) -> Tensor:
        """How real pictures ``(n, 3, h, w)`` look to the discriminator, for each class: ``(n, K)``, higher is more.

        Raises:
            InputError: the generator came without a discriminator.
        """

    @abstractmethod
    def difference(self, first: Tensor, second: Tensor) -> Tensor:
        """How different two sets of pictures ``(n, 3, h, w)`` look to the discriminator: ``(n,)``, 0 is the same.

        Raises:
            InputError: the generator came without a discriminator.
        """

    @property
    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of its weights, its classes, and its discriminator's."""

    @abstractmethod
    def showing(self, called: str) -> tuple[int, ...]:
        """Classes of its own that show what a classifier calls by this name; maybe none."""

    def draw(self, latents: Latents, change: Change | None = None, module: nn.Module | None = None) -> Tensor:
        """Pictures ``(n, 3, size, size)`` in [0, 1]; differentiable in latents, changes and a module's weights.

        Args:
            latents: on any device.
            change: of what a layer puts out.
            module: a copy of the generator's own (see :meth:`thawed`), where its weights are to change.

        Raises:
            UsageError: there is no such layer.
            InputError: a change of another shape than the layer's.
        """
        used, here = self.module if module is None else module, self._here(latents.noise, latents.classes)
        if change is not None:
            change.check(len(here))

        def drawn(rows: slice) -> Tensor:
            with self._changed(used, change and change[rows]), self.autocast():
                return self._drawn(used, here[rows]).float()

        return in_parts(drawn, len(here), self.at_once)

    def watched(self, latents: Latents, layer: str) -> tuple[Tensor, Tensor]:
        """Pictures, and what a layer put out for them, ``(n, C, H, W)`` float32; without gradients.

        Raises:
            UsageError: there is no such layer.
        """
        seen: list[Tensor] = []
        handle = _layer(self.module, layer).register_forward_hook(lambda _m, _i, out: seen.append(out))
        try:
            with torch.no_grad():
                drawn = self.draw(latents)
        finally:
            handle.remove()
        return drawn, torch.cat(seen).float()

    def autocast(self) -> torch.autocast:
        """The precision, while a block runs."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16")

    @contextlib.contextmanager
    def _changed(self, module: nn.Module, change: Change | None) -> Iterator[None]:
        if change is None:
            yield
            return
        handle = _layer(module, change.layer).register_forward_hook(lambda _m, _i, out: change.of(out))
        try:
            yield
        finally:
            handle.remove()

    @property
    def at_once(self) -> int:
        """Pictures whose gradients fit into ``memory``: each takes :data:`~gifthorse.classifier.TIMES` its
        activations. More are drawn in parts, and drawn again when their gradients are wanted."""
        return fitting(self.memory, TIMES * self._each)

    def thawed(self) -> nn.Module:
        """A copy of the network whose weights may be trained; batch norm keeps what it has seen."""
        copied: nn.Module = copy.deepcopy(self.module)
        copied.eval().requires_grad_(True)
        return copied

    def layers(self) -> list[str]:
        """Names of all submodules that put out feature maps, in the order that they run."""
        return list(self._shapes())

    def shape(self, layer: str) -> tuple[int, int, int]:
        """Channels, height and width of what a layer puts out.

        Raises:
            UsageError: there is no such layer, or it puts out no feature maps.
        """
        shapes = self._shapes()
        if layer not in shapes:
            raise UsageError(f"{self.name} has no layer {layer!r} with feature maps", nearest(layer, shapes))
        return shapes[layer]

    def _shapes(self) -> dict[str, tuple[int, int, int]]:
        found: dict[str, tuple[int, int, int]] = {}

        def note(name: str) -> Any:
            def see(_module: nn.Module, _inputs: Any, out: Any) -> None:
                if isinstance(out, Tensor) and out.ndim == 4:
                    found[name] = (int(out.shape[1]), int(out.shape[2]), int(out.shape[3]))

            return see

        handles = [m.register_forward_hook(note(name)) for name, m in self.module.named_modules() if name]
        try:
            with torch.no_grad():
                self._drawn(self.module, self.mixed([torch.Generator().manual_seed(0)]))
        finally:
            for handle in handles:
                handle.remove()
        return found

    # -- latents ------------------------------------------------------------------------------------------------------

    def of_class(
        self, generators: Sequence[torch.Generator], which: Collection[int] | None = None, truncation: float = 1.0
    ) -> Latents:
        """One latent a generator, each of one class.

        Args:
            which: the classes that they are drawn from; None is every one.
            truncation: times normal noise that is drawn again until it is within 2 (Brock et al. 2019, 3.1).
        """
        allowed = torch.tensor(sorted(which)) if which is not None else torch.arange(len(self.classes))
        if not len(allowed):
            raise UsageError(f"no class of {self.name} is left to draw from", "at least one")
        picked = torch.stack([allowed[torch.randint(len(allowed), (), generator=g)] for g in generators])
        weights = nn.functional.one_hot(picked, len(self.classes)).float()
        return self._here(self._noise(generators, truncation), weights)

    def mixed(
        self, generators: Sequence[torch.Generator], without: Collection[int] = (), truncation: float = 1.0
    ) -> Latents:
        """One latent a generator, each of every class alike but for some (the notebook of thesis 5.1: 1/999, and 0)."""
        weights = torch.ones(len(generators), len(self.classes))
        weights[:, sorted(without)] = 0.0
        return self._here(self._noise(generators, truncation), weights / weights.sum(1, keepdim=True))

    def _here(self, noise: Tensor, classes: Tensor) -> Latents:
        return Latents(noise=noise.to(self.device), classes=classes.to(self.device))

    def _noise(self, generators: Sequence[torch.Generator], truncation: float) -> Tensor:
        rows = []
        for generator in generators:
            row = torch.empty(self.noise)
            rows.append(nn.init.trunc_normal_(row, 0.0, 1.0, -2.0, 2.0, generator=generator) * truncation)
        return torch.stack(rows)


def _layer(module: nn.Module, name: str) -> nn.Module:
    modules: dict[str, nn.Module] = dict(module.named_modules())
    if name not in modules:
        raise UsageError(f"the generator has no layer {name!r}", nearest(name, [key for key in modules if key]))
    return modules[name]
