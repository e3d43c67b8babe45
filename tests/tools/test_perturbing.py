"""The engine of the perturbation methods: batches, memory, order, and the features that it hides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from fixtures_nets import SIZE, classifier, one_thread, pictures
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gifthorse.classifier import Classifier
from gifthorse.errors import UsageError
from gifthorse.tools import tool
from gifthorse.tools.attribution.base import Explained
from gifthorse.tools.attribution.features import Parts, cut
from gifthorse.tools.attribution.kernel_shap import draw
from gifthorse.tools.attribution.perturbing import Plan, outputs

__all__ = ["one_thread"]

SMALL: dict[str, dict[str, Any]] = {
    "occlusion": {"window": 8, "stride": 4},
    "feature_ablation": {"cells": 4},
    "feature_permutation": {"cells": 3, "draws": 2},
    "lime": {"cells": 3, "samples": 40},
    "kernel_shap": {"cells": 4, "samples": 40},
    "shapley_value_sampling": {"cells": 3, "orders": 4},
}
every_method = pytest.mark.parametrize("name", SMALL)


@every_method
def test_a_map_depends_on_its_image_alone(name: str) -> None:
    network, method = classifier("reused"), tool(name, **SMALL[name])
    images, targets, pool = pictures(4), torch.tensor([0, 3, 1, 2]), pictures(4, seed=1)
    together = method(network, images, targets, references=pool)
    assert not together.constant
    back = method(network, images.flip(0), targets.flip(0), references=pool)
    torch.testing.assert_close(back.values.flip(0), together.values, atol=1e-5, rtol=1e-4)
    for batch in (1, 7, 1000):
        other = method(network, images, targets, references=pool, batch=batch)
        torch.testing.assert_close(other.values, together.values, atol=1e-5, rtol=1e-4)
        assert other.cost.forward == together.cost.forward
        for key, value in together.notes.items():
            torch.testing.assert_close(other.notes[key], value, atol=1e-5, rtol=1e-4)
    for i in range(4):
        alone = method(network, images[i : i + 1], targets[i : i + 1], references=pool)
        torch.testing.assert_close(alone.values[0], together.values[i], atol=1e-5, rtol=1e-4)


@every_method
def test_batches_are_full_and_never_larger(name: str) -> None:
    network, sizes = classifier("linear"), list[int]()
    handle = network.module.register_forward_pre_hook(lambda _m, inputs: sizes.append(len(inputs[0])))
    made = tool(name, **SMALL[name])(network, pictures(3), 1, references=pictures(4, seed=1), batch=16)
    handle.remove()
    assert set(sizes[:-1]) == {16}
    assert 0 < sizes[-1] <= 16
    assert sum(sizes) == made.cost.forward


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the most bytes that one tensor had."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(one, Tensor):
                self.bytes = max(self.bytes, one.numel() * one.element_size())
        return out


@pytest.mark.parametrize(
    ("name", "few", "many"),
    [
        ("occlusion", {"window": 12, "stride": 6}, {"window": 4, "stride": 1}),
        ("feature_permutation", {"cells": 3, "draws": 1}, {"cells": 12, "draws": 4}),
        ("lime", {"cells": 3, "samples": 20}, {"cells": 3, "samples": 2000}),
        ("kernel_shap", {"cells": 4, "samples": 20}, {"cells": 4, "samples": 2000}),
        ("shapley_value_sampling", {"cells": 3, "orders": 2}, {"cells": 3, "orders": 200}),
    ],
)
def test_more_samples_take_no_larger_tensors(name: str, few: dict[str, Any], many: dict[str, Any]) -> None:
    network, images, pool = classifier("linear"), pictures(2), pictures(5, seed=1)
    seen, passes = [], []
    for settings in (few, many):
        with Largest() as largest:
            made = tool(name, **settings)(network, images, 1, references=pool, batch=8)
        seen.append(largest.bytes)
        passes.append(made.cost.forward)
    assert passes[1] > 10 * passes[0]
    # the weights are the largest of this network; a coalition takes a byte a feature, and nine bytes while it is fitted
    assert seen[1] <= max(seen[0], 2000 * 16 * 8)
    assert seen[1] < passes[1] * 3 * SIZE * SIZE * 4 / 10


def test_plans_are_asked_for_when_their_image_is_next() -> None:
    network = classifier("linear")
    asked = list[int]()
    images = pictures(6)

    def plans() -> Iterator[tuple[Plan, int]]:
        for index in range(6):
            asked.append(index)
            cover = torch.zeros(1, 3, SIZE, SIZE)
            yield Plan(rows=5, make=lambda rows: (torch.ones(len(rows), SIZE, SIZE, dtype=torch.bool), cover)), index  # noqa: B023

    explained = Explained(
        classifier=network,
        images=images,
        targets=torch.tensor([0, 1, 2, 3, 4, 0]),
        references=None,
        generators=(),
        batch=4,
    )
    stream = outputs(explained, plans())
    with torch.no_grad():
        whole = network(images).double()
    for index in range(6):
        logits, about = next(stream)
        assert about == index
        assert len(asked) <= index + 2
        torch.testing.assert_close(logits, whole[index, index % 5].expand(5), atol=1e-5, rtol=1e-5)
    assert next(stream, None) is None


def test_modules_that_keep_what_they_saw_can_be_trained_after() -> None:
    class Keeping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 5)
            self.grid: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            if self.grid is None:
                self.grid = torch.linspace(0, 1, x.shape[-1])
            out: Tensor = self.fc((x * self.grid).mean((2, 3)))
            return out

    network = Classifier(Keeping(), classes=tuple("abcde"), size=SIZE, device="cpu", precision="float32")
    tool("feature_ablation", cells=3)(network, pictures(1), 1)
    assert not tool("saliency")(network, pictures(1), 1).constant


# -- features ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_grid_is_of_nearly_equal_cells(side: int, cells: int) -> None:
    images = torch.zeros(2, 3, side, side)
    if cells > side:
        with pytest.raises(UsageError, match=f"cells={side}"):
            cut(images, "grid", cells, 1)
        return
    parts, _ = cut(images, "grid", cells, 1)
    assert parts.count == cells**2
    assert sorted(set(parts.of.flatten().tolist())) == list(range(parts.count))
    low, high = divmod(side, cells)[0], -(-side // cells)
    assert set(parts.pixels.tolist()) <= {low * low, low * high, high * high}
    assert torch.equal(parts.of[0], torch.arange(side).mul(cells).div(side, rounding_mode="floor").int())


def test_superpixels_are_numbered_without_a_gap_and_repeat() -> None:
    images = torch.cat([pictures(2), torch.full((1, 3, SIZE, SIZE), 0.3)])
    first, again = (cut(images, "superpixels", 1, 12) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.of, other.of)
        assert sorted(set(one.of.flatten().tolist())) == list(range(one.count))
    assert all(4 <= one.count <= 20 for one in first)
    # a superpixel has less colour in it than a square of the grid of about as many
    (grid, *_) = cut(images, "grid", 4, 1)

    def inside(parts: Parts) -> float:
        image = images[0]
        return float(torch.stack([image[:, parts.of == part].var(1).sum() for part in range(parts.count)]).mean())

    assert inside(cut(images, "superpixels", 1, 16)[0]) < inside(grid)


# -- KernelSHAP's coalitions ------------------------------------------------------------------------------------------


def test_coalitions_come_in_pairs_and_weigh_as_shapleys_kernel_does() -> None:
    seen, weights = draw(10, 400, torch.Generator().manual_seed(0))
    assert len(seen) <= 400
    assert float(weights.sum()) == pytest.approx(1)
    rows = {tuple(row.tolist()): float(weight) for row, weight in zip(seen, weights, strict=True)}
    assert len(rows) == len(seen)
    assert all(rows[tuple(not one for one in row)] == pytest.approx(weight) for row, weight in rows.items())
    assert set(seen.sum(1).tolist()) == set(range(1, 10))
    # over many draws a size's share of the weight is the kernel's
    seen, weights = draw(14, 16_000, torch.Generator().manual_seed(0))
    kernel = torch.tensor([1 / (s * (14 - s)) for s in range(1, 14)], dtype=torch.float64)
    found = torch.stack([weights[seen.sum(1) == s].sum() for s in range(1, 14)])
    torch.testing.assert_close(found, kernel / kernel.sum(), atol=0.004, rtol=0.05)
    # every subset, where they fit
    seen, weights = draw(5, 30, torch.Generator())
    assert len(seen) == 30
    by_size = [float(weights[seen.sum(1) == s].sum()) for s in range(1, 5)]
    assert by_size == pytest.approx([3 / 10, 2 / 10, 2 / 10, 3 / 10])
    assert draw(1, 30, torch.Generator())[0].shape == (0, 1)


@pytest.mark.parametrize("name", ["feature_ablation", "lime", "kernel_shap", "shapley_value_sampling"])
def test_one_feature_is_the_whole_image(name: str) -> None:
    network, images = classifier("plain"), pictures(1)
    settings = {"ridge": 1e-9} if name == "lime" else {}
    values = tool(name, cells=1, **settings)(network, images, 1).values
    with torch.no_grad():
        gap = network(images)[0, 1] - network(torch.full_like(images, 0.5))[0, 1]
    torch.testing.assert_close(values, gap.expand(1, SIZE, SIZE), atol=1e-5, rtol=1e-4)
