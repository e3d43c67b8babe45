"""Perturbation methods once more, slowly: in closed form, by every subset, by two loops, by Captum."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation as CaptumFeatureAblation
from captum.attr import Occlusion as CaptumOcclusion
from captum.testing.helpers.basic_models import BasicModel_ConvNet, BasicModel_ConvNet_One_Conv
from fixtures_nets import CLASSES, SIZE, classifier, module, one_thread, pictures
from torch import Tensor, nn

from gifthorse.classifier import Classifier
from gifthorse.errors import InputError, UsageError
from gifthorse.tools import tool
from gifthorse.tools.attribution.features import Parts, cut
from gifthorse.tools.attribution.lime import fit
from gifthorse.zoo import NETWORKS

__all__ = ["one_thread"]

SHAP = ("kernel_shap", "shapley_value_sampling")


def sums(values: Tensor, parts: Parts) -> Tensor:
    """The value of each feature out of a map, ``(F,)`` float64."""
    return torch.stack([values[parts.of == feature].double().mean() for feature in range(parts.count)])


def worth(net: Classifier, image: Tensor, target: int, parts: Parts, baseline: float) -> dict[tuple[int, ...], float]:
    """The logit for every subset of parts that is seen, one image after the other."""
    found = {}
    for size in range(parts.count + 1):
        for seen in itertools.combinations(range(parts.count), size):
            covered = image.clone()
            for part in set(range(parts.count)) - set(seen):
                covered[:, parts.of == part] = baseline
            with torch.no_grad():
                found[seen] = float(net(covered[None])[0, target])
    return found


def shapley(worth: dict[tuple[int, ...], float], count: int) -> Tensor:
    """Shapley's formula, equation 4 of Lundberg and Lee 2017, word for word."""
    values = torch.zeros(count, dtype=torch.float64)
    for part in range(count):
        for seen, without in worth.items():
            if part not in seen:
                share = math.factorial(len(seen)) * math.factorial(count - len(seen) - 1) / math.factorial(count)
                values[part] += share * (worth[tuple(sorted((*seen, part)))] - without)
    return values


def eight() -> tuple[Tensor, Parts]:
    """An image that SLIC cuts into eight."""
    for seed in range(20):
        image = pictures(1, seed=seed)
        (parts,) = cut(image, "superpixels", 1, 9)
        if parts.count == 8:
            return image, parts
    raise AssertionError("no image of eight superpixels")


EXACT: dict[str, dict[str, Any]] = {
    "feature_ablation": {},
    "kernel_shap": {"samples": 60},
    "shapley_value_sampling": {"orders": 2},
    "lime": {"samples": 60, "ridge": 1e-9},
}


@pytest.mark.parametrize("features", ["grid", "superpixels"])
@pytest.mark.parametrize("name", EXACT)
def test_on_a_linear_network_all_are_input_x_gradient(name: str, features: str) -> None:
    net, images = classifier("linear"), pictures(2)
    settings: dict[str, Any] = {"features": features, "cells": 3, "segments": 12}
    products = tool("input_x_gradient")(net, images, 2).values
    found = tool(name, baseline=0.0, **settings, **EXACT[name])(net, images, 2)
    for values, product, parts in zip(found.values, products, cut(images, **settings), strict=True):
        assert 4 <= parts.count <= 16
        expected = torch.stack([product[parts.of == part].sum() for part in range(parts.count)])
        torch.testing.assert_close(sums(values, parts), expected.double(), atol=2e-5, rtol=1e-4)
    if name == "lime":
        torch.testing.assert_close(found.notes["r2"], torch.ones(2))


@pytest.mark.parametrize("net", ["plain", "attending"])
def test_kernel_shap_of_every_subset_is_shapleys_formula(net: str) -> None:
    network, (image, parts) = classifier(net), eight()
    expected = shapley(worth(network, image[0], 1, parts, 0.25), 8)
    found = tool("kernel_shap", features="superpixels", segments=9, baseline=0.25, samples=254)(network, image, 1)
    torch.testing.assert_close(sums(found.values[0], parts), expected, atol=1e-5, rtol=1e-4)
    assert found.cost.forward == 256


def test_sampled_shapley_values_are_right_within_their_error() -> None:
    network, (image, parts) = classifier("attending"), eight()
    expected = shapley(worth(network, image[0], 1, parts, 0.5), 8)
    settings = {"features": "superpixels", "segments": 9}
    found = tool("shapley_value_sampling", orders=400, **settings)(network, image, 1)
    error = sums(found.notes["standard error"][0], parts)
    off = (sums(found.values[0], parts) - expected).abs()
    assert bool((off <= 4 * error + 1e-6).all())
    assert float(error.max()) < 0.05 * float(expected.abs().max())
    # half of the subsets: what is drawn is right on average, and nearer with more samples
    tried = [
        [
            (sums(tool("kernel_shap", samples=samples, **settings)(network, image, 1, seed=seed).values[0], parts))
            for seed in range(20)
        ]
        for samples in (20, 160)
    ]
    few, many = (torch.stack(values) - expected for values in tried)
    assert float(many.square().mean().sqrt()) < 0.5 * float(few.square().mean().sqrt())
    assert bool((many.mean(0).abs() <= 4 * many.std(0) / 20**0.5 + 1e-5).all())


@pytest.mark.parametrize("name", SHAP)
@pytest.mark.parametrize("net", ["emoji-resnet", "emoji-vgg"])
def test_the_shapley_family_is_complete_on_the_shipped_networks(name: str, net: str) -> None:
    network = NETWORKS.make(net).load(None, device="cpu", precision="float32")
    images, targets = pictures(2, size=64), torch.tensor([3, 50])
    few = {"kernel_shap": {"samples": 30}, "shapley_value_sampling": {"orders": 2}}[name]
    for features in ("grid", "superpixels"):
        found = tool(name, features=features, cells=6, segments=20, **few)(network, images, targets)
        cuts = cut(images, features, 6, 20)
        with torch.no_grad():
            whole, covered = (
                network(x).gather(1, targets[:, None])[:, 0] for x in (images, torch.full_like(images, 0.5))
            )
        for values, parts, gap in zip(found.values, cuts, whole - covered, strict=True):
            assert float(sums(values, parts).sum()) == pytest.approx(float(gap), rel=1e-3)


def grey(build: type[nn.Module]) -> Classifier:
    """A toy network of Captum's, which takes one channel, given the mean of three."""

    class Grey(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = build()
            if isinstance(self.inner, BasicModel_ConvNet):
                # all ones as they come, which the softmax after them takes out again
                nn.init.normal_(self.inner.fc2.weight, std=0.1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.inner(x.mean(1, keepdim=True))
            return out

    classes, size = (4, 4) if build is BasicModel_ConvNet_One_Conv else (10, 10)
    names = tuple(map(str, range(classes)))
    # made for values far above 1: in [0, 1] their ReLUs are silent
    return Classifier(module(Grey), classes=names, size=size, std=(0.02,) * 3, device="cpu", precision="float32")


@pytest.mark.parametrize("toy", [BasicModel_ConvNet_One_Conv, BasicModel_ConvNet])
@pytest.mark.parametrize("baseline", [0.0, 0.5, "mean"])
def test_ablation_and_occlusion_are_captums(toy: type[nn.Module], baseline: float | str) -> None:
    net = grey(toy)
    images, references = pictures(3, size=net.size), pictures(4, seed=1, size=net.size)
    behind = references.mean(0, keepdim=True) if baseline == "mean" else float(baseline)
    (parts, *_) = cut(images, "grid", 3, 1)
    with torch.no_grad():
        ablated = CaptumFeatureAblation(net.view).attribute(
            images, target=1, baselines=behind, feature_mask=parts.of.long()[None, None]
        )
        occluded = CaptumOcclusion(net.view).attribute(
            images, sliding_window_shapes=(3, 3, 3), strides=(3, 2, 2), target=1, baselines=behind
        )
    found = tool("feature_ablation", cells=3, baseline=baseline)(net, images, 1, references=references)
    torch.testing.assert_close(found.values, ablated.mean(1), atol=1e-6, rtol=1e-5)
    assert float(ablated.abs().max()) > 1e-3
    found = tool("occlusion", window=3, stride=2, baseline=baseline)(net, images, 1, references=references)
    torch.testing.assert_close(found.values, occluded.mean(1), atol=1e-6, rtol=1e-5)
    assert float(occluded.abs().max()) > 1e-3


# -- permutation within a pool ----------------------------------------------------------------------------------------


def test_permutation_is_ablation_with_every_image_of_the_pool() -> None:
    net, images, pool = classifier("attending"), pictures(2), pictures(4, seed=1)
    found = tool("feature_permutation", cells=3, draws=9)(net, images, 1, references=pool)
    (parts, _) = cut(images, "grid", 3, 1)
    with torch.no_grad():
        falls = [
            CaptumFeatureAblation(net.view).attribute(
                images, target=1, baselines=other[None], feature_mask=parts.of.long()[None, None]
            )
            for other in pool
        ]
    torch.testing.assert_close(found.values, torch.stack(falls).mean((0, 2)), atol=1e-5, rtol=1e-4)
    error = torch.stack(falls)[:, :, 0].std(0) / 2
    torch.testing.assert_close(found.notes["standard error"], error, atol=1e-5, rtol=1e-4)
    assert found.cost.forward == 2 * (1 + 9 * 4)


def test_permutation_of_one_image_is_no_silent_zero() -> None:
    net, image = classifier("plain"), pictures(1)
    method = tool("feature_permutation", cells=3)
    with pytest.raises(InputError, match="references=images"):
        method(net, image, 1)
    with pytest.raises(InputError, match="every reference is the image"):
        method(net, image, 1, references=image.expand(2, -1, -1, -1))
    assert not method(net, image, 1, references=pictures(2, seed=1)).constant
    # the image in the pool changes nothing
    pool = pictures(2, seed=1)
    one, other = (method(net, image, 1, references=x).values for x in (pool, torch.cat([pool, image])))
    assert torch.equal(one, other)


# -- LIME -------------------------------------------------------------------------------------------------------------


def test_limes_fit_is_weighted_least_squares_with_a_penalty() -> None:
    draws = torch.Generator().manual_seed(3)
    seen = torch.rand(50, 6, generator=draws) < 0.5
    outputs, weights = torch.randn(50, generator=draws).double(), torch.rand(50, generator=draws).double()
    found, r2 = fit(seen, outputs, weights, 0.1)
    share = (weights / weights.sum()).numpy()
    columns, left = seen.double().numpy(), outputs.numpy()
    columns, left = columns - share @ columns, left - share @ left
    root = np.sqrt(share)[:, None]
    penalty = np.sqrt(0.1 * (share @ columns**2))
    rows = np.concatenate([root * columns, np.diag(penalty)])
    expected, *_ = np.linalg.lstsq(rows, np.concatenate([root[:, 0] * left, np.zeros(6)]), rcond=None)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-10)
    assert r2 == pytest.approx(1 - share @ (left - columns @ expected) ** 2 / (share @ left**2), abs=1e-10)


def scaled(scale: float, constant: bool = False) -> Classifier:
    """A network whose logits are multiplied."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = classifier("plain").module

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.inner(x)
            return out * scale + (0.3 if not constant else 0.3 - out * scale + out * 0)

    return Classifier(Scaled(), classes=CLASSES, size=SIZE, device="cpu", precision="float32")


def test_lime_has_no_scale() -> None:
    images = pictures(2)
    one, small = (tool("lime", cells=4, samples=80)(scaled(s), images, 1) for s in (1.0, 1e-3))
    assert not small.constant
    torch.testing.assert_close(small.values * 1e3, one.values, atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(small.notes["r2"], one.notes["r2"], atol=1e-3, rtol=0)
    assert bool(((one.notes["r2"] > 0.3) & (one.notes["r2"] <= 1)).all())


@pytest.mark.parametrize("name", ["lime", "feature_ablation", *SHAP])
def test_a_network_that_does_not_react_gives_a_constant_map(name: str) -> None:
    class Deaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.tensor([0.1, 0.7, -0.3, 0.2, 0.9]))

        def forward(self, x: Tensor) -> Tensor:
            return self.bias.expand(len(x), -1)

    deaf = Classifier(Deaf(), classes=CLASSES, size=SIZE, device="cpu", precision="float32")
    found = tool(name, cells=3)(deaf, pictures(2), 1)
    assert found.constant == (0, 1)
    assert float(found.values.abs().max()) == 0
    if name == "lime":
        assert found.notes["r2"].tolist() == [0, 0]


def test_lime_weighs_by_parts_or_by_pixels() -> None:
    image, parts = eight()
    counts = parts.pixels
    assert counts.tolist() == [float((parts.of == part).sum()) for part in range(8)]
    seen = torch.rand(30, 8, generator=torch.Generator().manual_seed(0)) < 0.5
    for distance, sizes in (("cosine", torch.ones(8).double()), ("pixels", counts)):
        found = tool("lime", distance=distance, width=0.4)._weights(seen, parts)
        away = [1 - float(sizes[row].sum() / sizes.sum()) ** 0.5 for row in seen]
        np.testing.assert_allclose(found.numpy(), [math.exp(-(d**2) / 0.32) for d in away], rtol=1e-9)
    assert not torch.equal(
        *(tool("lime", features="superpixels", segments=9, distance=d)(classifier("plain"), image, 1).values
          for d in ("cosine", "pixels"))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("feature_ablation", {"features": "grids"}),
        ("feature_ablation", {"cells": 0}),
        ("feature_ablation", {"baseline": 2.0}),
        ("feature_permutation", {"draws": 0}),
        ("lime", {"samples": 1}),
        ("lime", {"distance": "cosin"}),
        ("lime", {"width": 0.0}),
        ("lime", {"ridge": 0.0}),
        ("kernel_shap", {"samples": 1}),
        ("kernel_shap", {"segments": 0}),
        ("shapley_value_sampling", {"orders": 3}),
        ("shapley_value_sampling", {"orders": 0}),
        ("edges_canny", {"sigma": 0.0}),
    ],
)
def test_settings_that_cannot_be_are_usage_errors(name: str, bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        tool(name, **bad)


# -- Canny ------------------------------------------------------------------------------------------------------------


def test_canny_draws_the_border_of_a_square() -> None:
    image = torch.zeros(1, 3, SIZE, SIZE)
    image[:, :, 6:18, 8:16] = 1
    values = tool("edges_canny", sigma=0.5)(classifier("linear"), image, 0).values[0]
    assert set(values.unique().tolist()) == {0.0, 1.0}
    rows, columns = torch.nonzero(values, as_tuple=True)
    assert {int(rows.min()), int(rows.max())} <= {5, 6, 17, 18}
    assert {int(columns.min()), int(columns.max())} <= {7, 8, 15, 16}
    assert float(values[8:16, 10:14].sum()) == 0
    assert 30 <= float(values.sum()) <= 50
    assert tool("edges_canny")(classifier("linear"), image * 0, 0).constant == (0,)


def test_an_order_and_its_reverse_are_exact_where_parts_meet_in_pairs_alone() -> None:
    class Square(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3 * SIZE * SIZE, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.fc(x.flatten(1))
            return out.square()

    net = Classifier(module(Square), classes=("a", "b"), size=SIZE, device="cpu", precision="float32")
    image = pictures(1)
    (parts,) = cut(image, "grid", 3, 1)
    expected = shapley(worth(net, image[0], 0, parts, 0.5), 9)
    found = tool("shapley_value_sampling", cells=3, orders=2)(net, image, 0)
    torch.testing.assert_close(sums(found.values[0], parts), expected, atol=1e-5, rtol=1e-4)
