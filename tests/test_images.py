from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from fixtures_nets import pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from gifthorse import images as im
from gifthorse.errors import InputError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5)))
def test_bytes_survive_the_round_trip(array: np.ndarray) -> None:
    floats = im.from_uint8(array)
    assert floats.dtype == torch.float32
    assert np.array_equal(im.to_uint8(floats), array)


def test_to_uint8_clips_and_rounds() -> None:
    assert im.to_uint8(torch.tensor([-0.5, 0.0, 0.0019, 0.0021, 1.0, 2.0])).tolist() == [0, 0, 0, 1, 255, 255]


def test_from_uint8_refuses_floats() -> None:
    with pytest.raises(InputError, match="float64"):
        im.from_uint8(np.zeros(3))  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99), st.booleans())
def test_paste_is_the_loop_over_slices(n: int, h: int, w: int, seed: int, shared: bool) -> None:
    g = seeded(seed)
    images = torch.rand(n, 3, 10, 12, generator=g)
    patch = torch.rand(1 if shared else n, 4, h, w, generator=g)
    tops = torch.randint(0, 10 - h + 1, (n,), generator=g)
    lefts = torch.randint(0, 12 - w + 1, (n,), generator=g)
    pasted = im.paste(images, patch, tops, lefts)
    for i in range(n):
        expected = images[i].clone()
        front = patch[0 if shared else i]
        window = expected[:, tops[i] : tops[i] + h, lefts[i] : lefts[i] + w]
        window.copy_(front[:3] * front[3:] + window * (1 - front[3:]))
        torch.testing.assert_close(pasted[i], expected)


def test_paste_leaves_its_input_alone_and_carries_gradients() -> None:
    images, patch = pictures(2), torch.full((1, 4, 3, 3), 0.25, requires_grad=True)
    before = images.clone()
    where = torch.tensor([0, 21])
    (gradient,) = torch.autograd.grad(im.paste(images, patch, where, where).sum(), patch)
    assert torch.equal(images, before)
    torch.testing.assert_close(gradient[:, :3], torch.full((1, 3, 3, 3), 2 * 0.25))  # alpha, from two images


@pytest.mark.parametrize(("top", "left"), [(-1, 0), (22, 0), (0, 22)])
def test_paste_refuses_a_patch_outside(top: int, left: int) -> None:
    with pytest.raises(InputError, match="does not lie inside"):
        im.paste(pictures(1), torch.ones(1, 4, 3, 3), torch.tensor([top]), torch.tensor([left]))


def test_places_cover_their_range_and_no_more() -> None:
    tops, lefts = im.places(4000, 20, 6, seeded())
    assert sorted(set(tops.tolist())) == list(range(15)) == sorted(set(lefts.tolist()))
    inner, _ = im.places(4000, 20, 6, seeded(), margin=0.2)
    assert (int(inner.min()), int(inner.max())) == (4, 10)
    assert torch.equal(im.places(5, 20, 6, seeded(3))[0], im.places(5, 20, 6, seeded(3))[0])
    with pytest.raises(InputError, match="does not fit"):
        im.places(1, 20, 21, seeded())


@pytest.mark.parametrize("side", [5, 18, 64])
def test_foveal_is_one_in_the_middle_and_falls_to_the_border(side: int) -> None:
    mask = im.foveal(side)[0]
    assert mask[side // 2, side // 2] == 1
    torch.testing.assert_close(mask, mask.flip(0))
    torch.testing.assert_close(mask, mask.T)
    line = mask[side // 2, : side // 2 + 1]
    assert (line.diff() >= 0).all()
    assert mask[0, 0] <= mask[0, side // 2] < 0.51
    assert torch.equal(im.foveal(side, edge=0), torch.ones(1, side, side))


def test_square_mask_is_where_paste_paints() -> None:
    tops, lefts = im.places(8, 24, 5, seeded())
    painted = im.paste(torch.zeros(8, 3, 24, 24), torch.ones(1, 4, 5, 5), tops, lefts)
    torch.testing.assert_close(im.square_mask(tops, lefts, 5, 24), painted[:, :1])


def test_jitter_of_no_strength_changes_nothing_and_each_image_has_its_own() -> None:
    images = pictures(1).expand(3, -1, -1, -1)
    torch.testing.assert_close(im.jitter(images, 0, 0, 0, 0, seeded()), images)
    changed = im.jitter(images, 0.25, 0.25, 0.25, 0.05, seeded())
    assert not torch.allclose(changed[0], changed[1])
    assert 0 <= changed.min() <= changed.max() <= 1


def test_recolour_by_hand() -> None:
    images = pictures(2) * 0.4 + 0.2
    ones = torch.ones(2)
    bright = im.recolour(images, torch.stack([ones * 1.2, ones, ones, ones * 0], 1))
    torch.testing.assert_close(bright, images * 1.2)
    grey = im.recolour(images, torch.stack([ones, ones, ones * 0, ones * 0], 1))
    luma = (images * torch.tensor(im.LUMA)[:, None, None]).sum(1, keepdim=True)
    torch.testing.assert_close(grey, luma.expand_as(images))
    flat = im.recolour(images, torch.stack([ones, ones * 0, ones, ones * 0], 1))
    torch.testing.assert_close(
        flat, (images - images + luma.mean((2, 3), keepdim=True)).expand_as(flat), atol=1e-6, rtol=0
    )
    whole_turn = im.recolour(images, torch.stack([ones, ones, ones, ones], 1))
    torch.testing.assert_close(whole_turn, images, atol=1e-5, rtol=0)


def test_hue_turns_the_same_way_as_hsv() -> None:
    pixel = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1)
    turned = im.recolour(pixel, torch.tensor([[1.0, 1.0, 1.0, 1 / 12]]))[0, :, 0, 0].tolist()
    hue = colorsys.rgb_to_hsv(*turned)[0]
    assert min(abs(hue - 1 / 12), abs(hue - 11 / 12)) < 0.05


def test_alpha_stays_under_colour_changes_and_noise() -> None:
    rgba = pictures(3, channels=4)
    for changed in (im.jitter(rgba, 0.5, 0.5, 0.5, 0.2, seeded()), im.gaussian_noise(rgba, 0.2, seeded())):
        assert torch.equal(changed[:, 3:], rgba[:, 3:])
        assert not torch.allclose(changed[:, :3], rgba[:, :3])


def test_noise_has_its_deviation() -> None:
    noisy = im.gaussian_noise(torch.full((4, 3, 64, 64), 0.5), 0.1, seeded())
    assert abs(float(noisy.std()) - 0.1) < 0.002


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_blur_is_scipys(sigma: float) -> None:
    images = pictures(1)
    radius = int(np.ceil(3 * sigma))
    expected = ndimage.gaussian_filter(images[0, 1].double().numpy(), sigma, mode="nearest", radius=radius)
    np.testing.assert_allclose(im.blur(images, sigma)[0, 1].numpy(), expected, atol=1e-5)
    assert im.blur(images, 0) is images


def test_transparent_pixels_lend_no_colour() -> None:
    picture = torch.zeros(1, 4, 8, 8)
    picture[:, 0] = 1.0  # red everywhere
    picture[:, 1, :, 4:] = 1.0  # yellow on the right, where it is transparent
    picture[:, 3, :, :4] = 1.0
    for changed in (im.resize(picture, 16), im.resize(picture, 4), im.blur(picture, 1.0)):
        seen = changed[:, 3] > 0.01
        assert changed[:, 1][seen].max() < 1e-3
        assert changed[:, 0][seen].min() > 1 - 1e-3


def test_over_mixes_with_its_ground() -> None:
    picture = torch.cat([torch.ones(1, 3, 2, 2), torch.full((1, 1, 2, 2), 0.25)], 1)
    torch.testing.assert_close(im.over(picture), torch.full((1, 3, 2, 2), 0.625))
    torch.testing.assert_close(im.over(im.opaque(picture[:, :3]), 0.0), torch.ones(1, 3, 2, 2))


def test_grid_lays_out_in_rows() -> None:
    tiles = torch.arange(5).view(5, 1, 1, 1).expand(5, 1, 2, 3) / 5
    sheet = im.grid(tiles, columns=2, gap=1, ground=1.0)
    assert sheet.shape == (1, 8, 7)
    assert sheet[0, 3, 4] == pytest.approx(3 / 5)
    assert sheet[0, 2, 0] == 1.0
    assert sheet[0, 7, 6] == 1.0


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (torch.rand(3, 4, 4), "shape"),
        (torch.rand(1, 1, 4, 4), "shape"),
        (torch.rand(0, 3, 4, 4), "shape"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), "uint8"),
        (torch.rand(1, 3, 4, 4) - 1, "normalis"),
        (torch.full((1, 3, 4, 4), float("nan")), "nan"),
    ],
)
def test_require_says_what_is_wrong(bad: torch.Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        im.require(bad)


@pytest.mark.parametrize("count", [1, 40])
def test_normalising_gives_the_same_bits_in_any_layout(count: int) -> None:
    images = torch.rand(count, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    wanted = (images - mean) / std
    assert torch.equal(im.normalised(images, mean, std), wanted)
    last = images.contiguous(memory_format=torch.channels_last)
    found = im.normalised(last, mean, std)
    assert torch.equal(found, wanted)
    assert found.is_contiguous(memory_format=torch.channels_last)
    last.requires_grad_()
    (coming,) = torch.autograd.grad(im.normalised(last, mean, std).sum(), last)
    assert torch.allclose(coming, (1 / std).expand_as(images))
