"""Input x gradient by finite differences."""

from __future__ import annotations

import torch
from torch import nn

from gifthorse.classifier import Classifier
from gifthorse.tools.attribution.input_x_gradient import InputXGradient


def test_equals_finite_differences() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    slow = module.eval()
    image = torch.rand(1, 3, 4, 4, dtype=torch.float64)

    def logit(x: torch.Tensor) -> float:
        with torch.no_grad():
            return float(slow((x - 0.5) / 0.25)[0, 2])

    wanted = torch.zeros(4, 4, dtype=torch.float64)
    for index in torch.cartesian_prod(torch.arange(3), torch.arange(4), torch.arange(4)).tolist():
        channel, row, column = index
        step = torch.zeros_like(image)
        step[0, channel, row, column] = 1e-5
        slope = (logit(image + step) - logit(image - step)) / 2e-5
        wanted[row, column] += slope * image[0, channel, row, column]

    classifier = Classifier(
        module.float(), classes=("a", "b", "c"), size=4, mean=(0.5,) * 3, std=(0.25,) * 3, precision="float32"
    )
    found = InputXGradient()(classifier, image.float(), 2).values[0]
    assert torch.allclose(found.double(), wanted, atol=1e-4)
