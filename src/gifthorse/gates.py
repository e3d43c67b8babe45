"""Images from outside: which are let in, and what is done to them on the way. No torch; see checkpoints.py for weights.

A file is hostile until it passed here. Nothing but JPEG, PNG and WebP is even tried (other formats start other
programs), sizes are read from the header before a pixel is decoded, and every change to the pixels is noted.
"""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from gifthorse.errors import HostileFile, InputError

FORMATS = ("JPEG", "PNG", "WEBP")
"""The formats that are decoded; the file's own bytes decide, not its suffix."""

GREY = 128
"""What transparent pixels are laid on (0 to 255)."""

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, struct.error, zlib.error)
"""What Pillow's decoders raise on bad bytes. A bare MemoryError is not the file's fault, and passes."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an image may be.

    Attributes:
        bytes: of the file.
        pixels: width times height.
        aspect: longer side over shorter: a strip of 3000 x 1 enlarged to a short side of 256 takes 1.5 GB.
        side: the shorter side at least, in pixels.
    """

    bytes: int = 64 * 2**20
    pixels: int = 50_000_000
    aspect: float = 20.0
    side: int = 1


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """An image that was let in.

    Attributes:
        pixels: ``(H, W, 3)`` uint8 RGB, or ``(H, W, 4)`` where transparency is kept.
        notes: what was changed on the way, in words; empty where nothing was.
    """

    pixels: npt.NDArray[np.uint8]
    notes: tuple[str, ...]


def image(path: Path | str, limits: Limits | None = None, *, noted: bool = True, least: int | None = None) -> Admitted:
    """Reads a picture file as it is meant to be seen.

    Its EXIF orientation is applied, 16-bit grey is scaled to 8 bits, and what is transparent lies on mid grey.

    Args:
        path: a JPEG, PNG or WebP file.
        limits: what is let in.
        noted: whether Pillow's own warnings are among the notes; a thread says no, see :func:`in_threads`.
        least: the shorter side that is enough, in pixels: a JPEG of twice that or more is decoded at a half, a quarter
            or an eighth of its size, in about as much less time. None decodes all of it.

    Raises:
        HostileFile: another format, too large, too long and thin, damaged or truncated.
        InputError: the file cannot be read at all.
    """
    path, limits = Path(path), limits or Limits()
    return _admitted(_bytes(path, limits), (str(path), limits), alpha=False, noted=noted, least=least)


def drawing(path: Path | str, limits: Limits | None = None) -> Admitted:
    """Reads a picture file with its transparency: ``(H, W, 4)`` uint8, straight alpha; otherwise like :func:`image`."""
    path, limits = Path(path), limits or Limits()
    return _admitted(_bytes(path, limits), (str(path), limits), alpha=True, noted=True)


def decoded(data: bytes, name: str, limits: Limits) -> Admitted:
    """The same from bytes that are at hand already: ``(H, W, 4)`` uint8; ``name`` is what errors call them."""
    return _admitted(_sized(data, name, limits), (name, limits), alpha=True, noted=True)


def seen(data: bytes, name: str, limits: Limits, *, noted: bool = True, least: int | None = None) -> Admitted:
    """As :func:`image`, from bytes that are at hand already; ``name`` is what errors call them."""
    return _admitted(_sized(data, name, limits), (name, limits), alpha=False, noted=noted, least=least)


def _sized(data: bytes, name: str, limits: Limits) -> bytes:
    if not 0 < len(data) <= limits.bytes:
        raise HostileFile(f"{name} has {len(data)} bytes, and 1 to {limits.bytes} are let in", "make it smaller")
    return data


@contextlib.contextmanager
def in_threads() -> Iterator[None]:
    """A block in which threads may read pictures with ``noted=False``: Pillow's warnings go unheard while it runs.

    Python catches warnings for all threads at once, so that threads which did so would take one another's.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


@contextlib.contextmanager
def _said(noted: bool) -> Iterator[list[warnings.WarningMessage]]:
    if not noted:
        yield []
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield said


def _admitted(
    data: bytes, about: tuple[str, Limits], *, alpha: bool, noted: bool, least: int | None = None
) -> Admitted:
    path, limits = about
    with _said(noted) as said:
        try:
            opened = Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError:
            cause = f"{path} is not a JPEG, PNG or WebP image, whatever its name says"
            raise HostileFile(cause, "convert it to PNG with a program that you trust, or leave it out") from None
        except Image.DecompressionBombError as error:
            cause = f"{path} claims more pixels than are let in ({limits.pixels}): {error}"
            raise HostileFile(cause, "scale or crop it, or leave it out") from error
        except _BROKEN as error:
            raise _damaged(path, error) from error
        with opened:
            _check_size(path, opened.size, limits)
            try:
                if least is not None:
                    opened.draft(None, (least, least))
                pixels, notes = _seen(opened, alpha)
            except _BROKEN as error:
                raise _damaged(path, error) from error
    # A size beyond Pillow's own warning passed our limit on purpose.
    notes += [f"{w.message}" for w in said if not issubclass(w.category, Image.DecompressionBombWarning)]
    return Admitted(pixels=pixels, notes=tuple(notes))


def _bytes(path: Path, limits: Limits) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(f"{path} is not a regular file", "name an image file")
        if size > limits.bytes:
            raise HostileFile(
                f"{path} has {size} bytes, and {limits.bytes} are let in", "make it smaller, or leave it out"
            )
        if size == 0:
            raise HostileFile(f"{path} is empty", "copy it again from where it came, or leave it out")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the name and the permissions") from error


def _check_size(path: str, size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    short, long = min(size), max(size)
    remedy = "scale or crop it, or leave it out"
    if width * height > limits.pixels:
        raise HostileFile(f"{path} is {width} x {height}, and {limits.pixels} pixels are let in", remedy)
    if short < limits.side:
        raise HostileFile(f"{path} is {width} x {height}, and its shorter side must have {limits.side}", remedy)
    if long > limits.aspect * short:
        raise HostileFile(f"{path} is {width} x {height}, longer than {limits.aspect:g} times its width", remedy)


def _damaged(path: str, error: BaseException) -> HostileFile:
    return HostileFile(f"{path} is damaged or truncated: {error}", "copy it again from where it came, or leave it out")


def _seen(opened: Image.Image, alpha: bool) -> tuple[npt.NDArray[np.uint8], list[str]]:
    notes: list[str] = []
    frames = getattr(opened, "n_frames", 1)
    if frames > 1:
        notes.append(f"the first of {frames} frames")
    opened.load()
    picture = opened
    if (turn := opened.getexif().get(0x0112, 1)) != 1:
        picture = ImageOps.exif_transpose(opened)
        notes.append(f"turned as its EXIF orientation {turn} says")
    if picture.mode.startswith("I") or picture.mode == "F":
        deep = _from_deep(picture)
        opaque = np.full_like(deep[:, :, :1], 255)
        return np.concatenate([deep, opaque], 2) if alpha else deep, [*notes, "16 bits scaled to 8"]
    if alpha:
        return np.array(picture.convert("RGBA"), dtype=np.uint8), notes
    if picture.has_transparency_data:
        back = Image.new("RGBA", picture.size, (GREY, GREY, GREY, 255))
        picture = Image.alpha_composite(back, picture.convert("RGBA"))
        notes.append("transparency laid on mid grey")
    elif picture.mode == "CMYK":
        notes.append("converted from CMYK without its profile")
    return np.array(picture.convert("RGB"), dtype=np.uint8), notes


def _from_deep(picture: Image.Image) -> npt.NDArray[np.uint8]:
    values = np.asarray(picture)
    if picture.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError(f"pixels of mode {picture.mode} are not 16-bit grey")
    grey = np.round(values.astype(np.float64) / 257).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
