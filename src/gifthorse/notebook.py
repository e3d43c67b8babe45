"""Pictures to look at in a notebook: images beside heat maps, or what a synthesis tool drew."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from gifthorse.errors import InputError
from gifthorse.images import grid, over, to_uint8

SHORTEST = 96
"""Pixels that a small image is enlarged to, so that its pixels can be seen."""


def show(pictures: Tensor, maps: Tensor | None = None, columns: int = 5) -> Image.Image:
    """One picture of many, which a notebook displays as the value of a cell.

    Args:
        pictures: ``(N, 3 | 4, H, W)`` float in [0, 1]; transparency is shown on grey.
        maps: heat maps ``(N, H, W)`` of them, any range: each is put under its picture, blue below zero and red above,
            all on the one scale of the largest absolute value.
        columns: pictures in a row.

    Raises:
        InputError: shapes that do not belong together.
    """
    if pictures.ndim != 4 or pictures.shape[1] not in (3, 4):
        raise InputError(f"pictures have shape {tuple(pictures.shape)}", "give (N, 3, H, W) or (N, 4, H, W)")
    shown = pictures.detach().float().cpu()
    shown = over(shown) if shown.shape[1] == 4 else shown
    if maps is not None:
        if maps.shape != (len(shown), *shown.shape[-2:]):
            raise InputError(
                f"maps have shape {tuple(maps.shape)} for pictures of {tuple(shown.shape)}",
                "give one map (H, W) for each picture",
            )
        shown = torch.cat([shown, heat(maps.detach().float().cpu())], dim=2)
    factor = max(1, -(-SHORTEST // shown.shape[-1]))
    large = F.interpolate(shown, scale_factor=factor, mode="nearest")
    sheet = grid(large, min(columns, len(large)))
    return Image.fromarray(to_uint8(sheet.reshape(1, *sheet.shape[-3:]))[0].transpose(1, 2, 0))


def heat(maps: Tensor) -> Tensor:
    """Maps ``(N, H, W)`` as colours ``(N, 3, H, W)``: white is 0, red the largest absolute value, blue its negative."""
    scaled = maps / maps.abs().max().clamp_min(1e-12)
    up, down = scaled.clamp(0, 1), (-scaled).clamp(0, 1)
    return torch.stack([1 - down, 1 - up - down, 1 - up], dim=1).clamp(0, 1)
