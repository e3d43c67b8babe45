"""Attribution methods once more, slowly: by finite differences, by hand, by two loops, by scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.testing.helpers.basic_models import BasicModel_ConvNet_One_Conv
from fixtures_nets import CLASSES, SIZE, classifier, one_thread, pictures
from scipy import ndimage
from torch import Tensor, nn

from gifthorse.classifier import Classifier
from gifthorse.errors import InputError, UsageError
from gifthorse.tools.attribution.blank import Blank
from gifthorse.tools.attribution.centre import Centre
from gifthorse.tools.attribution.edges import EdgesSobel
from gifthorse.tools.attribution.engine import reduce_channels
from gifthorse.tools.attribution.occlusion import Occlusion, pixels
from gifthorse.tools.attribution.saliency import Saliency

__all__ = ["one_thread"]


def test_saliency_of_a_linear_network_is_its_weight() -> None:
    net = classifier("linear")
    layer = net.module[1]  # type: ignore[index]
    weight = layer.weight[3].view(3, SIZE, SIZE) / torch.tensor([0.2, 0.25, 0.3])[:, None, None]
    values = Saliency()(net, pictures(2), 3).values
    torch.testing.assert_close(values, weight.abs().amax(0).expand(2, -1, -1))
    summed = Saliency(sign="signed", channels="sum")(net, pictures(2), 3).values
    torch.testing.assert_close(summed, weight.sum(0).expand(2, -1, -1))
    positive = Saliency(sign="positive", channels="mean")(net, pictures(1), 3).values
    torch.testing.assert_close(positive[0], weight.clamp_min(0).mean(0))


def test_saliency_is_the_slope_of_the_logit() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.Tanh(), nn.Linear(8, 5)).double()
    image = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    slopes = torch.zeros(3, 4, 4, dtype=torch.float64)
    for c in range(3):
        for y in range(4):
            for x in range(4):
                step = torch.zeros_like(image)
                step[0, c, y, x] = 1e-6
                with torch.no_grad():
                    up, down = (module((image + s * step - 0.5) / 0.25)[0, 2] for s in (1, -1))
                slopes[c, y, x] = (up - down) / 2e-6
    net = Classifier(module.float(), classes=CLASSES, size=4, mean=(0.5,) * 3, std=(0.25,) * 3, device="cpu")
    found = Saliency(sign="signed", channels="sum")(net, image.float(), 2).values[0]
    torch.testing.assert_close(found.double(), slopes.sum(0), atol=1e-4, rtol=1e-3)


def test_channels_are_reduced_as_named() -> None:
    values = torch.tensor([0.2, -0.9, 0.4]).view(1, 3, 1, 1)
    expected = {
        ("absolute", "max"): 0.9,
        ("signed", "max"): -0.9,
        ("positive", "max"): 0.4,
        ("absolute", "sum"): 1.5,
        ("signed", "sum"): -0.3,
        ("signed", "mean"): -0.1,
    }
    for (sign, channels), wanted in expected.items():
        assert float(reduce_channels(values, sign, channels)) == pytest.approx(wanted)
    with pytest.raises(UsageError, match="did you mean 'absolute'"):
        Saliency(sign="absolut")


def occluded(net: Classifier, image: Tensor, target: int, window: int, stride: int, baseline: Tensor) -> np.ndarray:
    """Cover, look, uncover: the mean fall of the logit over the windows that cover a pixel."""
    size = image.shape[-1]
    starts = [i * stride for i in range(-(-(size - window) // stride) + 1)]  # the border cuts the last window
    whole = float(net(image[None])[0, target])
    fall, cover = np.zeros((size, size)), np.zeros((size, size))
    for top in starts:
        for left in starts:
            hidden = image.clone()
            place = (slice(top, top + window), slice(left, left + window))
            hidden[:, place[0], place[1]] = baseline[:, place[0], place[1]]
            fall[place] += whole - float(net(hidden[None])[0, target])
            cover[place] += 1
    return fall / cover


@pytest.mark.parametrize(("window", "stride"), [(6, 3), (7, 5), (1 / 4, 1 / 6), (24, 1)])
@pytest.mark.parametrize("baseline", [0.5, 0.0, "mean"])
def test_occlusion_is_two_loops(window: float, stride: float, baseline: float | str) -> None:
    net, images, references = classifier("plain"), pictures(2), pictures(5, seed=1)
    behind = references.mean(0) if baseline == "mean" else torch.full((3, SIZE, SIZE), float(baseline))
    maps = Occlusion(window=window, stride=stride, baseline=baseline)(
        net, images, torch.tensor([1, 4]), references=references, batch=7
    )
    w, s = pixels(window, SIZE), pixels(stride, SIZE)
    for image, target, found in zip(images, (1, 4), maps.values, strict=True):
        np.testing.assert_allclose(found.numpy(), occluded(net, image, target, w, s, behind), atol=1e-5)
    assert maps.cost.backward == 0


def test_occlusion_in_pixels_and_shares() -> None:
    assert [pixels(length, 64) for length in (0.125, 0.001, 1, 8, 8.0, 100)] == [8, 1, 1, 8, 8, 64]
    for bad in ({"window": 0}, {"stride": -1}, {"baseline": "man"}, {"baseline": 1.5}):
        with pytest.raises(UsageError):
            Occlusion(**bad)
    with pytest.raises(UsageError, match="never covered"):
        Occlusion(window=4, stride=6)(classifier("plain"), pictures(1), 0)
    with pytest.raises(InputError, match="references"):
        Occlusion(baseline="mean")(classifier("plain"), pictures(1), 0)


def test_occlusion_finds_the_only_pixels_that_matter() -> None:
    class Corner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x[:, :, 2:6, 2:6].mean((1, 2, 3)), torch.zeros(len(x))], 1)

    net = Classifier(Corner(), classes=("a", "b"), size=16, device="cpu")
    values = Occlusion(window=2, stride=1, baseline=0.0)(net, torch.ones(1, 3, 16, 16), 0).values[0]
    assert values[3:5, 3:5].min() == values.max() > 0
    assert values[7:].abs().max() == 0


def test_captums_own_toy_network_works() -> None:
    # A network that others test Captum with; it takes one channel, so it is given the mean of three
    class Grey(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = BasicModel_ConvNet_One_Conv()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.inner(x.mean(1, keepdim=True))
            return out

    net = Classifier(Grey(), classes=CLASSES[:4], size=4, device="cpu", precision="float32")
    image = pictures(1, size=4).requires_grad_()
    (expected,) = torch.autograd.grad(net(image)[0, 1], image)
    torch.testing.assert_close(Saliency()(net, image, 1).values, expected.abs().amax(1))


def test_sobel_is_scipys() -> None:
    images = pictures(3)
    found = EdgesSobel()(classifier("linear"), images, 0).values
    for image, values in zip(images.double().numpy(), found, strict=True):
        grey = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
        expected = np.hypot(ndimage.sobel(grey, axis=0), ndimage.sobel(grey, axis=1)) / 8
        np.testing.assert_allclose(values.numpy(), expected, atol=1e-5)
    ramp = torch.linspace(0, 23, SIZE).expand(1, 3, SIZE, SIZE) / 23
    inside = EdgesSobel()(classifier("linear"), ramp, 0).values[0, 1:-1, 1:-1]
    torch.testing.assert_close(inside, torch.full_like(inside, 1 / 23))


def test_the_centre_is_in_the_centre_and_blank_is_blank() -> None:
    values = Centre(width=0.25)(classifier("linear"), pictures(2), 0).values
    assert values[0].argmax() in (11 * SIZE + 11, 12 * SIZE + 12, 11 * SIZE + 12, 12 * SIZE + 11)
    torch.testing.assert_close(values[0], values[1].flip(0, 1))
    # one standard deviation from the middle, along a row: exp(-1/2)
    assert float(values[0, 11, 17]) == pytest.approx(np.exp(-((5.5**2 + 0.5**2) / SIZE**2) / (2 * 0.0625)), rel=1e-4)
    blank = Blank()(classifier("linear"), pictures(2), 0)
    assert blank.values.abs().max() == 0
    assert blank.constant == (0, 1)
    with pytest.raises(UsageError):
        Centre(width=0)
