"""Maps that should add up to a logit, or to a difference of two, do so: on trained and on stock networks."""

from __future__ import annotations

import functools

import pytest
import torch
from fixtures_nets import one_thread, pictures
from fixtures_torchvision import stock
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal
from gifthorse.tools import tool
from gifthorse.tools.attribution.lrp import Lrp, conservation
from gifthorse.zoo import NETWORKS

__all__ = ["one_thread"]

TRAINED = ("emoji-resnet", "emoji-vgg")
RESNET, VGG, DENSE, MOBILE, CONVNEXT, VIT = (
    "resnet18",
    "vgg11",
    "densenet121",
    "mobilenet_v3_small",
    "convnext_tiny",
    "vit_b_16",
)
slow = functools.partial(pytest.param, marks=pytest.mark.slow)


@functools.cache
def network(name: str) -> Classifier:
    if name in TRAINED:
        trained: Classifier = NETWORKS.make(name).load(device="cpu", precision="float32")
        return trained
    return stock(name)


def shown(name: str, n: int = 3) -> tuple[Classifier, Tensor, Tensor, Tensor]:
    """A network, images, references, and for each image the class of largest logit in magnitude."""
    net = network(name)
    images, references = pictures(n, size=net.size), pictures(3, seed=1, size=net.size)
    with torch.no_grad():
        targets = net(images).abs().argmax(1)
    return net, images, references, targets


def difference(net: Classifier, images: Tensor, targets: Tensor, others: Tensor) -> Tensor:
    """Target logits less their mean over others."""
    with torch.no_grad():
        return (net(images) - net(others).mean(0)).gather(1, targets[:, None])[:, 0]


def relative(found: Tensor, wanted: Tensor) -> float:
    return float(((found - wanted) / wanted).abs().max())


@pytest.mark.parametrize("name", [*TRAINED, VGG, slow(RESNET), slow(DENSE), slow(MOBILE), slow(CONVNEXT), slow(VIT)])
def test_integrated_gradients_add_up_to_one_percent(name: str) -> None:
    net, images, _, _ = shown(name, 3 if name in TRAINED else 1)
    black = torch.zeros_like(images[:1])
    with torch.no_grad():
        # of random networks some differences are a hundredth of what they are the sum of
        targets = (net(images) - net(black)).abs().argmax(1)
    maps = tool("integrated_gradients")(net, images, targets)
    assert relative(maps.values.sum((1, 2)), difference(net, images, targets, black)) <= 0.01
    assert max(maps.notes["completeness error"]) <= 0.01
    passes = [sum(50 * 2**k for k in range(round(steps / 50).bit_length())) for steps in maps.notes["steps"].tolist()]
    assert maps.cost.backward == sum(passes)  # the steps that did not do are counted, too
    assert maps.hints[0].startswith("steps: ")


@pytest.mark.parametrize("name", [*TRAINED, RESNET, VGG, DENSE, MOBILE, slow(CONVNEXT)])
def test_deeplift_and_the_shap_family_add_up_to_a_thousandth(name: str) -> None:
    net, images, references, targets = shown(name)
    black = torch.zeros_like(images[:1])
    for tested, others in (
        (tool("deeplift"), black),
        (tool("deeplift", baseline="mean"), references.mean(0, keepdim=True)),
        (tool("deeplift_shap"), references),
        (tool("gradient_shap", samples=6), references),
    ):
        maps = tested(net, images, targets, references=references)
        assert relative(maps.values.sum((1, 2)), difference(net, images, targets, others)) <= 0.001, tested


@pytest.mark.parametrize("rules", ["epsilon", "gamma", "zplus", "epsilon_plus", "epsilon_gamma_box"])
@pytest.mark.parametrize("name", [*TRAINED, RESNET, VGG, DENSE])
def test_relevance_and_the_biases_share_are_the_logit(name: str, rules: str) -> None:
    net, images, _, targets = shown(name)
    told = conservation(Lrp(rules=rules), net, images, targets)
    with torch.no_grad():
        torch.testing.assert_close(told.logits, net(images).gather(1, targets[:, None])[:, 0], atol=1e-3, rtol=1e-4)
    biases = torch.stack([*told.biases.values()]).sum(0)
    stabilisers = torch.stack([*told.stabilisers.values()]).sum(0)
    assert relative(told.relevance + biases + stabilisers, told.logits) <= 1e-4
    assert relative(told.relevance + biases, told.logits) <= 1e-3
    assert len(told.biases) >= 4
    maps = Lrp(rules=rules)(net, images, targets)
    torch.testing.assert_close(maps.values.sum((1, 2)), told.relevance, atol=1e-3, rtol=1e-3)


def test_each_layers_biases_take_their_own_share() -> None:
    net, images, _, targets = shown("emoji-resnet")
    told = conservation(Lrp(), net, images, targets)
    bias = net.module.head.bias  # type: ignore[union-attr]
    torch.testing.assert_close(told.biases["head"], bias[targets], atol=1e-4, rtol=1e-3)  # type: ignore[index]
    assert set(told.biases) >= {"conv", "blocks.0.conv1", "blocks.1.shortcut.0", "blocks.1.add", "pool", "head"}
    assert float(told.biases["pool"].abs().max()) == 0  # it has none


LAYERS = {
    MOBILE: "Hardswish at 'features.0.2'",
    CONVNEXT: "LayerNorm at 'features.0.1.layer_norm'",
    VIT: "LayerNorm at 'encoder.layers.encoder_layer_0.ln_1'",
}


@pytest.mark.parametrize("name", [MOBILE, slow(CONVNEXT), slow(VIT)])
def test_lrp_refuses_by_name_and_path(name: str) -> None:
    net, images, _, targets = shown(name, 1)
    with pytest.raises(Refusal, match=f"LRP has no rule for {LAYERS[name]} of {name}"):
        tool("lrp")(net, images, targets)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["guided_backprop", "deconvolution", "guided_gradcam"])
@pytest.mark.parametrize(
    ("net", "says"), [(CONVNEXT, "GELU at 'features.1.0.block.4'"), (VIT, "MultiheadAttention at")]
)
def test_rectified_gradients_refuse_networks_without_rectifiers(name: str, net: str, says: str) -> None:
    made, images, _, targets = shown(net, 1)
    with pytest.raises(Refusal, match=f"{net} has none, only {says}"):
        tool(name)(made, images, targets)


@pytest.mark.slow
def test_deeplift_refuses_attention_by_name_and_path() -> None:
    net, images, references, targets = shown(VIT, 1)
    for name in ("deeplift", "deeplift_shap"):
        with pytest.raises(Refusal, match=r"MultiheadAttention at 'encoder\.layers\.encoder_layer_0\.self_attention'"):
            tool(name)(net, images, targets, references=references)


@pytest.mark.parametrize("name", [*TRAINED, RESNET, VGG, DENSE, MOBILE])
def test_rectified_gradients_do_stock_networks(name: str) -> None:
    net, images, _, targets = shown(name)
    for tested in ("guided_backprop", "deconvolution", "guided_gradcam"):
        values = tool(tested)(net, images, targets).values
        assert values.isfinite().all()
        # Grad-CAM sees nothing where no channel speaks for the class
        assert tested == "guided_gradcam" or values.flatten(1).amax(1).min() > 0
