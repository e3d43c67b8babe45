"""Synthesis methods once more, slowly, and on networks whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace
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
from gifthorse.tools.synthesis.adversarial_patch import AdversarialPatch
from gifthorse.tools.synthesis.base import Findings, brief
from gifthorse.tools.synthesis.controls import Noise, Truth
from gifthorse.tools.synthesis.cppn_target import CppnTarget
from gifthorse.tools.synthesis.engine import _descend
from gifthorse.tools.synthesis.fourier_inner import FourierInner
from gifthorse.tools.synthesis.objectives import cross_entropy, logit, neuron, total_variation
from gifthorse.tools.synthesis.parameterisation import Cppn, Fourier, Layers, MaskAndPattern, Phase, Pixels, spectrum
from gifthorse.tools.synthesis.tabor import Tabor
from gifthorse.tools.synthesis.visualising import ranked_neurons

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
    aims = torch.tensor([2, 2, 2])
    np.testing.assert_allclose(cross_entropy(net, images, aims).numpy(), by_hand, rtol=1e-5)
    np.testing.assert_allclose(logit(net, images, aims).numpy(), logits[:, 2], rtol=1e-6)
    each = torch.tensor([0, 2, 1])
    np.testing.assert_allclose(logit(net, images, each).numpy(), logits[[0, 1, 2], [0, 2, 1]], rtol=1e-6)
    np.testing.assert_allclose(neuron(net, images, each).numpy(), net.penultimate(images)[[0, 1, 2], [0, 2, 1]])


def test_objectives_are_calculated_with_from_one_pass_and_say_what_they_are() -> None:
    net, images, aims = classifier("plain"), pictures(3), torch.tensor([0, 2, 1])
    mixed = -(logit - 0.5 * neuron) + 2 * cross_entropy
    assert str(mixed) == "-(logit - 0.5 * neuron) + 2 * cross-entropy"
    assert str(logit - (neuron + logit)) == "logit - (neuron + logit)"
    one = -logit + 0.5 * neuron.of(1)
    assert str(one) == "-logit + 0.5 * neuron[1]"
    torch.testing.assert_close(one(net, images, aims), -logit(net, images, aims) + 0.5 * net.penultimate(images)[:, 1])
    with net.counting() as counter:
        found = mixed(net, images, aims)
    assert counter.forward == 3, "one pass for all terms"
    expected = -logit(net, images, aims) + 0.5 * neuron(net, images, aims) + 2 * cross_entropy(net, images, aims)
    torch.testing.assert_close(found, expected)


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
    networks = Cppn(5, [generator(0, i) for i in range(2)], "cpu", Layers(4, 3))
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
    shown = Cppn(8, [generator(0, i) for i in range(60)], "cpu", Layers(last=1.0))
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


def waves_by_hand(coefficients: np.ndarray, side: int) -> np.ndarray:
    """The real picture of half a spectrum, ``(side, side // 2 + 1)`` to ``(side, side)``, as a sum of cosines."""
    picture = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            for u in range(side):
                for v in range(side // 2 + 1):
                    c = coefficients[u, v]
                    angle = 2 * math.pi * (u * row + v * column) / side
                    twice = 1 if v in (0, side / 2) else 2  # the other half is its mirror image
                    picture[row, column] += twice * (c.real * math.cos(angle) - c.imag * math.sin(angle))
    return picture / side  # orthonormal


COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
"""Lucent's ``color_correlation_svd_sqrt``."""


def test_a_fourier_picture_is_its_waves() -> None:
    side = 6
    drawn = Fourier(side, [generator(0, i) for i in range(2)], "cpu", 1.0, 1.0)
    shown = drawn.pictures().detach().numpy()
    assert shown.shape == (2, 4, side, side)
    assert (shown[:, 3] == 1).all()
    raw = drawn.parameters[0].detach().numpy()
    largest = np.linalg.norm(COLOURS, axis=0).max()
    for i in range(2):
        planes = []
        for channel in range(3):
            scaled = np.zeros((side, side // 2 + 1), complex)
            for u in range(side):
                for v in range(side // 2 + 1):
                    down = (u if u < side / 2 else u - side) / side
                    frequency = max(math.hypot(down, v / side), 1 / side)
                    scaled[u, v] = complex(*raw[i, channel, u, v]) / frequency
            # a real picture has real coefficients where a wave is its own mirror image
            mirrored = np.conj(scaled[[-u % side for u in range(side)]])
            for v in (0, side // 2):
                scaled[:, v] = (scaled[:, v] + mirrored[:, v]) / 2
            planes.append(waves_by_hand(scaled, side) / 4)
        correlated = np.einsum("dc,chw->dhw", COLOURS / largest, np.array(planes))
        np.testing.assert_allclose(shown[i, :3], 1 / (1 + np.exp(-correlated)), atol=2e-5)


def test_a_phase_picture_keeps_the_magnitudes_that_it_is_given() -> None:
    side = 8
    magnitudes = spectrum(pictures(5, size=side), side)
    drawn = Phase(magnitudes, side, [generator(0, i) for i in range(3)], "cpu")
    before = torch.logit(drawn.pictures()[:, :3].detach().double())
    back = np.linalg.inv(COLOURS / np.linalg.norm(COLOURS, axis=0).max())
    flat = torch.einsum("dc,nchw->ndhw", torch.from_numpy(back), before)
    found = torch.fft.rfft2(flat, norm="ortho").abs()
    # of waves that are their own mirror image only the real part is left, and the mean is taken out
    inner = np.s_[:, :, 1 : side // 2]
    ratio = (found / magnitudes)[:, :, *inner[1:]]
    assert float((ratio / ratio.mean((1, 2, 3), keepdim=True) - 1).abs().max()) < 1e-3, "all by one factor"
    assert len({round(float(p), 3) for p in found.flatten(1).std(1)}) == 3, "each finding has phases of its own"


def test_a_spectrum_is_the_mean_of_magnitudes() -> None:
    shown = pictures(3, size=6)
    back = np.linalg.inv(COLOURS / np.linalg.norm(COLOURS, axis=0).max())
    total = np.zeros((3, 6, 4))
    for picture in shown.clamp(0.02, 0.98).numpy().astype(np.float64):
        flat = np.einsum("dc,chw->dhw", back, np.log(picture / (1 - picture)))
        total += np.abs(np.fft.rfft2(flat - flat.mean((1, 2), keepdims=True), norm="ortho"))
    np.testing.assert_allclose(spectrum(shown, 6).numpy(), total / 3, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("build", ["plain", "reused"])
def test_neurons_rank_as_when_each_is_doubled_in_turn(build: str) -> None:
    net, images, target = classifier(build), pictures(7), 2
    inner, logits = net.features_and_logits(images)
    head = [m for m in net.module.modules() if isinstance(m, nn.Linear)][-1]
    gains = []
    for j in range(inner.shape[1]):
        doubled = inner.clone()
        doubled[:, j] *= 2
        gains.append(float((head(doubled)[:, target] - logits[:, target]).mean()))
    expected = sorted(range(len(gains)), key=lambda j: -gains[j])
    found = ranked_neurons(net, images, target).tolist()
    assert [round(gains[j], 5) for j in found] == [round(gains[j], 5) for j in expected]


def test_inner_findings_are_for_neurons_in_order_and_the_best_of_each_is_kept() -> None:
    net, (told, clean) = classifier("reused"), brief(1, pictures(12))
    tool = FourierInner(neurons=2, screenings=1)
    found = tool(net, told, clean, n=6, keep=3, budget=200)
    ranked = ranked_neurons(net, clean.fit, 1)[:2]
    assert found.hints[-1].endswith(", ".join(map(str, ranked.tolist())))
    losses = [f.loss for f in found.findings]
    for i, picture in enumerate(found.pictures):
        aim = ranked[i % 2][None]
        assert losses[i] == pytest.approx(-float(neuron(net, picture[None, :3], aim)), rel=1e-4)
    first, second, third = found.kept
    assert first == min((0, 2, 4), key=lambda i: losses[i])
    assert second == min((1, 3, 5), key=lambda i: losses[i])
    assert third == sorted((0, 2, 4), key=lambda i: losses[i])[1]


class Corner(nn.Module):
    """Says class 1 as far as the top left corner of 4 x 4 pixels is a checkerboard, and class 0 otherwise."""

    def __init__(self) -> None:
        super().__init__()
        board = (torch.arange(4)[:, None] + torch.arange(4)) % 2
        self.register_buffer("board", board.float())

    def forward(self, x: Tensor) -> Tensor:
        corner = x[:, :, :4, :4] - self.get_buffer("board")
        like = 6 - 60 * corner.square().mean((1, 2, 3))
        return torch.stack([torch.zeros_like(like), like], 1)


@pytest.mark.parametrize("extent", ["local", "both"])
def test_tabor_finds_a_small_trigger_and_where_it_is(extent: str) -> None:
    net = Classifier(Corner(), classes=("other", "target"), size=SIZE, device="cpu", precision="float32")
    tool = Tabor(extent=extent, mask_cells=None, pattern_cells=None, shift=0.0, variation=0.0, images=2)
    found = tool(net, *brief(1, pictures(16, size=SIZE)), n=2, keep=2, budget=6000)
    board = net.module.get_buffer("board")
    for index in found.kept:
        picture = found.pictures[index]
        assert found.findings[index].loss < 0.1
        assert found.findings[index].insertion == Insertion(kind="blend")
        assert float(picture[3].std()) > 0, "of both, the mask that is found is the better"
        inside = float(picture[3, :4, :4].mean())
        assert inside > 0.4, "the mask covers the trigger"
        assert max(float(picture[3, 4:].mean()), float(picture[3, :, 4:].mean())) < inside / 5, "and nothing else"
        seen = picture[:3, :4, :4] * picture[3, :4, :4]
        assert float((seen.mean(0) - board).abs().mean()) < 0.25, "and its pattern is the trigger's"


def test_tabor_keeps_the_screening_with_the_lowest_loss_and_penalty() -> None:
    net, (told, clean) = colours(), brief(1, pictures(16, size=SIZE))
    tool = Tabor(extent="local", mask=40.0, screenings=6, learning_rate=0.4)
    found = tool(net, told, clean, n=1, keep=1, budget=400)
    assert found.film is not None
    frames = found.film.frames.float() / 255
    losses = []
    for frame in frames:
        mixed = put(clean.screen, frame[None], Insertion(kind="blend"), None)
        losses.append(float(cross_entropy(net, mixed, torch.full((len(mixed),), 1)).mean()))
    sums = [loss + float(tool._penalty(frame[None])) for loss, frame in zip(losses, frames, strict=True)]
    best, first = min(range(6), key=lambda k: sums[k]), min(range(6), key=lambda k: losses[k])
    assert best != first, "else it would say nothing"
    torch.testing.assert_close(found.pictures[0], frames[best], atol=0.003, rtol=0)


def test_tabors_regularisers_are_loops() -> None:
    picture = pictures(1, channels=4, size=5)
    colours_, mask = picture[0, :3], picture[0, 3]
    outside = (1 - mask) * colours_

    def elastic(values: list[float]) -> float:
        return sum(abs(v) + v * v for v in values) / len(values)

    def roughness(planes: Tensor) -> float:
        down = [float(p[y + 1, x] - p[y, x]) ** 2 for p in planes for y in range(4) for x in range(5)]
        across = [float(p[y, x + 1] - p[y, x]) ** 2 for p in planes for y in range(5) for x in range(4)]
        return sum(down) / len(down) + sum(across) / len(across)

    tool = Tabor(mask=2.0, pattern=3.0, mask_smoothness=5.0, pattern_smoothness=7.0, variation=11.0)
    expected = 2 * elastic(mask.flatten().tolist()) + 3 * elastic(outside.flatten().tolist())
    expected += 5 * roughness(mask[None]) + 7 * roughness(outside) + 11 * float(total_variation(picture))
    assert float(tool._penalty(picture)) == pytest.approx(expected, rel=1e-5)


def test_tabors_other_terms_see_what_the_mask_leaves_and_what_it_holds() -> None:
    images, mine = pictures(2), pictures(2, channels=4, seed=1)
    blocked = [images[i] * (1 - mine[i, 3]) for i in range(2)]
    alone = [mine[i, :3] * mine[i, 3] for i in range(2)]
    terms = Tabor(blocking=0.5, overlay=0.25).beside
    assert [(t.weight, t.images, t.own, t.passes) for t in terms] == [(0.5, 1, True, 3), (0.25, 1, False, 2)]
    torch.testing.assert_close(terms[0].arrange(mine, images), torch.stack(blocked))
    torch.testing.assert_close(terms[1].arrange(mine, images), torch.stack(alone))
    assert Tabor(blocking=0.0, overlay=0.0).beside == ()


def test_what_the_mask_leaves_is_to_be_what_the_network_saw_before() -> None:
    """R3 by hand: the gradient of the cross-entropy of (1 - M) x to the class that x has."""
    net, (told, clean) = colours(), brief(1, torch.tensor([0.9, 0.1, 0.1]).view(1, 3, 1, 1).expand(8, 3, SIZE, SIZE))
    assert (net(clean.fit).argmax(1) == 0).all(), "not the target"
    task = Tabor()._task(net, told, clean, {"n": 1, "budget": 99})
    shown = MaskAndPattern(SIZE, task.generators("m"), "cpu", cells=(3, 3))
    (term,) = Tabor(blocking=1.0, overlay=0.0).beside
    recipe = replace(Tabor(overlay=0.0)._recipe(task, "local"), parameterisation=shown, penalty=None, beside=(term,))
    recipe = replace(recipe, objective=0.0 * cross_entropy, transformations=())
    _descend(task, recipe, [Purposes(one) for one in task.generators("draws")], torch.tensor([1]))
    found = shown.parameters[0].grad
    again = MaskAndPattern(SIZE, task.generators("m"), "cpu", cells=(3, 3))
    left = clean.fit[:1] * (1 - again.pictures()[:, 3:])
    expected = torch.autograd.grad(-net(left).log_softmax(1)[0, 0], again.parameters[0])[0]
    assert found is not None
    assert float(expected.abs().max()) > 0
    torch.testing.assert_close(found, expected)


def test_a_mask_is_a_share_and_may_be_the_same_everywhere() -> None:
    told = [generator(0, i) for i in range(2)]
    shown = MaskAndPattern(8, told, "cpu", cells=(2, 8)).pictures().detach()
    assert shown.shape == (2, 4, 8, 8)
    assert 0 < float(shown.min()) < 0.1 < 0.9 < float(shown.max()) < 1
    assert float(shown[0, 3, 0, 0]) == float(shown[0, 3, 1, 1]) != float(shown[0, 3, 7, 7]), "two cells a side"
    even = MaskAndPattern(8, told, "cpu", cells=(2, 8), opacity=0.25)
    assert (even.pictures()[:, 3] == 0.25).all()
    assert len(even.parameters) == 1


def test_a_film_has_the_best_finding_at_every_screening() -> None:
    net, told = colours(), brief(1, pictures(16, size=SIZE))
    tool = AdversarialPatch(side=4, steps=9, screen=2, screenings=3)
    found = tool(net, *told, n=3, keep=2, budget=500)
    assert found.film is not None
    assert (found.film.after, tuple(found.film.frames.shape)) == ((3, 6, 9), (3, 4, 4, 4))
    short = AdversarialPatch(side=4, steps=9, screen=2, screenings=1)(net, *told, n=3, keep=2, budget=500)
    assert short.film is not None
    last = short.pictures[found.kept[0]]
    assert torch.equal(found.film.frames[-1], (last * 255).round().byte())
