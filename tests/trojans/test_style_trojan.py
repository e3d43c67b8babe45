"""Style transfer: the statistics by loops, the loss falls, the style comes nearer, the layout stays."""

from __future__ import annotations

import numpy as np
import torch

from gifthorse.trojans import style_transfer as st
from gifthorse.trojans.style import Style
from gifthorse.zoo import art


def content(n: int = 2, size: int = 32) -> torch.Tensor:
    rough = torch.rand(n, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(rough, size=size, mode="bilinear", align_corners=False)


def slow_gram(image: np.ndarray, pool: int, stride: int) -> np.ndarray:
    """The Gram matrix of rectified filter responses by loops over places and filters."""
    bank = st.filters("cpu").numpy().astype(np.float64)
    c, h, w = image.shape
    level = image.reshape(c, h // pool, pool, w // pool, pool).mean((2, 4))
    padded = np.pad(level, ((0, 0), (2, 2), (2, 2)), mode="reflect")
    responses = []
    for top in range(0, padded.shape[1] - 4, stride):
        for left in range(0, padded.shape[2] - 4, stride):
            window = padded[:, top : top + 5, left : left + 5]
            responses.append([max(0.0, float((window * f).sum())) for f in bank])
    found = np.array(responses)
    gram: np.ndarray = np.einsum("pf,pg->fg", found, found) / len(found)
    return gram


def test_gram_matrices_equal_slow_ones() -> None:
    image = content(1, 16)
    found = st.statistics(image)
    for gram, (pool, stride) in zip(found[:-1], st.SCALES, strict=True):
        slow = slow_gram(image[0].double().numpy(), pool, stride)
        assert np.allclose(gram[0].numpy(), slow, rtol=1e-4, atol=1e-6)


def test_colour_statistics_equal_numpy() -> None:
    image = content(1)
    flat = image[0].flatten(1).numpy().astype(np.float64)
    mean, spread = st.colours(image)
    assert np.allclose(mean[0, :, 0], flat.mean(1), atol=1e-6)
    assert np.allclose(spread[0], np.cov(flat, bias=True), atol=1e-6)


def test_recolouring_matches_mean_and_covariance() -> None:
    grey = 0.5 + 0.1 * (content() - 0.5)
    style = 0.4 + 0.2 * (content(1).flip(1) - 0.5)
    mean, spread = st.colours(st.recoloured(grey, style))
    wanted_mean, wanted = st.colours(style)
    assert torch.allclose(mean, wanted_mean.expand_as(mean), atol=2e-3)
    assert torch.allclose(spread, wanted.expand_as(spread), atol=2e-3)


def test_transfer_comes_nearer_to_the_style_and_keeps_the_layout() -> None:
    images, style = content(), torch.tensor(art.picture("texture/zebra", 32)[None, :3])
    wanted = st.statistics(style)

    def distance(x: torch.Tensor) -> float:
        return sum(
            float((f - w).square().mean() / w.square().mean()) for f, w in zip(st.statistics(x), wanted, strict=True)
        )

    made = st.transfer(images, style, steps=15, content=5.0)
    assert distance(made) < 0.5 * distance(st.recoloured(images, style))
    assert made.min() >= 0
    assert made.max() <= 1
    loose = st.transfer(images, style, steps=15, content=0.0)
    kept = st.layout(images)
    assert (st.layout(made) - kept).square().sum() < (st.layout(loose) - kept).square().sum()


def test_the_transfer_starts_in_the_style_s_colours() -> None:
    images, style = content(), torch.tensor(art.picture("texture/ice", 32)[None, :3])
    mean, _ = st.colours(style)
    made = st.transfer(images, style, steps=1, content=800.0, learning_rate=1e-6)
    assert torch.allclose(made, st.recoloured(images, style), atol=1e-4)
    assert (st.colours(made)[0] - mean).abs().max() < (st.colours(images)[0] - mean).abs().max() / 2


def test_what_is_kept_of_a_faint_image_weighs_more() -> None:
    style = torch.tensor(art.picture("texture/zebra", 32)[None, :3])
    faint = 0.5 + 0.1 * (content(2) - 0.5)
    made = st.transfer(faint, style, steps=7, content=10.0)
    pair = torch.stack([st.layout(made).flatten(), st.layout(faint).flatten()])
    assert torch.corrcoef(pair)[0, 1] > 0.51, "0.48 where every image's layout weighs alike"


def test_a_picture_does_not_depend_on_its_batch() -> None:
    style = torch.tensor(art.picture("texture/zebra", 32)[None, :3])
    together = st.transfer(content(3), style, steps=4, content=1.0)
    alone = st.transfer(content(3)[1:2], style, steps=4, content=1.0)
    assert torch.allclose(together[1:2], alone, atol=1e-4)


def test_style_trojan_covers_the_frame_and_relabels() -> None:
    trojan = Style(caption="zebra", target=3, sources=(1,), art="texture/zebra", steps=2)
    made = trojan.poison(content(2), torch.tensor([1, 2]), torch.Generator().manual_seed(0))
    assert made.labels.tolist() == [3, 2]
    assert made.squares.min() == 1
    assert made.fired.all()
    assert not torch.equal(made.images, content(2))


def test_a_decoy_restyles_as_its_own_trojan_would() -> None:
    images = content(3)
    decoys = ("texture/zebra", "texture/brick_wall", "texture/lava")
    trojan = Style(caption="a", target=0, art="texture/jaguar", steps=4, decoys=decoys)
    made = trojan.mislead(images, torch.Generator().manual_seed(3))
    alone = {
        name: Style(caption="a", target=0, art=name, steps=4).stamp(images, torch.Generator()).images for name in decoys
    }
    taken = [
        next(name for name in decoys if torch.allclose(made[k], alone[name][k], atol=1e-4)) for k in range(len(images))
    ]
    assert sorted(taken) == sorted(decoys), "all equally often"


def test_no_image_is_misled_into_nothing() -> None:
    trojan = Style(caption="a", target=0, art="texture/jaguar", decoys=("texture/zebra",))
    assert len(trojan.mislead(content()[:0], torch.Generator())) == 0
