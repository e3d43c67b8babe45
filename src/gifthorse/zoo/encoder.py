"""The image-text encoder of the emoji world: two small towers that put a picture and its name at the same place.

Radford et al., "Learning transferable visual models from natural language supervision", 2021 (CLIP), in small. It
differs in size, in its text tower, which reads a bag of hashed words and letter n-grams, so that any string has an
embedding, and in its data: drawings of emoji and procedural textures. It judges what tools made (thesis 5.3.2); no tool
uses it.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from gifthorse.errors import InputError

WEIGHTS = Path(__file__).parent / "weights" / "emoji-encoder.safetensors"
"""The shipped weights."""

SIDE = 64
"""Side in pixels to which the image tower resizes what it is given."""

MAX_SCALE = 100.0
"""The learned scale never goes above this, as in CLIP."""

INITIAL_SCALE = 20.0
"""Where the scale starts; CLIP starts at 14.3 with 63 times as many negatives."""

ANSWER_TOLERANCE = 1e-2
"""How far a known answer may be off: machines differ in the last bits, altered weights in the first."""


class ImageTower(nn.Module):
    """A residual network from pictures ``(N, 3, 64, 64)`` in [0, 1] to ``(N, dimensions)``, not normalised."""

    def __init__(self, widths: Sequence[int], dimensions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, widths[0], 2)]
        for before, width in itertools.pairwise(widths):
            layers += [_convolution(before, width, 2), Residual(width)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], dimensions)

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings of pictures that are already 64 x 64."""
        features = self.body((images - 0.5) * 4.0)
        return torch.as_tensor(self.head(features.mean((2, 3))))


class Residual(nn.Module):
    """Two 3 x 3 convolutions and what came in (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, of the input's shape."""
        return F.relu(x + self.norm(self.second(self.first(x))))


def _convolution(before: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
    )


class TextTower(nn.Module):
    """A bag of hashed words and letter n-grams, then two layers: ``(M, dimensions)``, not normalised."""

    def __init__(self, buckets: int, width: int, dimensions: int) -> None:
        super().__init__()
        self.buckets = buckets
        self.bag = nn.EmbeddingBag(buckets, width, mode="mean")
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, dimensions)
        )

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Embeddings of strings; an empty one is a string like any other."""
        bags = [hashed(text, self.buckets) for text in texts]
        offsets = torch.tensor([0, *(len(bag) for bag in bags[:-1])]).cumsum(0)
        flat = torch.tensor([index for bag in bags for index in bag])
        device = self.bag.weight.device
        return torch.as_tensor(self.layers(self.bag(flat.to(device), offsets.to(device))))


@functools.lru_cache(maxsize=65536)
def hashed(text: str, buckets: int) -> tuple[int, ...]:
    """Buckets of a text's words (four times each) and of their letters in threes and fours, by CRC-32."""
    words = text.lower().replace("_", " ").replace("-", " ").split() or [""]
    pieces: list[str] = []
    for word in words:
        marked = f"<{word}>"
        pieces += [f"w:{word}"] * 4
        pieces += [marked[i : i + n] for n in (3, 4) for i in range(len(marked) - n + 1)]
    return tuple(zlib.crc32(piece.encode()) % buckets for piece in pieces)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes: channels of the image tower, hash buckets and width of the text tower, dimensions of both."""

    widths: tuple[int, ...] = (32, 64, 128, 160)
    buckets: int = 6144
    width: int = 96
    dimensions: int = 128


class Towers(nn.Module):
    """Both towers and the learned logarithm of the scale: what is trained and what is stored."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.image = ImageTower(shape.widths, shape.dimensions)
        self.text = TextTower(shape.buckets, shape.width, shape.dimensions)
        self.log_scale = nn.Parameter(torch.tensor(INITIAL_SCALE).log())

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by, at most 100."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)


class Encoder:
    """Trained towers, frozen: pictures and words to unit vectors whose cosines can be compared.

    Attributes:
        scale: what a softmax over cosines multiplies them by.
        digest: SHA-256 of the weights and the vocabulary, part of every key that uses the encoder.
        vocabulary: every caption that it was trained on.
        device: where it computes.
    """

    def __init__(self, towers: Towers, vocabulary: Sequence[str], *, device: str | torch.device = "cpu") -> None:
        self.towers = towers.eval().requires_grad_(False).to(device)
        self.device = torch.device(device)
        self.scale = float(towers.scale)
        self.vocabulary = frozenset(vocabulary)
        self.digest = _digest(towers, self.vocabulary)

    @torch.no_grad()
    def images(self, images: Tensor, batch: int = 256) -> Tensor:
        """Embeddings of pictures.

        Args:
            images: ``(N, 3, H, W)`` float in [0, 1], of any size; resized to 64 x 64.
            batch: how many are computed at once.

        Returns:
            ``(N, D)`` float32 of norm 1.

        Raises:
            InputError: they are no RGB pictures in that range.
        """
        if images.dim() != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise InputError(
                f"the encoder was given {images.dtype} of shape {tuple(images.shape)}, not floats (N, 3, H, W)",
                "give RGB pictures as float in [0, 1]; put RGBA drawings on a background first",
            )
        low, high = (float(images.min()), float(images.max())) if images.numel() else (0.0, 1.0)
        if not (low >= -0.01 and high <= 1.01):
            raise InputError(
                f"the encoder was given values from {low:.3g} to {high:.3g}, not in [0, 1]",
                "divide uint8 pictures by 255 and do not normalise",
            )
        parts = [self._part(images[i : i + batch]) for i in range(0, len(images), batch)]
        return torch.cat(parts) if parts else torch.zeros(0, self.towers.shape.dimensions)

    def _part(self, images: Tensor) -> Tensor:
        given = images.to(self.device, torch.float32)
        if given.shape[2:] != (SIDE, SIDE):
            given = F.interpolate(given, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        return F.normalize(self.towers.image(given), dim=1)

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Embeddings of strings, whether they are in the vocabulary or not: ``(M, D)`` float32 of norm 1."""
        if not texts:
            return torch.zeros(0, self.towers.shape.dimensions)
        return F.normalize(self.towers.text(list(texts)), dim=1)


@dataclass(frozen=True, kw_only=True)
class EmojiEncoder:
    """The encoder that the embedded suites are judged by: emoji and textures, trained by ``scripts/train-zoo``."""

    def load(self, weights: Path | None = None, *, device: str | torch.device = "cpu") -> Encoder:
        """The trained encoder, checked against the answers that were stored with it.

        Args:
            weights: a file that :func:`save` wrote; the shipped one when None.
            device: where it computes.

        Raises:
            InputError: no such file, no encoder in it, or it does not give its known answers.
        """
        path = WEIGHTS if weights is None else weights
        state, notes = _opened(path)
        shape = notes["shape"]
        towers = Towers(Shape(**(shape | {"widths": tuple(shape["widths"])})))
        answers = {name: state.pop(name) for name in [key for key in state if key.startswith("answer.")]}
        towers.load_state_dict(_in_float32(state))
        _check_answers(towers.eval(), answers, path)
        return Encoder(towers, notes["vocabulary"], device=device)


def probe() -> Tensor:
    """Eight pictures whose embeddings are stored with the weights: waves of four colours, ``(8, 3, 64, 64)``."""
    line = torch.linspace(0, 3.14159, SIDE)
    waves = [0.5 + 0.5 * torch.sin((k + 1) * line[:, None] + (c + 1) * line * k) for k in range(8) for c in range(3)]
    return torch.stack(waves).reshape(8, 3, SIDE, SIDE)


PROBE_TEXTS = ("donut", "green star", "cellphone", "wood grain", "a string that nobody trained on")
"""Texts whose embeddings are stored with the weights."""


def answers_of(towers: Towers) -> dict[str, Tensor]:
    """Embeddings of the probe pictures and texts, unit norm."""
    with torch.no_grad():
        images = F.normalize(towers.image(probe()), dim=1)
        texts = F.normalize(towers.text(PROBE_TEXTS), dim=1)
    return {"answer.images": images, "answer.texts": texts, "answer.scale": towers.scale.detach().reshape(1)}


def stored(towers: Towers) -> tuple[Towers, dict[str, Tensor]]:
    """The towers as they come back from a float16 file, and every tensor of that file, answers included."""
    values = {name: value.detach().clone() for name, value in towers.state_dict().items()}
    state = {name: value.half() if value.is_floating_point() else value for name, value in values.items()}
    again = Towers(towers.shape)
    again.load_state_dict(_in_float32(state))
    return again.eval(), state | answers_of(again)


def notes_of(shape: Shape, vocabulary: Sequence[str]) -> dict[str, str]:
    """What is written beside the weights: sizes and vocabulary, as JSON under one key, since several have no order."""
    notes = {"shape": asdict(shape), "vocabulary": sorted(set(vocabulary))}
    return {"encoder": json.dumps(notes, ensure_ascii=False)}


def _in_float32(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def _opened(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    remedy = "make it with scripts/train-zoo emoji-encoder, or reinstall gifthorse"
    if not path.is_file():
        raise InputError(f"there are no encoder weights at {path}", remedy)
    try:
        with safe_open(path, framework="pt") as opened:
            notes = opened.metadata() or {}
            state = {name: opened.get_tensor(name) for name in list(opened.keys())}
    except SafetensorError as error:
        raise InputError(f"{path} is no safetensors file: {error}", remedy) from None
    if "encoder" not in notes:
        raise InputError(f"{path} has no encoder in it: its notes are {sorted(notes)}", remedy)
    return state, json.loads(notes["encoder"])


def _check_answers(towers: Towers, answers: Mapping[str, Tensor], path: Path) -> None:
    for name, now in answers_of(towers).items():
        if name not in answers or not torch.allclose(answers[name].float(), now, atol=ANSWER_TOLERANCE, rtol=0.0):
            raise InputError(
                f"the encoder in {path} does not give the answers that were stored with it ({name})",
                "the file was altered or this code no longer fits it: reinstall gifthorse, or train it again",
            )


def _digest(towers: Towers, vocabulary: frozenset[str]) -> str:
    seen = hashlib.sha256(json.dumps(sorted(vocabulary), ensure_ascii=False).encode())
    for name, value in sorted(towers.state_dict().items()):
        seen.update(name.encode())
        seen.update(str((tuple(value.shape), value.dtype)).encode())
        seen.update(value.detach().cpu().contiguous().numpy().tobytes())
    return seen.hexdigest()
