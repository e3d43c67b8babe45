"""The machine settings that change bits: found out once, stated in every key, and pinned before work starts."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from gifthorse.errors import UsageError, nearest
from gifthorse.records import Ground

DEVICES = ("cpu", "cuda", "mps")
PRECISIONS = ("float32", "bfloat16")


def bfloat16_is_fast(device: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware: AVX512-BF16 or AMX on a CPU, native support on CUDA."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    try:
        flags = {name for name, has in torch.cpu.get_capabilities().items() if has is True}
    except (AttributeError, RuntimeError):  # older torch, or a CPU that its cpuinfo library does not know
        flags = _flags_of_linux()
    return bool(flags & {"avx512_bf16", "amx_bf16"})


def _flags_of_linux() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    lines = (line for line in text.splitlines() if line.startswith("flags"))
    return set(next(lines, "").partition(":")[2].split())


def resolve(device: str = "auto", precision: str = "auto", threads: int | None = None) -> Ground:
    """What ``auto`` means on this machine.

    Args:
        device: ``auto`` (cuda, then mps, then cpu), or one of them.
        precision: ``auto`` (bfloat16 where :func:`bfloat16_is_fast`), ``float32`` or ``bfloat16``.
        threads: of torch on a CPU; None leaves the count that torch has now.

    Raises:
        UsageError: an unknown name, a device that is not there, or bfloat16 where it would be emulated.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if device not in DEVICES:
        raise UsageError(f"there is no device {device!r}", nearest(device, ("auto", *DEVICES)))
    if (device == "cuda" and not torch.cuda.is_available()) or (
        device == "mps" and not torch.backends.mps.is_available()
    ):
        raise UsageError(f"this machine has no {device} that torch can use", "--device cpu")
    if precision == "auto":
        precision = "bfloat16" if bfloat16_is_fast(device) else "float32"
    if precision not in PRECISIONS:
        raise UsageError(f"there is no precision {precision!r}", nearest(precision, ("auto", *PRECISIONS)))
    if precision == "bfloat16" and not bfloat16_is_fast(device):
        raise UsageError(f"this {device} has no bfloat16 arithmetic", "--precision float32")
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; expected at least 1", "--threads 1")
    return Ground(device=device, precision=precision, threads=threads or torch.get_num_threads())


BLOCK = 8
"""Channels that oneDNN takes at a time with AVX2."""


def takes_channels_last(module: nn.Module) -> bool:
    """Whether a network is faster, and can be trained, with its weights laid out channels-last.

    oneDNN's and cuDNN's convolutions are made for it: on CPUs up to five times as fast as in the default layout. But
    with AVX2, oneDNN does not come to an end, in ten minutes at least, with the gradient of the weights of a 1 x 1
    convolution with a stride, in one group, that sees fewer than :data:`BLOCK` channels (torch 2.14).
    """
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    endless = any(
        m.kernel_size == (1, 1) and max(m.stride) > 1 and m.groups == 1 and m.in_channels < BLOCK for m in convolutions
    )
    return bool(convolutions) and not endless and all(p.ndim < 5 for p in module.parameters())


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Parameters of glibc's ``mallopt``."""


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks of up to 32 MiB, the most that it allows, for the next tensor of that size.

    By default it gives them back to the kernel, which hands them out again page by page, each filled with zeros: small
    networks then spend up to half of their time there. Nothing happens with another C library.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)
        mallopt(_TRIM_THRESHOLD, 1 << 30)
        mallopt(_TOP_PAD, 64 << 20)


def pin(ground: Ground) -> None:
    """Set what a ground names: torch's threads, and on CUDA deterministic convolutions and a float32 that is one.

    By default CUDA's convolutions round float32 to 10 bits (TF32). Freed memory is kept.
    """
    keep_freed_memory()
    torch.set_num_threads(ground.threads)
    if ground.device == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]


@contextlib.contextmanager
def working(threads: int) -> Iterator[None]:
    """So many threads of torch for the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
