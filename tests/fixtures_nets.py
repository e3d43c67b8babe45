"""Small networks of every build that the tools must work on, as classifiers of 24 x 24 images with five classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from gifthorse.classifier import Classifier

SIZE = 24
CLASSES = ("ant", "bee", "cat", "dog", "eel")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread for networks this small: two take longer, and much longer on a machine that is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Reused(nn.Module):
    """One in-place ReLU for two layers, as torchvision's residual networks have it, and a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.stem(x)))
        x = self.relu(x + self.inner(x))
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


class Attending(nn.Module):
    """A transformer in small: patches, self-attention, mean, linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3 * 6 * 6, 16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(nn.functional.unfold(x, 6, stride=6).transpose(1, 2))
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        out: Tensor = self.head(self.norm(tokens + attended).mean(1))
        return out


class Paired(nn.Module):
    """Returns features and logits, and does not end in a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 5, padding=2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.conv(x)
        return features, features.tanh().mean((2, 3)) * 4


class Opaque(nn.Module):
    """A network whose logits have no gradient with respect to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.conv(x.detach()).relu().mean((2, 3)))
        return out


class Broken(nn.Module):
    """A network whose logits are not finite."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.conv(x).relu().mean((2, 3))) / 0
        return out


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 8 * 8, 5)
    )


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 5))


BUILDS: dict[str, Callable[[], nn.Module]] = {
    "linear": linear,
    "plain": plain,
    "reused": Reused,
    "attending": Attending,
    "paired": Paired,
}


def module(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A module with reproducible weights, without a trace in the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def classifier(name: str, precision: str = "float32", device: str = "cpu") -> Classifier:
    """One of the builds, wrapped."""
    return Classifier(
        module(BUILDS[name]),
        classes=CLASSES,
        size=SIZE,
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.25, 0.3),
        name=name,
        device=device,
        precision=precision,
        output=1 if name == "paired" else None,
    )


def wrapped(build: Callable[[], nn.Module]) -> Classifier:
    """Any build, wrapped without normalisation."""
    return Classifier(module(build), classes=CLASSES, size=SIZE, device="cpu", precision="float32")


def pictures(n: int, channels: int = 3, seed: int = 0, size: int = SIZE) -> Tensor:
    """Smooth random images in [0, 1], ``(n, channels, size, size)``."""
    drawn = torch.rand(n, channels, 6, 6, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(drawn, size=(size, size), mode="bilinear")
