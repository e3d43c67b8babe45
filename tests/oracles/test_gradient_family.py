"""The gradient family once more: closed forms, small networks by hand, and Captum on networks where it is right."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import captum.attr
import pytest
import torch
from captum.testing.helpers.basic_models import (
    BasicModel_ConvNet,
    BasicModel_ConvNet_One_Conv,
    BasicModel_ConvNetWithPaddingDilation,
)
from fixtures_nets import SIZE, classifier, one_thread, pictures
from torch import Tensor, nn

from gifthorse.classifier import Classifier
from gifthorse.errors import InputError, UsageError
from gifthorse.tools import tool
from gifthorse.tools.attribution.lrp import Lrp, conservation

__all__ = ["one_thread"]

SIGNED = {"sign": "signed", "channels": "sum"}


def wrap(module: nn.Module, size: int, classes: int) -> Classifier:
    names = [str(i) for i in range(classes)]
    return Classifier(module.eval(), classes=names, size=size, device="cpu", precision="float32")


# -- a linear network -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("baseline", [0.0, 0.5, "mean"])
def test_on_a_linear_network_all_are_weight_times_difference(baseline: float | str) -> None:
    net, images, references = classifier("linear"), pictures(3), pictures(4, seed=1)
    weight = net.module[1].weight[2].view(3, SIZE, SIZE) / torch.tensor([0.2, 0.25, 0.3])[:, None, None]  # type: ignore[index]
    behind = references.mean(0) if baseline == "mean" else torch.full((3, SIZE, SIZE), float(baseline))
    expected = (weight * (images - behind)).sum(1)
    for name in ("integrated_gradients", "deeplift"):
        maps = tool(name, baseline=baseline)(net, images, 2, references=references)
        torch.testing.assert_close(maps.values, expected, atol=1e-5, rtol=1e-4)
    if baseline == "mean":
        # the mean over references is that of their mean; equal samples leave no chance
        shap = tool("deeplift_shap")(net, images, 2, references=references).values
        expected_gradients = tool("gradient_shap", samples=8)(net, images, 2, references=references).values
        torch.testing.assert_close(shap, expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(expected_gradients, expected, atol=1e-4, rtol=1e-3)
    if baseline == 0.0:
        torch.testing.assert_close(tool("input_x_gradient")(net, images, 2).values, expected, atol=1e-5, rtol=1e-4)


def test_lrp_on_a_linear_network_is_weight_times_normalised_pixel() -> None:
    net, images = classifier("linear"), pictures(2)
    layer: Any = net.module[1]  # type: ignore[index]
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in (net.mean, net.std))
    expected = (layer.weight[3].view(3, SIZE, SIZE) * (images - mean) / std).sum(1)
    torch.testing.assert_close(Lrp()(net, images, 3).values, expected, atol=1e-4, rtol=1e-3)
    told = conservation(Lrp(), net, images, torch.tensor([3, 3]))
    torch.testing.assert_close(told.biases["1"], layer.bias[3].expand(2), atol=1e-5, rtol=1e-4)


# -- a small network by hand ------------------------------------------------------------------------------------------


def hidden() -> tuple[Classifier, Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(3)
    module = nn.Sequential(nn.Flatten(), nn.Linear(27, 7), nn.ReLU(inplace=True), nn.Linear(7, 3))
    net = wrap(module, 3, 3)
    first, last = module[1], module[3]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    return net, first.weight.double(), first.bias.double(), last.weight.double(), last.bias.double()


def test_deeplift_by_hand() -> None:
    net, w, b, v, _ = hidden()
    image, reference = pictures(2, size=3).double().flatten(1)
    z, z0 = w @ image + b, w @ reference + b
    slope = (z.clamp_min(0) - z0.clamp_min(0)) / (z - z0)
    expected = (image - reference) * ((v[1] * slope) @ w)
    # one reference only: DeepLIFT SHAP is then DeepLIFT with that baseline
    found = tool("deeplift_shap")(net, pictures(2, size=3)[:1], 1, references=pictures(2, size=3)[1:]).values
    torch.testing.assert_close(found[0].double(), expected.view(3, 3, 3).sum(0), atol=1e-5, rtol=1e-4)


def test_deeplift_takes_the_gradient_where_a_unit_does_not_change() -> None:
    class Cancelling(nn.Module):
        """One unit that sees a row less another: both rise alike, so that it stays as it is."""

        def forward(self, x: Tensor) -> Tensor:
            made = (x[:, :, 0].mean((1, 2), keepdim=True) - x[:, :, 1].mean((1, 2), keepdim=True) + 1.0).sigmoid()
            return torch.cat([made[:, 0], 0.0 * made[:, 0]], 1)

    image = torch.full((1, 3, 4, 4), 0.75)
    slope = torch.tensor(1.0).sigmoid() * (1 - torch.tensor(1.0).sigmoid())
    values = tool("deeplift", baseline=0.25)(wrap(Cancelling(), 4, 2), image, 0).values[0]
    torch.testing.assert_close(values[0], (0.5 / 4 * slope).expand(4), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(values[1], (-0.5 / 4 * slope).expand(4), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["guided_backprop", "deconvolution"])
def test_rectified_gradients_by_hand(name: str) -> None:
    net, w, b, v, _ = hidden()
    image = pictures(1, size=3).double().flatten()
    back = v[1].clamp_min(0)
    if name == "guided_backprop":
        back = back * (w @ image + b > 0)
    found = tool(name, **SIGNED)(net, pictures(1, size=3), 1).values[0]
    torch.testing.assert_close(found.double(), (back @ w).view(3, 3, 3).sum(0), atol=1e-5, rtol=1e-4)


def handed_down(x: Tensor, w: Tensor, b: Tensor, relevance: Tensor, rule: str) -> tuple[Tensor, float]:
    """What inputs and biases of one linear layer receive, in loops: x has no negative numbers."""
    got, taken = torch.zeros_like(x), 0.0
    for k in range(len(w)):
        if rule == "gamma":
            raised = torch.sign(w[k] @ x + b[k])  # what has the output's sign counts a quarter more
            weight, bias = w[k] + 0.25 * w[k] * (w[k] * raised > 0), b[k] + 0.25 * b[k] * (b[k] * raised > 0)
        elif rule == "zplus":
            weight, bias = w[k].clamp_min(0), b[k].clamp_min(0)
        else:
            weight, bias = w[k], b[k]
        z = float(weight @ x + bias)
        share = float(relevance[k]) / (z + (1e-6 if z >= 0 else -1e-6))
        for j in range(len(x)):
            got[j] += x[j] * weight[j] * share
        taken += float(bias) * share
    return got, taken


@pytest.mark.parametrize("rule", ["epsilon", "zplus", "gamma"])
def test_lrp_by_hand(rule: str) -> None:
    net, w, b, v, c = hidden()
    image = pictures(1, size=3).double().flatten()
    activation = (w @ image + b).clamp_min(0)
    start = torch.zeros(3, dtype=torch.float64)
    start[1] = (v @ activation + c)[1]
    middle, top = handed_down(activation, v, c, start, rule)
    bottom, low = handed_down(image, w, b, middle, rule)
    lrp = Lrp(rules=rule)
    found = lrp(net, pictures(1, size=3), 1).values[0]
    torch.testing.assert_close(found.double(), bottom.view(3, 3, 3).sum(0), atol=1e-4, rtol=1e-3)
    told = conservation(lrp, net, pictures(1, size=3), torch.tensor([1]))
    assert float(told.biases["3"]) == pytest.approx(top, rel=1e-3, abs=1e-5)
    assert float(told.biases["1"]) == pytest.approx(low, rel=1e-3, abs=1e-5)


def test_a_product_is_shared_as_shapley_shares_it() -> None:
    class Gate(nn.Module):
        """One row of the image times another, as logits a and 0."""

        def forward(self, x: Tensor) -> Tensor:
            made = x[:, :, 0].mean((1, 2), keepdim=True) * x[:, :, 1].mean((1, 2), keepdim=True)
            return torch.cat([made[:, 0], 0.0 * made[:, 0]], 1)

    net, images = wrap(Gate(), 4, 2), pictures(2, size=4)
    values = tool("deeplift", baseline=0.25)(net, images, 0).values
    one, other = images[:, :, 0].mean((1, 2)), images[:, :, 1].mean((1, 2))
    first = ((one * 0.25 - 0.0625) + (one * other - 0.25 * other)) / 2  # joins before the other, and after it
    torch.testing.assert_close(values[:, 0].sum(1), first, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(values[:, :2].sum((1, 2)), one * other - 0.0625, atol=1e-6, rtol=1e-4)


def test_gradient_shap_comes_near_integrated_gradients_over_the_references() -> None:
    net, images, references = classifier("plain"), pictures(2), pictures(3, seed=1)
    paths = []
    for reference in references:
        # each path by the midpoint rule, from its own reference
        points = [(reference + (k + 0.5) / 200 * (images - reference)).requires_grad_() for k in range(200)]
        slopes = [torch.autograd.grad(net(p)[:, 1].sum(), p)[0] for p in points]
        paths.append(((images - reference) * torch.stack(slopes).mean(0)).sum(1))
    expected = torch.stack(paths).mean(0)
    for complete in (False, True):
        found = tool("gradient_shap", samples=6000, complete=complete)(net, images, 1, references=references).values
        assert float((found - expected).abs().max()) < 0.02 * float(expected.abs().max())


# -- Captum, where it is right ----------------------------------------------------------------------------------------


def convnet() -> tuple[nn.Module, int, int]:
    made: Any = BasicModel_ConvNet()
    made.conv1 = nn.Conv2d(3, 2, 3)
    made.softmax = nn.Dropout()
    return made, 10, 10


def one_conv() -> tuple[nn.Module, int, int]:
    made: Any = BasicModel_ConvNet_One_Conv()
    made.conv1 = nn.Conv2d(3, 2, 3)
    made.relu2 = nn.Dropout()
    return made, 4, 4


def dilated() -> tuple[nn.Module, int, int]:
    made: Any = BasicModel_ConvNetWithPaddingDilation()
    made.conv1 = nn.Conv2d(3, 2, 3, padding=3, stride=2, dilation=2)
    return made, 5, 8


TOYS = (convnet, one_conv, dilated)


def by_captum(name: str, module: nn.Module, images: Tensor, targets: Tensor, references: Tensor) -> Tensor:
    black = torch.zeros_like(images[:1])
    kinds: dict[str, Callable[[], Any]] = {
        "integrated_gradients": lambda: captum.attr.IntegratedGradients(module).attribute(
            images, black, targets, n_steps=400
        ),
        "deeplift": lambda: captum.attr.DeepLift(module).attribute(images, black, targets),
        "deeplift_shap": lambda: captum.attr.DeepLiftShap(module).attribute(images, references, targets),
        "guided_backprop": lambda: captum.attr.GuidedBackprop(module).attribute(images, targets),
        "deconvolution": lambda: captum.attr.Deconvolution(module).attribute(images, targets),
        "guided_gradcam": lambda: captum.attr.GuidedGradCam(module, module.relu1).attribute(
            images, targets, interpolate_mode="bilinear"
        ),
        "lrp": lambda: captum.attr.LRP(module).attribute(images, targets),
    }
    hooked = name not in ("integrated_gradients", "lrp")
    with pytest.warns(UserWarning, match="hooks") if hooked else contextlib.nullcontext():
        made: Tensor = kinds[name]().detach().sum(1)
    return made


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.__name__)
@pytest.mark.parametrize(
    "name",
    ["integrated_gradients", "deeplift", "deeplift_shap", "guided_backprop", "deconvolution", "guided_gradcam", "lrp"],
)
def test_equals_captum_on_its_own_toy_networks(toy: Callable[[], tuple[nn.Module, int, int]], name: str) -> None:
    if (toy, name) == (convnet, "deeplift_shap"):
        pytest.skip("Captum 0.9.0 loses part of the difference at maxima: the next test")
    torch.manual_seed(1)
    module, size, classes = toy()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    net = wrap(module, size, classes)
    images, references = torch.rand(3, 3, size, size, requires_grad=True), torch.rand(4, 3, size, size)
    targets = torch.tensor([0, 1, 2])
    special: dict[str, dict[str, Any]] = {
        "guided_gradcam": {"layer": "relu1"},
        "integrated_gradients": {"steps": 400, "tolerance": 1e6},
        "lrp": {"epsilon": 1e-9},
    }
    settings: dict[str, Any] = SIGNED | special.get(name, {})
    expected = by_captum(name, copy.deepcopy(module), images, targets, references)
    found = tool(name, **settings)(net, images, targets, references=references, batch=2).values
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-3)
    assert float(expected.abs().max()) > 0


def test_nothing_is_lost_at_maxima_where_captum_loses_some() -> None:
    torch.manual_seed(1)
    module, size, classes = convnet()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    net = wrap(module, size, classes)
    images, references = torch.rand(2, 3, 3, size, size).requires_grad_().unbind()
    targets = torch.tensor([0, 1, 2])
    with pytest.warns(UserWarning, match="hooks"):
        _, lost = captum.attr.DeepLift(copy.deepcopy(module)).attribute(
            images, references, targets, return_convergence_delta=True
        )
    assert float(lost.abs().min()) > 0.01
    for image, reference, target in zip(
        torch.split(images, 1), torch.split(references, 1), targets.tolist(), strict=True
    ):
        values = tool("deeplift_shap")(net, image, target, references=reference).values
        wanted = (net(image) - net(reference))[0, target].detach()
        assert float(values.sum()) == pytest.approx(float(wanted), abs=1e-5)


# -- what is asked wrongly --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("integrated_gradients", {"baseline": 1.5}),
        ("integrated_gradients", {"baseline": "black"}),
        ("integrated_gradients", {"steps": 0}),
        ("integrated_gradients", {"steps": 2000}),
        ("integrated_gradients", {"tolerance": 0.0}),
        ("deeplift", {"baseline": -0.1}),
        ("deeplift_shap", {"baselines": 0}),
        ("gradient_shap", {"samples": 0}),
        ("gradient_shap", {"noise": -1.0}),
        ("lrp", {"rules": "epsilom"}),
        ("lrp", {"epsilon": 0.0}),
        ("lrp", {"gamma": -1.0}),
        *[(name, {"sign": "both"}) for name in ("guided_backprop", "deconvolution", "guided_gradcam", "lrp")],
    ],
)
def test_wrong_settings_are_told_of(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        tool(name, **settings)


def test_missing_references_are_told_of() -> None:
    for made in (tool("deeplift", baseline="mean"), tool("deeplift_shap"), tool("gradient_shap")):
        with pytest.raises(InputError, match="there are none"):
            made(classifier("plain"), pictures(1), 0)
