"""One table over every tool and every fixture network: what a user of any tool may rely on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_generator import candidates, disguise, generator
from fixtures_nets import BUILDS, SIZE, Broken, Opaque, classifier, one_thread, pictures, wrapped
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from gifthorse.classifier import Classifier
from gifthorse.errors import GifthorseError, InputError, Refusal, UsageError
from gifthorse.records import canonical, plain, read
from gifthorse.tools import TOOLS
from gifthorse.tools.attribution.base import Attribution, Maps
from gifthorse.tools.attribution.ruled import Ruled
from gifthorse.tools.base import Tool
from gifthorse.tools.synthesis.base import Findings, Synthesis, brief

__all__ = ["one_thread"]


@dataclass(frozen=True)
class Promise:
    """A tool with settings small enough for a test, and what it promises beyond what all do.

    Attributes:
        stochastic: another seed gives another result.
        blind: it does not look at the network (so it cannot refuse one).
        coupled: its findings are made together, so that each depends on how many there are.
        refuses: fixture networks that it cannot do, each with a word of the reason.
    """

    tool: str
    settings: dict[str, Any] = field(default_factory=dict)
    stochastic: bool = False
    blind: bool = False
    coupled: bool = False
    refuses: dict[str, str] = field(default_factory=dict)


WITHOUT_RELU = {
    "linear": "linear has none",
    "attending": "MultiheadAttention at 'attention'",
    "paired": "only Tanh at 'tanh'",
}

HEADLESS = {"paired": "does not end in a linear layer"}

SMALL_SNAFUE: dict[str, Any] = {
    "attack": "adversarial_patch@screen=1@screenings=1", "synthetic": 2, "screen": 1, "share": 0.4,
}  # fmt: skip

PROMISES = (
    Promise("saliency"),
    Promise("saliency", {"sign": "signed", "channels": "sum"}),
    Promise("input_x_gradient"),
    Promise("integrated_gradients", {"steps": 4, "most": 16}),
    Promise("integrated_gradients", {"steps": 4, "most": 4, "baseline": "mean"}),
    Promise("deeplift", refuses={"attending": "MultiheadAttention at 'attention'"}),
    Promise("deeplift", {"baseline": "mean", "sign": "positive"}, refuses={"attending": "MultiheadAttention"}),
    Promise("deeplift_shap", refuses={"attending": "MultiheadAttention"}),
    Promise("deeplift_shap", {"baselines": 2}, stochastic=True, refuses={"attending": "MultiheadAttention"}),
    Promise("gradient_shap", {"samples": 6}, stochastic=True),
    Promise("gradient_shap", {"samples": 6, "noise": 0.1, "complete": False}, stochastic=True),
    Promise("guided_backprop", refuses=WITHOUT_RELU),
    Promise("deconvolution", refuses=WITHOUT_RELU),
    Promise("guided_gradcam", refuses=WITHOUT_RELU),
    Promise("lrp", refuses={"attending": "MultiheadAttention at 'attention'"}),
    Promise("lrp", {"rules": "epsilon_gamma_box"}, refuses={"attending": "MultiheadAttention"}),
    Promise("occlusion"),
    Promise("occlusion", {"window": 6, "stride": 5, "baseline": "mean"}),
    Promise("feature_ablation", {"cells": 4}),
    Promise("feature_ablation", {"features": "superpixels", "segments": 9, "baseline": "mean"}),
    Promise("feature_permutation", {"cells": 3, "draws": 2}, stochastic=True),
    Promise("feature_permutation", {"features": "superpixels", "segments": 9, "draws": 3}, stochastic=True),
    Promise("lime", {"cells": 3, "samples": 40}, stochastic=True),
    Promise("lime", {"features": "superpixels", "segments": 9, "samples": 40, "distance": "pixels"}, stochastic=True),
    Promise("kernel_shap", {"cells": 4, "samples": 60}, stochastic=True),
    Promise("kernel_shap", {"features": "superpixels", "segments": 9, "samples": 40}, stochastic=True),
    Promise("shapley_value_sampling", {"cells": 3, "orders": 4}, stochastic=True),
    Promise("shapley_value_sampling", {"features": "superpixels", "segments": 9, "orders": 2}, stochastic=True),
    Promise("edges_sobel", blind=True),
    Promise("edges_canny", {"sigma": 0.5}, blind=True),
    Promise("centre", blind=True),
    Promise("random", stochastic=True, blind=True),
    Promise("blank", blind=True),
    Promise("tabor", {"screen": 1, "overlay": 0.0}, stochastic=True),
    Promise("tabor", {"screen": 2, "extent": "full", "pattern_cells": 6}, stochastic=True),
    Promise("tabor", {"screen": 2, "extent": "local", "blocking": 0.1, "overlay": 0.0}, stochastic=True),
    Promise("fourier_inner", {"screenings": 1, "neurons": 2}, stochastic=True, refuses=HEADLESS),
    Promise("fourier_target", {"screenings": 2}, stochastic=True),
    Promise("cppn_inner", {"resolution": 12, "screenings": 1, "neurons": 2}, stochastic=True, refuses=HEADLESS),
    Promise("maco_target", {"screenings": 2}, stochastic=True),
    Promise("adversarial_patch", {"screen": 3}, stochastic=True),
    Promise("cppn_target", {"resolution": 12, "screenings": 2, "layers": 4, "hidden": 6}, stochastic=True),
    Promise("rfla_perturb", {"screen": 3, "layer": "drawing.blocks.0"}, stochastic=True),
    Promise("rfla_perturb", {"screen": 2, "start": "mixed", "real": 0.0, "sure": 0.0, "unlike": 0.0}, stochastic=True),
    Promise("rfla_perturb", {"screen": 2, "space": "pixels", "shown": 1}, stochastic=True),
    Promise("rfla_generate", {"screen": 3}, stochastic=True, coupled=True),
    Promise("rfla_region", {"screen": 3, "cut": 3}, stochastic=True),
    Promise("rfla_region", {"shown": "scene", "change": "channels", "faithful": True}, stochastic=True),
    Promise("snafue", SMALL_SNAFUE, stochastic=True, coupled=True, refuses=HEADLESS),
    Promise("snafue", SMALL_SNAFUE | {"faithful": True}, stochastic=True, coupled=True, refuses=HEADLESS),
    Promise("noise", {"screen": 3}, stochastic=True),
    Promise("truth", {"screen": 3}, stochastic=True),
)

NETS = sorted(BUILDS)
N, BUDGET = 3, 90


def name_of(promise: Promise) -> str:
    return "-".join([promise.tool, *(f"{k}={v}" for k, v in promise.settings.items())])


def made(promise: Promise) -> Tool:
    tool: Tool = TOOLS.make(promise.tool, promise.settings)
    return tool


def prepared(device: str = "cpu") -> dict[str, Any]:
    """Every input that some tool has prepared."""
    truth = pictures(2, channels=4, seed=2)
    drawn = {"generator": generator(device=device), "scenes": generator(1, device)}
    return {"truth": truth, "disguise": disguise(device=device), "pool": candidates()} | drawn


def use(tool: Tool, network: Classifier, seed: int = 0) -> Maps | Findings:
    """Three maps of three images, or three findings within ninety passes."""
    if isinstance(tool, Attribution):
        return tool(network, pictures(N), 2, references=pictures(4, seed=1), seed=seed)
    assert isinstance(tool, Synthesis)
    assets = prepared(network.device)
    return tool(network, *brief(2, pictures(12, seed=3)), n=N, budget=BUDGET, keep=2, seed=seed, assets=assets)


def values(result: Maps | Findings) -> Tensor:
    return result.values if isinstance(result, Maps) else result.pictures


def losses(result: Maps | Findings) -> list[float]:
    return [] if isinstance(result, Maps) else [f.loss for f in result.findings]


def trace(network: Classifier) -> list[Any]:
    """Everything that a tool must leave as it was."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    modules = [network.module, *network.module.modules(), network.view]
    return [
        [len(getattr(m, kind)) for m in modules for kind in kinds],
        [m.training for m in modules],
        [(p.requires_grad, p.grad is None) for p in network.module.parameters()],
        network.digest,
        network.ground,
        list(network._counters),
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # type: ignore[index]
        random.getstate(),
        torch.is_grad_enabled(),
        [name for name, _ in network.module.named_modules()],
    ]


@contextmanager
def entered(network: Classifier, enter: Callable[[nn.Module, tuple[Any, ...]], None]) -> Iterator[None]:
    """Told of every call of the network's own module, or of a prepared copy in its place."""

    def see(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if module is network.module or isinstance(module, Ruled):
            enter(module, inputs)

    handle = register_module_forward_pre_hook(see)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def counted(network: Classifier) -> Iterator[dict[str, int]]:
    """Images that really went through the module and came back, seen from the module itself."""
    seen = {"calls": 0, "forward": 0, "backward": 0}

    def back(gradient: Tensor) -> None:
        seen["backward"] += len(gradient)

    def enter(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen["calls"] += 1
        seen["forward"] += len(inputs[0])
        if inputs[0].requires_grad and torch.is_grad_enabled():
            inputs[0].register_hook(back)

    with entered(network, enter):
        yield seen


every_tool = pytest.mark.parametrize("promise", PROMISES, ids=name_of)
looking = pytest.mark.parametrize("promise", [p for p in PROMISES if not p.blind], ids=name_of)


@pytest.mark.parametrize("net", NETS)
@every_tool
def test_every_tool_on_every_network(promise: Promise, net: str) -> None:
    network, tool = classifier(net), made(promise)
    if net in promise.refuses:
        with pytest.raises(Refusal, match=promise.refuses[net]):
            use(tool, network)
        return
    before = trace(network)
    with counted(network) as really:
        result = use(tool, network)
    assert trace(network) == before

    assert values(result).dtype == torch.float32
    assert values(result).isfinite().all()
    assert (result.cost.forward, result.cost.backward) == (really["forward"], really["backward"])
    assert result.cost.seconds > 0
    assert result.settings == tool.settings
    if isinstance(result, Maps):
        assert result.values.shape == (N, SIZE, SIZE)
        assert "gradients" in tool.needs or result.cost.backward == 0
    else:
        check_findings(result, promise.tool.endswith("_inner"))

    again = use(tool, network)
    assert torch.equal(values(again), values(result))
    assert losses(again) == losses(result)
    if promise.stochastic:
        assert not torch.equal(values(use(tool, network, seed=1)), values(result))


def check_findings(result: Findings, ranked: bool) -> None:
    n, channels, h, w = result.pictures.shape
    assert (n, channels) == (N, 4)
    assert h == w <= SIZE
    assert 0 <= result.pictures.min() <= result.pictures.max() <= 1
    assert 0 < result.cost.forward + result.cost.backward <= BUDGET
    assert [f.picture for f in result.findings] == [0, 1, 2]
    order = sorted(range(N), key=lambda i: result.findings[i].loss)
    if ranked:
        assert len(set(result.kept)) == 2
        assert sorted(i % 2 for i in result.kept) == [0, 1], "the best of each of two neurons"
    else:
        assert list(result.kept) == order[:2]


@looking
def test_a_network_that_fails_midway_is_left_as_it_was(promise: Promise) -> None:
    network = classifier("reused")
    before = trace(network)
    with counted(network) as seen:
        use(made(promise), network)
    calls = 0

    def fail(_module: nn.Module, _inputs: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == seen["calls"] // 2 + 1:
            raise KeyError("broken on purpose")

    with entered(network, fail), pytest.raises(KeyError, match="on purpose"):
        use(made(promise), network)
    assert trace(network) == before


@pytest.mark.parametrize("promise", [p for p in PROMISES if "gradients" in TOOLS.load(p.tool).needs], ids=name_of)
def test_a_network_without_a_gradient_is_refused_by_name(promise: Promise) -> None:
    network = wrapped(Opaque)
    with pytest.raises(Refusal, match="Opaque have no gradient"):
        use(made(promise), network)


@pytest.mark.parametrize("promise", [p for p in PROMISES if "gradients" not in TOOLS.load(p.tool).needs], ids=name_of)
def test_a_tool_that_needs_no_gradient_does_without(promise: Promise) -> None:
    assert use(made(promise), wrapped(Opaque)).cost.backward == 0


@looking
def test_values_that_are_not_finite_are_refused(promise: Promise) -> None:
    with pytest.raises(Refusal, match="not finite"):
        use(made(promise), wrapped(Broken))


@every_tool
def test_a_network_in_training_mode_is_an_error(promise: Promise) -> None:
    network = classifier("plain")
    network.module.train()
    with pytest.raises(InputError, match="training mode"):
        use(made(promise), network)


@every_tool
def test_a_grown_setting_is_frozen(promise: Promise) -> None:
    tool = made(promise)
    assert is_dataclass(tool)
    for one in fields(tool):
        with pytest.raises(FrozenInstanceError):
            setattr(tool, one.name, None)
    with pytest.raises(TypeError):
        type(tool)(1)  # type: ignore[call-arg]


ATTRIBUTIONS = [p for p in PROMISES if TOOLS[p.tool].kind == "attribution"]
SYNTHESES = [p for p in PROMISES if TOOLS[p.tool].kind == "synthesis"]


@pytest.mark.parametrize("promise", ATTRIBUTIONS, ids=name_of)
def test_a_map_depends_neither_on_batch_nor_on_company(promise: Promise) -> None:
    network, tool = classifier("reused"), made(promise)
    assert isinstance(tool, Attribution)
    images, references = pictures(3), pictures(4, seed=1)
    targets = torch.tensor([0, 3, 1])
    together = tool(network, images, targets, references=references).values
    alone = tool(network, images[:1], 0, references=references).values
    narrow = tool(network, images, targets, references=references, batch=2).values
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together, narrow, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("promise", [p for p in SYNTHESES if not p.coupled], ids=name_of)
def test_a_finding_does_not_depend_on_how_many_there_are(promise: Promise) -> None:
    settings = {"steps": 3} if "steps" in {f.name for f in fields(TOOLS.load(promise.tool))} else {}
    tool = TOOLS.make(promise.tool, promise.settings | settings)
    network, assets = classifier("reused"), prepared()
    given = brief(1, pictures(12, seed=3))
    few, many = (tool(network, *given, n=n, keep=1, budget=1000, assets=assets) for n in (2, 4))
    torch.testing.assert_close(many.pictures[:2], few.pictures, atol=1e-3, rtol=0)
    assert not torch.allclose(many.pictures[0], many.pictures[1], atol=1e-2)


@pytest.mark.parametrize("promise", SYNTHESES, ids=name_of)
@pytest.mark.parametrize("budget", [25, 60, 333])
def test_no_budget_is_overrun(promise: Promise, budget: int) -> None:
    network = classifier("linear")
    found = made(promise)(network, *brief(1, pictures(12)), n=3, keep=3, budget=budget, assets=prepared())
    assert 0 < found.cost.forward + found.cost.backward <= budget


WRONG_IMAGES = [
    (pictures(2) * 3 - 1, InputError, "normalis"),
    (pictures(2)[0], InputError, "N, 3, H, W"),
    ((pictures(2) * 255).to(torch.uint8), InputError, "uint8"),
    (pictures(2, size=SIZE + 1), InputError, "resize"),
]


@pytest.mark.parametrize(("images", "error", "says"), WRONG_IMAGES, ids=[says for _, _, says in WRONG_IMAGES])
@pytest.mark.parametrize("promise", [p for p in ATTRIBUTIONS if not p.blind], ids=name_of)
def test_wrong_images_are_errors_in_the_callers_words(
    promise: Promise, images: Tensor, error: type[GifthorseError], says: str
) -> None:
    with pytest.raises(error, match=says):
        made(promise)(classifier("plain"), images, 1, references=pictures(2))


@pytest.mark.parametrize("target", [-1, 5])
def test_a_wrong_target_is_an_error(target: int) -> None:
    network = classifier("plain")
    with pytest.raises(InputError, match="0 to 4"):
        TOOLS.make("blank")(network, pictures(2), target)
    with pytest.raises(InputError, match="0 to 4"):
        TOOLS.make("noise")(network, *brief(target, pictures(8)))


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ({"n": 0}, "n is 0"),
        ({"n": 2, "keep": 3}, "keep is 3"),
        ({"n": 2, "keep": 0}, "keep is 0"),
        ({"n": 5, "budget": 4}, "does not pay"),
        ({"budget": 0}, "budget 0"),
    ],
)
@pytest.mark.parametrize("promise", SYNTHESES, ids=name_of)
def test_a_wrong_order_is_an_error(promise: Promise, order: dict[str, int], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        made(promise)(classifier("linear"), *brief(1, pictures(8)), **order, assets=prepared())


def test_a_missing_asset_is_an_error() -> None:
    with pytest.raises(InputError, match="needs truth prepared"):
        TOOLS.make("truth")(classifier("linear"), *brief(1, pictures(8)))


# -- the table ----------------------------------------------------------------------------------------------------


def test_every_row_is_in_the_contract_table() -> None:
    assert {p.tool for p in PROMISES} == set(TOOLS.rows)


@pytest.mark.parametrize("name", sorted(TOOLS.rows))
def test_row_and_class_agree(name: str) -> None:
    row, cls = TOOLS[name], TOOLS.load(name)
    kinds = {"attribution": Attribution, "synthesis": Synthesis}
    assert issubclass(cls, kinds[row.kind])
    assert not getattr(cls, "__abstractmethods__", None)
    assert row.where.startswith(f"gifthorse.tools.{row.kind}.")
    assert cls.__doc__
    documented = " ".join(base.__doc__ or "" for base in cls.__mro__ if base.__module__.startswith("gifthorse.tools"))
    assert all(f.name in documented for f in fields(cls)), "every setting is in the docstring"
    spec = TOOLS.spec(name)
    assert TOOLS.remake(read(type(spec), plain(spec))) == cls()
    assert canonical(spec)
