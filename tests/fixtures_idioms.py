"""Networks of our own in the idioms of today's model libraries: steps that are functions, scales, paths that drop out.

A residual network with squeeze and excitation, and a transformer: each with what such code has that torchvision's
networks do not have, so that a copy prepared of it must cope with that.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from fixtures_torchvision import CLASSES, lit, settle
from torch import Tensor, nn

from gifthorse.classifier import Classifier


class DropPath(nn.Module):
    """Leaves a branch out for some images in training: a branch in Python that tracing must follow."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return x
        keep = x.new_empty(len(x), *(1,) * (x.ndim - 1)).bernoulli_(1 - self.rate)
        return x * keep / (1 - self.rate)


class LayerScale(nn.Module):
    """A learnt factor for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class SqueezeExcite(nn.Module):
    """Channels weighted by a sigmoid of their own means."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, width // 4, 1)
        self.expand = nn.Conv2d(width // 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = x.mean((2, 3), keepdim=True)
        gate = self.expand(F.relu(self.reduce(gate), inplace=True))
        out: Tensor = x * gate.sigmoid()
        return out


class NormAct(nn.BatchNorm2d):
    """A BatchNorm and what follows it as one module, which is no longer one of PyTorch's own."""

    def __init__(self, width: int, act: Callable[[Tensor], Tensor] | None = F.relu) -> None:
        super().__init__(width)
        self.drop = nn.Identity()
        self.act = act

    def forward(self, input: Tensor) -> Tensor:
        x = F.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        x = self.drop(x)
        return x if self.act is None else self.act(x)


class Block(nn.Module):
    """Two convolutions beside a shortcut, which is a convolution where the width changes."""

    def __init__(self, inside: int, out: int, *, gated: bool, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.norm1 = NormAct(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm2 = NormAct(out, act=None)
        self.gate = SqueezeExcite(out) if gated else nn.Identity()
        self.drop_path = DropPath(0.1)
        self.downsample = nn.Conv2d(inside, out, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.downsample(x)
        x = self.norm2(self.conv2(self.norm1(self.conv1(x))))
        return F.relu(torch.add(self.drop_path(self.gate(x)), shortcut))


class Residual(nn.Module):
    """A residual network; gated, it has squeeze and excitation."""

    def __init__(self, gated: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1, bias=False)
        self.norm = NormAct(16)
        self.stages = nn.Sequential(Block(16, 16, gated=gated), Block(16, 32, gated=gated, stride=2))
        self.head = nn.Linear(32, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(F.max_pool2d(self.norm(self.stem(x)), 2))
        x = x.mean(dim=(-2, -1))
        return self.head(F.dropout(x, 0.2, training=self.training))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Self-attention written out: one projection for all three, and PyTorch's function."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        qkv = self.qkv(x).reshape(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(n, length, width))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """Patches, two blocks with scaled branches, and the mean of the tokens."""

    def __init__(self, size: int, patch: int = 8, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.position = nn.Parameter(torch.randn(1, (size // patch) ** 2, width) / 10)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.attend = nn.ModuleList(Attention(width, 4) for _ in range(2))
        self.wide = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(2))
        self.scales = nn.ModuleList(LayerScale(width) for _ in range(4))
        self.drop_path = DropPath(0.1)
        self.head = nn.Linear(width, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2) + self.position
        for i in range(2):
            x = x + self.drop_path(self.scales[2 * i](self.attend[i](self.norms[2 * i](x))))
            inner = self.narrow[i](F.gelu(self.wide[i](self.norms[2 * i + 1](x))))
            x = x + self.drop_path(self.scales[2 * i + 1](inner))
        return self.head(x.mean(1))  # type: ignore[no-any-return]


OWN: dict[str, Callable[[int], nn.Module]] = {
    "own_residual": lambda _: Residual(gated=False),
    "own_gated": lambda _: Residual(gated=True),
    "own_transformer": Transformer,
}


def own(name: str, size: int) -> Classifier:
    """One of these networks with random weights, as a classifier; BatchNorm's statistics are those of pictures."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = OWN[name](size)
        settle(module, lit(32, size))
    return Classifier(
        module.eval(), classes=CLASSES, size=size, mean=(0.5,) * 3, std=(0.25,) * 3, name=name, device="cpu",
        precision="float32",
    )  # fmt: skip
