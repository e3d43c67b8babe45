"""The prepared copy: each step a module, the same logits, the user's module untouched, refusals that name layers."""

from __future__ import annotations

import copy
import gc
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from fixtures_nets import Reused, classifier, one_thread, pictures, wrapped
from torch import Tensor, fx, nn

from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal, UsageError
from gifthorse.tools import tool
from gifthorse.tools.attribution import prepared as preparing
from gifthorse.tools.attribution.base import Explained
from gifthorse.tools.attribution.prepared import modules, prepared
from gifthorse.tools.attribution.ruled import Ruled
from gifthorse.tools.attribution.surgery import look, rewrite

__all__ = ["one_thread"]


def explained(net: Classifier) -> Explained:
    images = pictures(2, size=net.size)
    targets = torch.zeros(2, dtype=torch.int64)
    return Explained(classifier=net, images=images, targets=targets, references=None, generators=(), batch=2)


def kinds(net: Classifier) -> Counter[str]:
    return Counter(type(module).__name__ for _, module in modules(prepared(explained(net), "a test", None)))


class Awkward(nn.Module):
    """What hooks on modules do not see: functions, methods, steps in place whose input is used again, a plus sign."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.other = nn.Conv2d(4, 4, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(4, 5)
        self.gain = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        if extra is not None:
            x = x + extra
        x = self.norm(self.conv(x))
        self.relu(x)  # in place: what follows uses x
        y = F.relu(self.other(x))
        y += x
        z = torch.relu(self.drop(self.other(y)) - x * self.gain)
        z.relu_()
        z = F.max_pool2d(F.dropout(z, training=self.training), 2) + F.avg_pool2d(1 - z, 2) / 3
        z = F.leaky_relu(z, 0.2, True).sigmoid() * -z
        out: Tensor = self.fc(F.adaptive_avg_pool2d(z, 1).flatten(1))
        return out


def test_every_call_site_has_a_module_of_its_own() -> None:
    assert kinds(classifier("reused")) == Counter(Conv2d=2, ReLU=2, Addition=1, Mean=1, Linear=1)
    found = kinds(wrapped(Awkward))
    assert found == Counter(
        Conv2d=3, ReLU=4, Addition=3, Scale=5, Shift=1, MaxPool2d=1, AvgPool2d=1, LeakyReLU=1, Sigmoid=1, Product=1,
        AdaptiveAvgPool2d=1, Linear=1,
    )  # fmt: skip


def test_the_copy_gives_the_same_logits_and_nothing_in_it_is_in_place() -> None:
    net = wrapped(Awkward)
    torch.manual_seed(1)
    norm: Any = net.module.norm
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    network = prepared(explained(net), "a test", None)
    images = pictures(3, seed=4)
    torch.testing.assert_close(net.through(Ruled(network), images), net(images), atol=1e-5, rtol=1e-5)
    assert not any(getattr(module, "inplace", False) for _, module in modules(network))
    assert len({id(module) for _, module in modules(network)}) == len(modules(network))
    relu: Any = net.module.relu
    assert relu.inplace


def test_a_copy_is_made_anew_when_weights_change_and_goes_with_its_network() -> None:
    net = classifier("reused")
    first = prepared(explained(net), "a test", None)
    assert prepared(explained(net), "a test", None) is first
    with torch.no_grad():
        net.module.stem.weight.mul_(2)  # type: ignore[union-attr, operator]
    second = prepared(explained(net), "a test", None)
    assert second is not first
    images = pictures(2)
    torch.testing.assert_close(net.through(Ruled(second), images), net(images))
    gone = weakref.ref(net.module)
    del net
    gc.collect()
    assert gone() is None


def test_a_copy_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    net = classifier("reused")
    network = preparing._copy(net)
    with torch.no_grad():
        dict(network.named_parameters())["fc.bias"].add_(0.1)
    with pytest.raises(Refusal, match="gives other logits than it"):
        prepared(explained(net), "a test", None)


class Branching(Reused):
    """Looks at the values of what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.mean() > 0 else -x)


def test_a_network_that_cannot_be_traced_is_refused_with_the_way_out() -> None:
    for name in ("deeplift", "lrp", "guided_backprop"):
        with pytest.raises(Refusal, match="Branching cannot be traced") as refusal:
            tool(name)(wrapped(Branching), pictures(1), 0)
        assert "integrated_gradients" in refusal.value.remedy
    assert tool("integrated_gradients", most=50)(wrapped(Branching), pictures(1), 0).values.isfinite().all()


class Mixed(nn.Module):
    """Layers that some methods have no rule for, with names."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), layer)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.features(x).mean((2, 3)))
        return out


@pytest.mark.parametrize(
    ("layer", "lrp", "deeplift"),
    [
        (nn.SiLU, "LRP has no rule for SiLU at 'features.1'", ""),
        (nn.Hardswish, "LRP has no rule for Hardswish at 'features.1'", ""),
        (nn.GELU, "LRP has no rule for GELU at 'features.1'", ""),
        (lambda: nn.LayerNorm(24), "LRP has no rule for LayerNorm at 'features.1'", ""),
        (lambda: nn.GroupNorm(2, 4), "no rule for GroupNorm at", "DeepLIFT has no rule for GroupNorm at 'features.1'"),
        (lambda: nn.BatchNorm2d(4, track_running_stats=False), "without running statistics", "without running statis"),
        (nn.ELU, "", ""),
        (nn.ReLU6, "", ""),
    ],
)
def test_layers_without_a_rule_are_refused_by_name_before_any_work(layer: Any, lrp: str, deeplift: str) -> None:
    net = wrapped(lambda: Mixed(layer()))
    for name, says in (("lrp", lrp), ("deeplift", deeplift)):
        with net.counting() as counter:
            if says:
                with pytest.raises(Refusal, match=says):
                    tool(name)(net, pictures(2), 1)
                assert counter.passes == 0
            else:
                assert tool(name)(net, pictures(2), 1).values.abs().max() > 0


def test_deeplift_is_complete_at_layers_beyond_the_paper() -> None:
    for layer in (
        nn.GELU(),
        nn.SiLU(),
        nn.LayerNorm(24),
        nn.Hardswish(),
        nn.MaxPool2d(3, 1, 1),
        nn.AdaptiveMaxPool2d(3),
    ):
        for parameter in layer.parameters():
            nn.init.normal_(parameter)  # with LayerNorm's own weights the mean that follows would be constant
        net = wrapped(lambda layer=layer: Mixed(layer))  # type: ignore[misc]
        images = pictures(3)
        values = tool("deeplift", baseline=0.5)(net, images, 1).values
        wanted = (net(images) - net(torch.full_like(images, 0.5)))[:, 1]
        torch.testing.assert_close(values.sum((1, 2)), wanted, atol=1e-5, rtol=1e-3)


def test_hidden_rectifiers_are_refused() -> None:
    class Hiding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.TransformerEncoderLayer(24, 2, 8, dropout=0.0, batch_first=True)
            self.fc = nn.Linear(24, 5)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.fc(self.inner(x.mean(1).relu()).mean(1))
            return out

    with pytest.raises(Refusal, match="ReLUs in TransformerEncoderLayer at 'inner'"):
        tool("guided_backprop")(wrapped(Hiding), pictures(1), 0)


def test_the_layer_of_grad_cam_is_found_and_can_be_named() -> None:
    net = classifier("reused")
    images = pictures(2)
    auto = tool("guided_gradcam")(net, images, 1).values
    assert torch.equal(tool("guided_gradcam", layer="relu")(net, images, 1).values, auto)  # its second use
    assert not torch.equal(tool("guided_gradcam", layer="norm")(net, images, 1).values, auto)
    with pytest.raises(Refusal, match="BatchNorm at 'norm' of reused is folded into layer 'stem'"):
        tool("guided_gradcam", layer="stem")(net, images, 1)
    with pytest.raises(Refusal, match="'fc' of reused puts out no pixels"):
        tool("guided_gradcam", layer="fc")(net, images, 1)
    with pytest.raises(UsageError, match="did you mean 'inner'"):
        tool("guided_gradcam", layer="iner")(net, images, 1)


class Functional(nn.Module):
    """BatchNorm as a function, which needs no module; behind a convolution, and where it cannot be folded."""

    mean0: Tensor
    var0: Tensor
    mean1: Tensor
    var1: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.fc = nn.Linear(4, 5)
        for i in range(2):
            self.register_buffer(f"mean{i}", torch.randn(4))
            self.register_buffer(f"var{i}", torch.rand(4) + 0.5)
        self.weight, self.bias = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        x = F.batch_norm(self.conv(x), self.mean0, self.var0, self.weight, self.bias, eps=0.1)
        x = F.batch_norm(F.relu(x), self.mean1, running_var=self.var1)
        a, b = x.mean((2, 3)).unbind(1)[:2]
        out: Tensor = self.fc(x.mean((2, 3))) + torch.stack((a, b, a, b, a), 1)
        return out


def test_batchnorm_may_be_a_function() -> None:
    net = wrapped(Functional)
    assert kinds(net) == Counter(Conv2d=1, ReLU=1, BatchNorm2d=1, Mean=2, Linear=1, Addition=1)
    images, black = pictures(2), torch.zeros(1, 3, 24, 24)
    maps = tool("deeplift")(net, images, 1).values
    torch.testing.assert_close(maps.sum((1, 2)), (net(images) - net(black))[:, 1], atol=1e-5, rtol=1e-4)
    told = tool("lrp")(net, images, 1)
    total = told.values.sum((1, 2)) + told.notes["relevance that the biases took"]
    torch.testing.assert_close(total, net(images)[:, 1], atol=1e-4, rtol=1e-3)


class OfTheBatch(Functional):
    """BatchNorm by the statistics of the images at hand, of which one depends on the others."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(F.batch_norm(self.conv(x), None, None, training=True).mean((2, 3)))
        return out


def test_batchnorm_by_the_images_at_hand_is_refused() -> None:
    for name in ("deeplift", "lrp"):
        with pytest.raises(Refusal, match="no rule for batch_norm at 'batch_norm'"):
            tool(name)(wrapped(OfTheBatch), pictures(2), 1)


@pytest.mark.parametrize(
    ("build", "settings", "says"),
    [
        (lambda: Mixed(nn.GELU()), {}, "only GELU at 'features.1'"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(1728, 8), nn.ReLU(), nn.Linear(8, 5)), {}, "no convolution"),
        (lambda: Mixed(nn.ReLU()), {"layer": "fc"}, "puts out no pixels"),
    ],
)
def test_guided_gradcam_refuses_before_any_image_goes_through(
    build: Callable[[], nn.Module], settings: dict[str, str], says: str
) -> None:
    net = wrapped(build)
    with net.counting() as counter, pytest.raises(Refusal, match=says):
        tool("guided_gradcam", **settings)(net, pictures(2), 1)
    assert counter.passes == 0


@pytest.mark.parametrize("name", ["inception_v3", "googlenet", "densenet121", "mobilenet_v3_small", "convnext_tiny"])
def test_copies_of_stock_networks_are_the_same_function_but_for_rounding(name: str) -> None:
    """In float64, where nothing hides behind rounding: in float32 ``inception_v3`` differs by 5e-6 of its logits."""
    size = 96 if name == "inception_v3" else 64
    special = {"init_weights": False, "transform_input": True} if name in ("inception_v3", "googlenet") else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stock: nn.Module = getattr(torchvision.models, name)(num_classes=5, **special)
        for norm in stock.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
                norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
                nn.init.normal_(norm.bias, std=0.1)
    stock = stock.double().eval()
    images = pictures(2, size=size).double()
    twin = fx.GraphModule(copy.deepcopy(stock), fx.Tracer().trace(copy.deepcopy(stock)))
    look(twin, images[:1])
    rewrite(twin)
    with torch.no_grad():
        wanted, found = stock(images), twin(images)
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-10


@pytest.mark.parametrize(
    "name", ["integrated_gradients", "deeplift", "deeplift_shap", "gradient_shap", "guided_gradcam", "lrp"]
)
def test_maps_depend_neither_on_the_batch_nor_on_the_others(name: str) -> None:
    net, images, references = classifier("reused"), pictures(5), pictures(7, seed=1)
    special: dict[str, dict[str, Any]] = {
        "gradient_shap": {"samples": 5, "noise": 0.1},
        "deeplift_shap": {"baselines": 3},
    }
    made, targets = tool(name, **special.get(name, {})), torch.tensor([0, 1, 2, 3, 4])
    whole = made(net, images, targets, references=references, batch=64).values
    parts = made(net, images, targets, references=references, batch=2).values
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-3)
    first = made(net, images[:1], targets[:1], references=references).values
    torch.testing.assert_close(first, whole[:1], atol=1e-6, rtol=1e-3)
