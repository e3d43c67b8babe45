"""BigGAN-deep at 128, 256 or 512 pixels, in the layout of the public PyTorch weights: ``config.json`` and a state dict.

Brock et al. 2019, Appendix B: bottleneck blocks that all get latent and class, one layer of self-attention, batch norm
with the statistics of 51 truncations. The weights are those that the package ``pytorch-pretrained-biggan`` downloads;
their spectral norms are worked into them once, at loading. No discriminator was published with them.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gifthorse.errors import InputError
from gifthorse.zoo import generator as base
from gifthorse.zoo.imagenet_classes import names

FILES = ("model.safetensors", "pytorch_model.bin")
"""What a folder may call the weights."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The file ``config.json``.

    Attributes:
        output_dim: side of pictures in pixels.
        z_dim: length of a latent, and of a class's embedding.
        layers: of each block, whether it doubles the side, and its channels before and after, in ``channel_width``.
        attention_layer_position: before which block the self-attention stands.
        n_stats: truncations, evenly from 0 to 1, for which batch norm has statistics.
    """

    output_dim: int
    z_dim: int
    channel_width: int
    num_classes: int
    layers: tuple[tuple[bool, int, int], ...]
    attention_layer_position: int
    eps: float
    n_stats: int

    @classmethod
    def read(cls, path: Path) -> Config:
        """From a file.

        Raises:
            InputError: it is not there, or is no such file.
        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            layers = tuple((bool(up), int(a), int(b)) for up, a, b in told["layers"])
            rest = {key: told[key] for key in cls.__dataclass_fields__ if key != "layers"}
            return cls(layers=layers, **rest)
        except FileNotFoundError:
            raise InputError(f"there is no {path.name} in {path.parent}", "a folder of BigGAN's weights") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path.name} is no BigGAN's: {error}", "a folder of BigGAN's weights") from None


class Norm(nn.Module):
    """Batch norm with the statistics of a truncation; its gain and bias are linear in the condition, or constant."""

    running_means: Tensor
    running_vars: Tensor

    def __init__(self, channels: int, condition: int | None, config: Config) -> None:
        super().__init__()
        self.register_buffer("running_means", torch.zeros(config.n_stats, channels))
        self.register_buffer("running_vars", torch.ones(config.n_stats, channels))
        self.step, self.eps = 1.0 / (config.n_stats - 1), config.eps
        self.conditional = condition is not None
        if condition is None:
            self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        else:
            self.scale = nn.Linear(condition, channels, bias=False)
            self.offset = nn.Linear(condition, channels, bias=False)

    def forward(self, x: Tensor, truncation: float, condition: Tensor | None = None) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        share, first = math.modf(truncation / self.step)
        at = int(first)
        mean, variance = self.running_means[at], self.running_vars[at]
        if share:  # as the public code weighs them: the nearer one less
            mean = mean * share + self.running_means[at + 1] * (1 - share)
            variance = variance * share + self.running_vars[at + 1] * (1 - share)
        if condition is None:
            gain, bias = self.weight[None, :, None, None], self.bias[None, :, None, None]
        else:
            gain, bias = (1 + self.scale(condition))[..., None, None], self.offset(condition)[..., None, None]
        normal = (x - mean[None, :, None, None]) / torch.sqrt(variance[None, :, None, None] + self.eps)
        return normal * gain + bias


class Block(nn.Module):
    """A bottleneck block that keeps or doubles the side and keeps or drops half of the channels."""

    def __init__(self, inputs: int, outputs: int, condition: int, up: bool, config: Config) -> None:
        super().__init__()
        middle = inputs // 4
        self.up, self.outputs = up, outputs
        self.bn_0 = Norm(inputs, condition, config)
        self.conv_0 = nn.Conv2d(inputs, middle, 1)
        self.bn_1 = Norm(middle, condition, config)
        self.conv_1 = nn.Conv2d(middle, middle, 3, padding=1)
        self.bn_2 = Norm(middle, condition, config)
        self.conv_2 = nn.Conv2d(middle, middle, 3, padding=1)
        self.bn_3 = Norm(middle, condition, config)
        self.conv_3 = nn.Conv2d(middle, outputs, 1)

    def forward(self, x: Tensor, condition: Tensor, truncation: float) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, H or 2 H, W or 2 W)``."""
        out = self.conv_0(F.relu(self.bn_0(x, truncation, condition)))
        out = F.relu(self.bn_1(out, truncation, condition))
        if self.up:
            out = F.interpolate(out, scale_factor=2.0, mode="nearest")
        out = self.conv_2(F.relu(self.bn_2(self.conv_1(out), truncation, condition)))
        out = self.conv_3(F.relu(self.bn_3(out, truncation, condition)))
        kept = x[:, : self.outputs]
        if self.up:
            kept = F.interpolate(kept, scale_factor=2.0, mode="nearest")
        summed: Tensor = out + kept
        return summed


class Attention(nn.Module):
    """Self-attention over places, with keys and values at half the side (Zhang et al. 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.snconv1x1_theta = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.snconv1x1_phi = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.snconv1x1_g = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.snconv1x1_o_conv = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        n, channels, height, width = x.shape
        asked = self.snconv1x1_theta(x).flatten(2)
        keys = F.max_pool2d(self.snconv1x1_phi(x), 2).flatten(2)
        values = F.max_pool2d(self.snconv1x1_g(x), 2).flatten(2)
        shares = torch.softmax(asked.transpose(1, 2) @ keys, -1)
        found = (values @ shares.transpose(1, 2)).view(n, channels // 2, height, width)
        summed: Tensor = x + self.gamma * self.snconv1x1_o_conv(found)
        return summed


class Network(nn.Module):
    """From the condition, latent and class together, to pictures in [-1, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, condition = config.channel_width, 2 * config.z_dim
        self.start = 16 * width
        self.gen_z = nn.Linear(condition, 4 * 4 * self.start)
        layers: list[nn.Module] = []
        for place, (up, before, after) in enumerate(config.layers):
            if place == config.attention_layer_position:
                layers.append(Attention(width * before))
            layers.append(Block(width * before, width * after, condition, up, config))
        self.layers = nn.ModuleList(layers)
        self.bn = Norm(width, None, config)
        self.conv_to_rgb = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, condition: Tensor, truncation: float) -> Tensor:
        """``(N, 2 z_dim)`` to ``(N, 3, output_dim, output_dim)``."""
        x = self.gen_z(condition).view(-1, 4, 4, self.start).permute(0, 3, 1, 2).contiguous()
        for layer in self.layers:
            x = layer(x, condition, truncation) if isinstance(layer, Block) else layer(x)
        # the public weights have as many output channels as the last block, of which three are used
        return torch.tanh(self.conv_to_rgb(F.relu(self.bn(x, truncation)))[:, :3])


class BigGAN(nn.Module):
    """Latents and weights of classes to pictures in [-1, 1], as the public code's."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embeddings = nn.Linear(config.num_classes, config.z_dim, bias=False)
        self.generator = Network(config)

    def forward(self, noise: Tensor, classes: Tensor, truncation: float) -> Tensor:
        """``(N, z_dim)`` and ``(N, num_classes)`` to ``(N, 3, output_dim, output_dim)``."""
        drawn: Tensor = self.generator(torch.cat([noise, self.embeddings(classes)], 1), truncation)
        return drawn


@dataclass(eq=False, kw_only=True)
class LoadedBigGAN(base.Generator):
    """A BigGAN-deep, loaded.

    Attributes:
        truncation: whose statistics batch norm uses (notebook of thesis 5.1: 0.4); latents are to have the same.
        file: SHA-256 of weights and configuration.
    """

    truncation: float
    file: str

    @property
    def digest(self) -> str:
        """SHA-256 of weights, configuration and truncation."""
        return hashlib.sha256(f"{self.file} {self.truncation}".encode()).hexdigest()

    def _drawn(self, module: nn.Module, latents: base.Latents) -> Tensor:
        drawn: Tensor = module(latents.noise, latents.classes, self.truncation)
        return (drawn + 1) / 2

    def showing(self, called: str) -> tuple[int, ...]:
        """The ImageNet class of this name."""
        return tuple(index for index, name in enumerate(self.classes) if name == called)

    def difference(self, first: Tensor, second: Tensor) -> Tensor:
        """No discriminator was published with these weights."""
        raise InputError(f"{self.name} came without a discriminator", "alike=0, which asks for none")

    def realness(self, pictures: Tensor) -> Tensor:
        """No discriminator was published with these weights."""
        raise InputError(f"{self.name} came without a discriminator", "real=0, which asks for none")


def load(folder: Path, truncation: float = 0.4, *, device: str = "cpu", precision: str = "float32") -> LoadedBigGAN:
    """From a folder with ``config.json`` and ``pytorch_model.bin`` or ``model.safetensors``.

    Args:
        truncation: in (0, 1].
        device: a device.
        precision: ``float32`` or ``bfloat16``.

    Raises:
        InputError: a file is missing or holds something else.
    """
    config = Config.read(folder / "config.json")
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        raise InputError(f"there are no weights in {folder}", f"one of {', '.join(FILES)}")
    module = BigGAN(config)
    try:
        module.load_state_dict(plain(_read(path)))
    except (RuntimeError, ValueError, KeyError) as error:
        said = str(error).splitlines()[0]
        raise InputError(f"{path.name} does not hold this BigGAN: {said}", "weights of the same config.json") from None
    classes = names() if config.num_classes == len(names()) else tuple(map(str, range(config.num_classes)))
    told = hashlib.sha256(path.read_bytes() + (folder / "config.json").read_bytes()).hexdigest()
    return LoadedBigGAN(
        module=module.to(device),
        device=device,
        precision=precision,
        name=f"biggan-deep-{config.output_dim}",
        classes=tuple(classes),
        size=config.output_dim,
        noise=config.z_dim,
        insertion=f"generator.layers.{config.attention_layer_position}",
        truncation=truncation,
        file=told,
    )


def _read(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return dict(load_file(path))
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def plain(state: dict[str, Any]) -> dict[str, Tensor]:
    """A state dict with its spectral norms worked into its weights: W / (u' W v), with u and v as they were kept."""
    out: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.endswith(("_u", "_v")):
            continue
        if not key.endswith("_orig"):
            out[key] = value
            continue
        name = key.removesuffix("_orig")
        u, v = state[f"{name}_u"], state[f"{name}_v"]
        out[name] = value / torch.dot(u, value.flatten(1) @ v)
    return out
