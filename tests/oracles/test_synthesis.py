"""Synthesis methods once more, slowly, and on networks whose answer is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_nets import CLASSES, classifier, one_thread, pictures
from torch import Tensor, nn

from gifthorse.classifier import Classifier
from gifthorse.effects import put
from gifthorse.randomness import Purposes, generator
from gifthorse.records import Insertion
from gifthorse.tools.base import Findings, brief
from gifthorse.tools.synthesis.adversarial_patch import AdversarialPatch
from gifthorse.tools.synthesis.controls import Noise, Truth
from gifthorse.tools.synthesis.cppn_target import CppnTarget
from gifthorse.tools.synthesis.objectives import cross_entropy, target_logit, total_variation
from gifthorse.tools.synthesis.parameterisation import Cppn, Pixels

__all__ = ["one_thread"]

SIZE = 12
STILL: dict[str, Any] = dict.fromkeys(("degrees", "scale", "brightness", "contrast", "saturation", "hue", "noise"), 0.0)


class Colours(nn.Module):
    """Logits are linear in the mean colour: a patch should be the colour of the target, wherever it lies."""

    def __init__(self, weight: list[list[float]]) -> None:
        super().__init__()
        self.fc = nn.Linear(3, len(weight), bias=False)
        self.fc.weight.data = torch.tensor(weight)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x.mean((2, 3)) * 10)
        return out


def colours() -> Classifier:
    weight = [[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0], [0.0, 0.0, 0.0]]
    return Classifier(Colours(weight), classes=CLASSES[:4], size=SIZE, device="cpu", precision="float32")


def test_total_variation_is_two_loops() -> None:
    shown = pictures(2, channels=4, size=5)
    for picture, found in zip(shown, total_variation(shown), strict=True):
        down = [abs(picture[c, y + 1, x] - picture[c, y, x]) for c in range(3) for y in range(4) for x in range(5)]
        across = [abs(picture[c, y, x + 1] - picture[c, y, x]) for c in range(3) for y in range(5) for x in range(4)]
        assert float(found) == pytest.approx(float(sum(down)) / len(down) + float(sum(across)) / len(across), rel=1e-5)


def test_objectives_by_hand() -> None:
    net, images = classifier("plain"), pictures(3)
    logits = net(images).double().numpy()
    by_hand = -np.log(np.exp(logits[:, 2]) / np.exp(logits).sum(1))
    np.testing.assert_allclose(cross_entropy(net, images, 2).numpy(), by_hand, rtol=1e-5)
    np.testing.assert_allclose(target_logit(net, images, 2).numpy(), -logits[:, 2], rtol=1e-6)


@pytest.mark.parametrize(("target", "colour"), [(0, (1, 0, 0)), (1, (0, 1, 0)), (2, (0, 0, 1))])
def test_a_patch_takes_the_colour_that_the_target_is_linear_in(target: int, colour: tuple[int, int, int]) -> None:
    found = AdversarialPatch(side=6, steps=60, learning_rate=0.3)(
        colours(), *brief(target, pictures(16, size=SIZE)), n=3, keep=3, budget=2000
    )
    mean = found.pictures[:, :3].mean((2, 3))
    torch.testing.assert_close(mean, torch.tensor(colour).float().expand(3, 3), atol=0.15, rtol=0)
    assert all(f.insertion == Insertion(kind="patch", side=6) for f in found.findings)


def test_a_patch_of_the_whole_image_recovers_the_weights_of_a_linear_network() -> None:
    net = Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 2)), classes=CLASSES[:2], size=SIZE, device="cpu"
    )
    weight = net.head_weight().view(2, 3, SIZE, SIZE)
    direction = torch.sign(weight[1] - weight[0])
    found = AdversarialPatch(side=SIZE, steps=80, total_variation=0.0, learning_rate=0.3, **STILL)(
        net, *brief(1, pictures(16, size=SIZE)), n=2, keep=1, budget=5000
    )
    reached = found.pictures[:, :3] * 2 - 1
    assert (torch.sign(reached) == direction).float().mean() > 0.97
    assert reached.mul(direction).mean() > 0.5


def test_the_loss_is_the_cross_entropy_on_screening_images_and_no_others() -> None:
    net, (told, clean) = colours(), brief(1, pictures(16, size=SIZE))
    found = AdversarialPatch(side=4, steps=3, screen=4)(net, told, clean, n=2, keep=2, budget=500, seed=5)
    # the same places again, from the seed that the engine names
    g = Purposes(generator(5, "screen places"))["places"]
    tops, lefts = torch.randint(0, SIZE - 4 + 1, (2, 4), generator=g)
    order = torch.randperm(4, generator=generator(5, "screen"))
    for picture, finding in zip(found.pictures, found.findings, strict=True):
        total = 0.0
        for i in range(4):
            image = clean.screen[order[i]].clone()
            image[:, tops[i] : tops[i] + 4, lefts[i] : lefts[i] + 4] = picture[:3]
            total += float(-net(image[None]).log_softmax(1)[0, 1])
        assert finding.loss == pytest.approx(total / 4, rel=1e-4)


def test_smoother_patches_under_more_total_variation() -> None:
    def roughness(weight: float) -> float:
        tool = AdversarialPatch(side=6, steps=40, total_variation=weight)
        found: Findings = tool(colours(), *brief(1, pictures(16, size=SIZE)), n=2, keep=1, budget=2000)
        return float(total_variation(found.pictures).mean())

    assert roughness(5.0) < roughness(0.0)


def cppn_by_hand(
    weights: list[np.ndarray], biases: list[np.ndarray], resolution: int
) -> np.ndarray:  # (resolution, resolution, 3)
    """Lucent's ``cppn``, one pixel at a time."""
    line = np.linspace(-math.sqrt(3), math.sqrt(3), resolution)
    image = np.zeros((resolution, resolution, 3))
    for row in range(resolution):
        for column in range(resolution):
            x = np.array([line[row], line[column]])
            for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                x = x @ weight + bias
                if k < len(weights) - 1:
                    a = np.arctan(x)
                    x = np.concatenate([a / 0.67, a * a / 0.6])
            image[row, column] = 1 / (1 + np.exp(-x))
    return image


def test_a_cppn_is_the_function_of_its_coordinates() -> None:
    networks = Cppn(5, [generator(0, i) for i in range(2)], "cpu", layers=4, hidden=3)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in networks.parameters[3:]:  # the last layer's weights and the biases begin at zero
            parameter.normal_()
    shown = networks.pictures().detach()
    assert shown.shape == (2, 4, 5, 5)
    assert (shown[:, 3] == 1).all()
    weights, biases = networks.parameters[:4], networks.parameters[4:]
    for i in range(2):
        expected = cppn_by_hand([w[i].detach().numpy() for w in weights], [b[i, 0].detach().numpy() for b in biases], 5)
        np.testing.assert_allclose(shown[i, :3].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_cppns_begin_grey_with_lucents_initial_weights() -> None:
    networks = Cppn(8, [generator(0, i) for i in range(60)], "cpu")
    torch.testing.assert_close(networks.pictures().detach()[:, :3], torch.full((60, 3, 8, 8), 0.5))
    shapes = [tuple(p.shape[1:]) for p in networks.parameters[:8]]
    assert shapes == [(2, 24), *[(48, 24)] * 6, (48, 3)]
    for parameter in networks.parameters[:7]:
        assert float(parameter.detach().std()) == pytest.approx(1 / math.sqrt(parameter.shape[1]), rel=0.05)
    assert all(float(p.detach().abs().max()) == 0 for p in networks.parameters[7:])


def test_cppns_may_begin_as_patterns() -> None:
    shown = Cppn(8, [generator(0, i) for i in range(60)], "cpu", last=1.0)
    assert float(shown.parameters[7].detach().std()) == pytest.approx(1 / math.sqrt(48), rel=0.05)
    assert float(shown.pictures().detach()[:, :3].flatten(2).std(2).mean()) > 0.03


def test_a_cppn_picture_is_the_colour_that_the_logit_is_linear_in() -> None:
    found = CppnTarget(resolution=6, steps=60, learning_rate=0.03)(
        colours(), *brief(2, pictures(8, size=SIZE)), n=2, keep=1, budget=1000
    )
    mean = found.pictures[:, :3].mean((0, 2, 3))
    torch.testing.assert_close(mean, torch.tensor([0.0, 0.0, 1.0]), atol=0.2, rtol=0)
    # the loss is minus the logit of the picture itself, enlarged
    whole = put(torch.zeros(2, 3, SIZE, SIZE), found.pictures, Insertion(kind="frame"), None)
    logits = colours()(whole)[:, 2]
    assert [f.loss for f in found.findings] == pytest.approx([-float(v) for v in logits], rel=1e-4)


def test_pixels_are_sigmoids() -> None:
    pixels = Pixels(4, 1.0, [generator(0, i) for i in range(2)], "cpu")
    (parameter,) = pixels.parameters
    torch.testing.assert_close(pixels.pictures()[:, :3], 1 / (1 + torch.exp(-parameter)))
    assert abs(float(Pixels(40, 0.5, [generator(1)], "cpu").parameters[0].detach().std()) - 0.5) < 0.02


def test_controls_look_as_they_should() -> None:
    net, told = colours(), brief(1, pictures(16, size=SIZE))
    noise = Noise(screen=2)(net, *told, n=4, keep=4, budget=100).pictures[:, :3]
    assert noise.shape[-1] == 3  # two sevenths of 12
    whole = Noise(insertion="frame")(net, *told, n=4, keep=4, budget=100)
    assert whole.pictures.shape == (4, 4, SIZE, SIZE)
    assert abs(float(whole.pictures[:, :3].mean()) - 0.5) < 0.02
    assert abs(float(whole.pictures[:, :3].std()) - math.sqrt(1 / 12)) < 0.02
    true = torch.zeros(1, 4, 10, 10)
    true[:, 0] = 1.0
    true[:, 3, 2:8, 2:8] = 1.0
    shown = Truth()(net, *told, n=3, keep=1, budget=100, assets={"truth": true}).pictures
    assert shown.shape == (3, 4, 10, 10)
    inside = shown[:, :, 4:6, 4:6].mean((2, 3))
    assert (inside[:, 0] > 0.6).all()
    assert (inside[:, 1:3] < 0.25).all()
    torch.testing.assert_close(shown[:, 3:], true[:, 3:].expand(3, -1, -1, -1), atol=0.2, rtol=0)
    exact = Truth(blur=0, colour=0, noise=0)(net, *told, n=2, keep=1, budget=100, assets={"truth": true})
    torch.testing.assert_close(exact.pictures, true.expand(2, -1, -1, -1))
    assert {f.insertion.kind for f in exact.findings} == {"patch"}
    true[:, 3] = 1.0
    style = Truth()(net, *told, n=2, keep=1, budget=100, assets={"truth": true})
    assert {f.insertion.kind for f in style.findings} == {"frame"}, "what is opaque is no cut-out"
