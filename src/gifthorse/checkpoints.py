"""Weights from outside: which files are let in, and whether they fit the network that they are meant for.

Safetensors, or ``torch.load(weights_only=True)``; nothing is ever unpickled. A file that decompresses to more than it
should is refused from its table of contents, before any of it is read.
"""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from gifthorse.errors import HostileFile, InputError

LIMIT = 8 * 2**30
"""Bytes of tensors that a checkpoint may hold."""

WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "ema_state_dict")
"""Keys under which training scripts keep the weights beside optimiser and epoch."""

SHOWN = 5
"""Names of each kind that an error lists."""

_BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    SafetensorError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    struct.error,
)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a checkpoint's names and shapes meet those of a network.

    Attributes:
        missing: names that the network has and the checkpoint has not.
        unexpected: names that only the checkpoint has.
        misshapen: ``name: found (..), expected (..)``.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether every name and shape is as it should be."""
        return not (self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        parts = [
            f"{len(names)} {what} ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})"
            for what, names in (
                ("missing", self.missing),
                ("unexpected", self.unexpected),
                ("of another shape", self.misshapen),
            )
            if names
        ]
        return "; ".join(parts) or "every name and shape fits"


def weights(path: Path | str, limit: int = LIMIT) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name, on the CPU, all finite.

    A training script's wrapper (``state_dict`` and the like) and a ``module.`` before every name are taken off.

    Args:
        path: a safetensors file, or one of ``torch.save`` with tensors in it and nothing else.
        limit: bytes of tensors at most.

    Raises:
        HostileFile: pickled objects, damage, too large, no tensors, or weights that are not finite.
        InputError: the file cannot be read at all.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the name and the permissions") from error
    size = path.stat().st_size
    if not start:
        raise HostileFile(f"{path} is empty", "copy it again from where it came")
    if size > limit:
        raise HostileFile(f"{path} has {size} bytes, and {limit} are let in", "name a smaller checkpoint")
    found = _read_safetensors(path) if start[8:9] == b"{" else _read_torch(path, limit)
    tensors = _unwrap(path, found)
    _check_finite(path, tensors)
    return tensors


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(path, device="cpu")
    except _BROKEN as error:
        raise _damaged(path, error) from error


def _read_torch(path: Path, limit: int) -> Any:
    _check_zip(path, limit)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if _names_objects(path, str(error)):
            raise HostileFile(
                f"{path} holds pickled objects, which run code when they are loaded",
                "where you trust it, load it elsewhere and save its state_dict with safetensors.torch.save_file",
            ) from error
        raise _damaged(path, error) from error
    except _BROKEN as error:
        raise _damaged(path, error) from error


def _names_objects(path: Path, said: str) -> bool:
    """Whether torch refused the contents, as opposed to bytes that are no pickle at all."""
    if any(words in said for words in ("GLOBAL", "for unrecognized function", "Can only")):
        return True
    # A pickle of a newer protocol than torch writes: by its first bytes, or inside an archive.
    with path.open("rb") as file:
        return "Unsupported operand" in said and file.read(2)[:1] in (b"\x80", b"P")


def _check_zip(path: Path, limit: int) -> None:
    """Refuses archives whose members are compressed: ``torch.save`` never does that, bombs do."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except _BROKEN as error:
        raise _damaged(path, error) from error
    total = sum(member.file_size for member in members)
    if total > limit or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise HostileFile(
            f"{path} is compressed and would unpack to {total} bytes; a checkpoint of torch.save is not compressed",
            "save its state_dict again with safetensors.torch.save_file",
        )


def _unwrap(path: Path, found: Any) -> dict[str, torch.Tensor]:
    for name in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    if not isinstance(found, Mapping) or not found or not all(isinstance(v, torch.Tensor) for v in found.values()):
        raise HostileFile(
            f"{path} is not a table of tensors by name", "save the network's state_dict() in it, and nothing else"
        )
    names = [str(name) for name in found]
    if all(name.startswith("module.") for name in names):
        return {str(name).removeprefix("module."): tensor for name, tensor in found.items()}
    return {str(name): tensor for name, tensor in found.items()}


def _check_finite(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    bad = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if bad:
        raise HostileFile(
            f"{path} holds weights that are not finite: {', '.join(bad[:SHOWN])}",
            "its training diverged or the file is damaged: name another checkpoint",
        )


def _damaged(path: Path, error: BaseException) -> HostileFile:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return HostileFile(
        f"{path} is not a checkpoint, or it is damaged: {first}",
        "copy it again from where it came, as safetensors or the output of torch.save(module.state_dict(), file)",
    )


def compare(found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> Fit:
    """How the names and shapes of a checkpoint meet those of a ``state_dict()``."""
    shapes = [
        f"{name}: found {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    return Fit(
        missing=tuple(name for name in wanted if name not in found),
        unexpected=tuple(name for name in found if name not in wanted),
        misshapen=tuple(shapes),
    )


def load_into(module: torch.nn.Module, path: Path | str, limit: int = LIMIT) -> Fit:
    """Loads a checkpoint into a network that it fits exactly.

    Raises:
        HostileFile: see :func:`weights`; or names and shapes differ, and the error says which.
    """
    tensors = weights(path, limit)
    fit = compare(tensors, module.state_dict())
    if not fit.exact:
        raise HostileFile(
            f"{path} does not fit this network: {fit}", "name the checkpoint of this architecture and number of classes"
        )
    module.load_state_dict(tensors)
    return fit
