"""Classifier: the network under test, and everything that is particular to it.

Images go in as float32 RGB in [0, 1], ``(N, 3, size, size)``; logits come out as float32 ``(N, C)``. Nobody else
normalises, casts, counts passes or hooks layers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gifthorse.counting import Counter
from gifthorse.errors import InputError, Refusal, UsageError, nearest
from gifthorse.ground import bfloat16_is_fast, pin, resolve, takes_channels_last
from gifthorse.images import as_floats, normalised, require
from gifthorse.recomputing import fitting, watched
from gifthorse.records import Ground

__all__ = ["Classifier", "Counter", "bfloat16_is_fast", "pin", "resolve"]

MEMORY = 2 << 30
"""Bytes that a tool may take at work, above what one image needs (2 GiB)."""

TIMES = 4
"""How often the activations of a micro-batch may be in memory at once: as they are, for the references that a rule
compares them with, as the rule's own slopes, and as what comes back."""

LARGEST_BATCH = 256

FORWARD_TIMES, FORWARD_BATCH = 8, 16
"""Of passes without gradients: how often the widest layer's activations may be in memory at once (what goes in, what
comes out, a shortcut beside them, and the library's own copies), and the images beyond which nothing is gained."""


class View(nn.Module):
    """A classifier as a module on images in [0, 1], for Captum: the network is its child, so its layers can be hooked.

    It does not check the range, since perturbation methods leave it.
    """

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self._logits = classifier.logits
        self.network = classifier.module
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, size, size)`` to logits ``(N, C)``."""
        return self._logits(images)


@dataclass(eq=False, repr=False)
class Classifier:
    """Any ``torch.nn.Module``, wrapped: ``Classifier(module, classes=names, size=224, mean=..., std=...)``.

    The given module itself is moved to the device, put into eval mode and frozen (``requires_grad`` off); it is not
    copied and not restored.

    Attributes:
        module: images after normalisation to logits, or to a tuple or dict that ``output`` selects from.
        classes: names by class index.
        size: side of the square input in pixels.
        mean, std: of the normalisation ``(x - mean) / std`` in [0, 1] units, RGB.
        name: for people.
        device: given as ``auto``, ``cpu``, ``cuda`` or ``mps``; afterwards as resolved.
        precision: given as ``auto``, ``float32`` or ``bfloat16``; afterwards as resolved. ``auto`` takes bfloat16 only
            for convolutional networks on hardware that has it. Logits are float32 all the same.
        output: index or key of the logits where the module returns several things.
        memory: bytes that a tool may take for passes through this network, whatever the number of samples, above what
            one image needs; see :attr:`micro_batch`. 2 GiB by default.

    Raises:
        InputError: the module does not turn one image into one logit a class.
    """

    module: nn.Module
    _: KW_ONLY
    classes: Sequence[str]
    size: int
    mean: Sequence[float] = (0.0, 0.0, 0.0)
    std: Sequence[float] = (1.0, 1.0, 1.0)
    name: str = ""
    device: str = "auto"
    precision: str = "auto"
    output: int | str | None = None
    memory: int = MEMORY
    _counters: list[Counter] = field(init=False, default_factory=list)
    _perturbed: str = field(init=False, default="float32")

    def __post_init__(self) -> None:
        self.classes = tuple(self.classes)
        self.mean, self.std = tuple(map(float, self.mean)), tuple(map(float, self.std))
        self.name = self.name or type(self.module).__name__
        convolutional = any(isinstance(m, nn.Conv2d) for m in self.module.modules())
        wanted = "float32" if self.precision == "auto" and not convolutional else self.precision
        ground = resolve(self.device, wanted)
        self.device, self.precision = ground.device, ground.precision
        self.module.to(self.device).eval().requires_grad_(False)
        self._mean = torch.tensor(self.mean, device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(self.std, device=self.device).view(1, 3, 1, 1)
        last = takes_channels_last(self.module) and self.device != "mps" and self._takes(torch.channels_last)
        self._layout = torch.channels_last if last else torch.contiguous_format
        torch.nn.Module.to(self.module, memory_format=self._layout)
        self._head, self._bytes, self._widest = self._probe()

    def __repr__(self) -> str:
        return f"Classifier({self.name}, {len(self.classes)} classes, {self.size} px, {self.device}, {self.precision})"

    # -- what it is -----------------------------------------------------------------------------------------------

    @property
    def ground(self) -> Ground:
        """Device and precision as resolved, and the threads that torch has now."""
        return Ground(device=self.device, precision=self.precision, threads=torch.get_num_threads())

    @property
    def digest(self) -> str:
        """SHA-256 of weights, preprocessing and class names; not of the machine. Worked out anew at every call."""
        told = hashlib.sha256()
        settings = [self.size, list(self.mean), list(self.std), list(self.classes), self.output]
        told.update(json.dumps(settings, ensure_ascii=False).encode())
        for name, tensor in sorted(self.module.state_dict().items()):
            value = tensor.detach().cpu().contiguous()
            told.update(f"{name}:{value.dtype}:{tuple(value.shape)}".encode())
            told.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
        return told.hexdigest()

    @property
    def micro_batch(self) -> int:
        """Images that one pass takes: the largest power of two (at most 256) that fits into ``memory``.

        Each takes :data:`TIMES` its activations. A function of the architecture and of settings, never of free memory:
        one key, one batch, the same bits.
        """
        return min(LARGEST_BATCH, self._fitting(TIMES * self._bytes))

    @property
    def held(self) -> int:
        """Bytes of all activations of one image, as float32."""
        return self._bytes

    @property
    def forward_batch(self) -> int:
        """Images that one pass without gradients takes: as :attr:`micro_batch`, but where that is small, since all
        activations of large images are to fit, up to :data:`FORWARD_BATCH`: only the widest layer's are there at once.
        """
        return max(self.micro_batch, min(FORWARD_BATCH, self._fitting(FORWARD_TIMES * self._widest)))

    def _fitting(self, each: int) -> int:
        """The largest power of two of so many bytes that fits into ``memory``, at least one."""
        return 1 << (fitting(self.memory, each).bit_length() - 1)

    @cached_property
    def view(self) -> View:
        """The classifier as an ``nn.Module`` on images in [0, 1], for Captum."""
        return View(self)

    def layers(self) -> list[str]:
        """Names of all submodules, in the order that they were registered."""
        return [name for name, _ in self.module.named_modules() if name]

    # -- passes ---------------------------------------------------------------------------------------------------

    def __call__(self, images: Tensor) -> Tensor:
        """Images ``(N, 3, size, size)`` in [0, 1] to logits ``(N, C)`` float32; differentiable in the images.

        Raises:
            InputError: a wrong shape, type, range or size.
        """
        return self.logits(self.checked(images))

    def checked(self, images: Tensor, what: str = "images") -> Tensor:
        """The same images, if this classifier takes them.

        Raises:
            InputError: a wrong shape, type, range or size.
        """
        require(images, what=what)
        if images.shape[-2:] != (self.size, self.size):
            raise InputError(
                f"{what} are {images.shape[-2]} x {images.shape[-1]}; {self.name} takes {self.size} x {self.size}",
                f"gifthorse.images.resize(x, {self.size})",
            )
        return images

    def logits(self, images: Tensor) -> Tensor:
        """As a call, unchecked: what Captum's perturbed images, which may leave [0, 1], go through."""
        return self.through(self.module, images)

    def through(self, module: nn.Module, images: Tensor) -> Tensor:
        """As :meth:`logits`, with another module in the network's place, such as a prepared copy of it; counted alike.

        Args:
            module: takes and returns what ``self.module`` does.
        """
        images = images.to(self.device, torch.float32)
        normal = normalised(images, self._mean, self._std)
        for counter in self._counters:
            counter.forward += len(images)
            if counter.watch is not None:
                counter.watch(counter.passes)
            if normal.requires_grad and torch.is_grad_enabled():
                counter.await_gradients(normal)
        normal = normal.contiguous(memory_format=self._layout)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16"):
            made = module(normal)
        return self._select(made).float()

    def predict(self, images: Tensor | NDArray[np.uint8], batch: int | None = None) -> Tensor:
        """Probabilities ``(N, C)`` float32 on the CPU, without gradients, ``batch`` (or ``forward_batch``) at a time.

        Args:
            images: ``(N, 3, size, size)`` float in [0, 1], or uint8 as stored.
        """
        step = batch or self.forward_batch
        parts = []
        with torch.no_grad():
            for start in range(0, len(images), step):
                part = images[start : start + step]
                parts.append(self(as_floats(part)).softmax(1).cpu())
        return torch.cat(parts) if parts else torch.empty(0, len(self.classes))

    def activations(self, images: Tensor, layer: str) -> Tensor:
        """What a layer puts out for images, float32, as it leaves the layer (before any in-place ReLU after it).

        Raises:
            UsageError: there is no such layer.
            Refusal: the layer is not used, or puts out no tensor.
        """
        modules = dict(self.module.named_modules())
        if layer not in modules:
            raise UsageError(f"{self.name} has no layer {layer!r}", nearest(layer, self.layers()))
        caught: list[Tensor] = []

        def catch(_module: nn.Module, _inputs: Any, out: Any) -> None:
            if isinstance(out, Tensor):
                caught.append(out.clone())

        handle = modules[layer].register_forward_hook(catch)
        try:
            self(images)
        finally:
            handle.remove()
        if not caught:
            raise Refusal(f"layer {layer!r} of {self.name} put out no tensor", "choose a layer that puts out one")
        return caught[-1].float()

    def penultimate(self, images: Tensor) -> Tensor:
        """Input of the last linear layer, ``(N, F)`` float32.

        Raises:
            Refusal: the network does not end in a linear layer.
        """
        return self.features_and_logits(images)[0]

    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Penultimate activations ``(N, F)`` and logits ``(N, C)``, float32, from one pass.

        Raises:
            Refusal: the network does not end in a linear layer.
        """
        caught: list[Tensor] = []
        handle = self._linear_head().register_forward_pre_hook(lambda _m, inputs: caught.append(inputs[0]))
        try:
            logits = self(images)
        finally:
            handle.remove()
        return caught[-1].float(), logits

    def head_weight(self) -> Tensor:
        """Weight of the last linear layer, ``(C, F)`` float32, detached.

        Raises:
            Refusal: the network does not end in a linear layer.
        """
        return self._linear_head().weight.detach().float()

    @contextlib.contextmanager
    def counting(self, watch: Callable[[int], None] | None = None) -> Iterator[Counter]:
        """Count the images that pass while the block runs. Blocks may be nested; each counts all that it encloses.

        Args:
            watch: told the passes so far at every forward pass.
        """
        counter = Counter(watch=watch)
        self._counters.append(counter)
        try:
            yield counter
        finally:
            self._counters.remove(counter)

    @contextlib.contextmanager
    def in_float32(self) -> Iterator[None]:
        """Run in float32 while the block runs, whatever the precision.

        For attribution: differences of logits may be smaller than bfloat16's steps (a small network's maps were flat).
        """
        with self._in("float32"):
            yield

    @contextlib.contextmanager
    def perturbing_in(self, precision: str) -> Iterator[None]:
        """Let methods that perturb images run the network in a precision while the block runs; else it is float32.

        Whether maps stay as they are is for the caller to find out.
        """
        before, self._perturbed = self._perturbed, precision
        try:
            yield
        finally:
            self._perturbed = before

    def perturbed(self, images: Tensor) -> Tensor:
        """As :meth:`logits`, in the precision of :meth:`perturbing_in`."""
        with self._in(self._perturbed):
            return self.logits(images)

    # -- inside ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _in(self, precision: str) -> Iterator[None]:
        before, self.precision = self.precision, precision
        try:
            yield
        finally:
            self.precision = before

    def _takes(self, layout: torch.memory_format) -> bool:
        """Whether a grey image goes through in a layout: a module that calls ``view`` may ask for the default one."""
        self._layout = layout
        torch.nn.Module.to(self.module, memory_format=layout)
        try:
            with torch.no_grad():
                self.logits(torch.full((1, 3, self.size, self.size), 0.5))
        except RuntimeError:
            return False
        return True

    def _select(self, made: Any) -> Tensor:
        if self.output is not None:
            made = made[self.output]
        if not isinstance(made, Tensor):
            raise InputError(
                f"{self.name} puts out a {type(made).__name__}, not logits",
                "Classifier(..., output=index or key of the logits)",
            )
        return made

    def _linear_head(self) -> nn.Linear:
        if self._head is None:
            raise Refusal(
                f"{self.name} does not end in a linear layer with one output a class",
                "use a method that needs no penultimate activations",
            )
        return self._head

    def _probe(self) -> tuple[nn.Linear | None, int, int]:
        """Send one grey image through: the linear layer that runs last, and the bytes of all activations and of the
        widest layer's."""
        grey = torch.full((1, 3, self.size, self.size), 0.5)
        logits, ran = watched(self.module, lambda: self.logits(grey))
        if tuple(logits.shape) != (1, len(self.classes)):
            raise InputError(
                f"{self.name} turned one image into {tuple(logits.shape)}; expected (1, {len(self.classes)}), "
                "one logit a class",
                "give as many class names as the network has outputs, or choose with output=",
            )
        linear = [m for m, _ in ran if isinstance(m, nn.Linear) and m.out_features == len(self.classes)]
        widths = [size for _, size in ran]
        head = linear[-1] if linear and ran[-1][0] is linear[-1] else None
        return head, sum(widths), max([4 * grey.numel(), *widths])
