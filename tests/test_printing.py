"""Sheets of patches, and the simulation of printing and photographing them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gifthorse.printing import DPI, Camera, _homography, inked, photographed, sheet

STILL = Camera(ink=(0.0, 1.0), saturation=1.0, tilt=0.0, light=0.0, blur=0.0, noise=0.0, quality=95)


def red(n: int = 1) -> torch.Tensor:
    made = torch.zeros(n, 4, 9, 9)
    made[:, 0], made[:, 3] = 1.0, 1.0
    return made


def test_a_still_camera_shows_the_patch_as_it_is() -> None:
    images = torch.full((4, 3, 32, 32), 0.5)
    taken = photographed(images, red(4), 12, STILL, torch.Generator().manual_seed(0))
    patch = (taken[:, 0] > 0.75) & (taken[:, 1] < 0.25)
    area = patch.sum((1, 2)).tolist()
    assert all(100 <= each <= 150 for each in area), area
    outside = taken[~patch[:, None].expand_as(taken)]
    assert float((outside - 0.5).abs().median()) < 0.02


@pytest.mark.parametrize(("name", "value"), [("light", 0.4), ("blur", 2.0), ("noise", 0.1), ("tilt", 0.3)])
def test_each_part_of_the_camera_does_something(name: str, value: float) -> None:
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    still, moved = STILL, replace(STILL, **{name: value})  # type: ignore[arg-type]
    first, second, again = (
        photographed(images, red(3), 12, camera, torch.Generator().manual_seed(2)) for camera in (still, moved, moved)
    )
    assert (first - second).abs().mean() > 0.005
    assert torch.equal(second, again), "the same draws again"
    assert 0 <= float(second.min()) <= float(second.max()) <= 1


def test_ink_is_paler() -> None:
    paler = inked(red(), Camera())
    assert 0.06 <= float(paler[0, 1, 0, 0]) < 0.25
    assert 0.75 < float(paler[0, 0, 0, 0]) <= 0.94
    clear = red()
    clear[:, 3] = 0.0
    assert float(inked(clear, STILL)[:, :3].min()) == 1.0, "paper is white where a patch is transparent"


def test_a_homography_takes_points_to_points() -> None:
    start = torch.tensor([[1.0, 2.0], [9.0, 1.0], [8.0, 9.0], [0.0, 7.0]])
    end = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    found = torch.cat([start, torch.ones(4, 1)], 1) @ _homography(start, end).T
    torch.testing.assert_close(found[:, :2] / found[:, 2:], end, atol=1e-4, rtol=0)


def test_a_sheet_is_a_pdf_of_as_many_pages_as_it_takes(tmp_path: Path) -> None:
    sheet(red(10), [f"patch {k}" for k in range(10)], tmp_path / "ten.pdf")
    raw = (tmp_path / "ten.pdf").read_bytes()
    assert raw.startswith(b"%PDF")
    assert raw.count(b"/Type /Page\n") + raw.count(b"/Type /Page ") == 1
    assert f"{round(210 / 25.4 * DPI)}".encode() in raw
    sheet(red(30), ["x"] * 30, tmp_path / "thirty.pdf")
    raw = (tmp_path / "thirty.pdf").read_bytes()
    assert raw.count(b"/Type /Page\n") + raw.count(b"/Type /Page ") > 1
