from __future__ import annotations

import numpy as np
import pytest
import torch
from fixtures_nets import (
    BUILDS,
    CLASSES,
    SIZE,
    Attending,
    Opaque,
    Paired,
    Reused,
    classifier,
    module,
    pictures,
    wrapped,
)
from torch import Tensor, nn

from gifthorse import ground
from gifthorse.classifier import FORWARD_BATCH, FORWARD_TIMES, TIMES, Classifier, bfloat16_is_fast, pin, resolve
from gifthorse.errors import InputError, Refusal, UsageError
from gifthorse.ground import takes_channels_last
from gifthorse.images import to_uint8
from gifthorse.records import Ground

NETS = sorted(BUILDS)
FAST = bfloat16_is_fast("cpu")


def hooks(net: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(m, kind)) for m in net.modules() for kind in kinds)


@pytest.mark.parametrize("name", NETS)
def test_logits_are_the_modules_on_normalised_images(name: str) -> None:
    net, images = classifier(name), pictures(3)
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3])
    raw = net.module((images - mean[:, None, None]) / std[:, None, None])
    torch.testing.assert_close(net(images), raw[1] if name == "paired" else raw)


def test_the_module_is_frozen_and_in_eval_mode() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(3 * SIZE * SIZE, 5)).train()
    Classifier(net, classes=CLASSES, size=SIZE)
    assert not any(m.training for m in net.modules())
    assert not any(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("name", ["linear", "plain", "reused", "attending"])
def test_penultimate_times_head_is_the_logits(name: str) -> None:
    net, images = classifier(name), pictures(3)
    features, logits = net.features_and_logits(images)
    head = [m for m in net.module.modules() if isinstance(m, nn.Linear)][-1]
    torch.testing.assert_close(features @ net.head_weight().T + head.bias, logits)
    torch.testing.assert_close(net.penultimate(images), features)
    assert net.head_weight().shape == (5, features.shape[1])
    assert hooks(net.module) == 0


def test_the_head_is_the_linear_layer_that_runs_last_not_the_one_registered_last() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(5, 5)
            self.first = nn.Linear(3, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.head(self.first(x.mean((2, 3))))
            return out

    net = wrapped(Backwards)
    assert isinstance(net.module, Backwards)
    assert torch.equal(net.head_weight(), net.module.head.weight)


def test_without_a_linear_end_the_penultimate_is_refused() -> None:
    for ask in (classifier("paired").head_weight, lambda: classifier("paired").penultimate(pictures(1))):
        with pytest.raises(Refusal, match="does not end in a linear layer"):
            ask()


def test_activations_are_seen_before_an_in_place_relu() -> None:
    net, images = classifier("reused"), pictures(2)
    seen = net.activations(images, "norm")
    assert (seen < 0).any()
    assert net.activations(images, "relu").shape == seen.shape
    assert hooks(net.module) == 0
    with pytest.raises(UsageError, match=r"'norn'(.|\n)*did you mean 'norm'"):
        net.activations(images, "norn")


def test_hooks_go_when_the_pass_fails() -> None:
    net = classifier("plain")
    for ask in (lambda x: net.activations(x, "0"), net.features_and_logits):
        with pytest.raises(InputError):
            ask(pictures(1) + 5)
        assert hooks(net.module) == 0


def test_layers_are_the_modules_names() -> None:
    assert classifier("reused").layers() == ["stem", "norm", "inner", "relu", "fc"]


def test_counting_counts_images_forward_and_back() -> None:
    net, images = classifier("plain"), pictures(3).requires_grad_()
    with net.counting() as outer:
        net(pictures(2))
        with net.counting() as inner:
            torch.autograd.grad(net(images).sum(), images)
            net.predict(pictures(4), batch=3)
        with torch.no_grad():
            net(images)
    net(images)
    assert (inner.forward, inner.backward) == (7, 3)
    assert (outer.forward, outer.backward, outer.passes) == (12, 3, 15)


def test_the_counter_that_ends_is_the_one_that_began() -> None:
    net = classifier("linear")
    with net.counting() as outer:
        with net.counting():
            pass
        net(pictures(1))
    assert outer.forward == 1


def test_predict_is_softmax_in_batches_of_any_size() -> None:
    net, images = classifier("plain"), pictures(7)
    stored = to_uint8(images)
    expected = net(torch.from_numpy(stored) / 255).softmax(1)
    for given in (stored, torch.from_numpy(stored), torch.from_numpy(stored) / 255):
        for batch in (None, 1, 3):
            torch.testing.assert_close(net.predict(given, batch=batch), expected)
    assert net.predict(np.zeros((0, 3, SIZE, SIZE), np.uint8)).shape == (0, 5)
    assert not net.predict(images).requires_grad


def test_the_digest_is_of_weights_preprocessing_and_classes() -> None:
    base = classifier("plain")
    assert base.digest == classifier("plain").digest
    assert base.digest != Classifier(base.module, classes=CLASSES, size=SIZE).digest
    renamed = Classifier(
        base.module, classes=("x", *CLASSES[1:]), size=SIZE, mean=base.mean, std=base.std, device="cpu"
    )
    assert base.digest != renamed.digest
    if FAST:
        assert base.digest == classifier("plain", "bfloat16").digest
    before = base.digest
    with torch.no_grad():
        next(base.module.parameters())[0] += 1
    assert base.digest != before


def test_the_micro_batch_is_a_power_of_two_that_follows_from_memory() -> None:
    net = module(Reused)
    sizes = [Classifier(net, classes=CLASSES, size=SIZE, memory=m).micro_batch for m in (1, 200_000, 400_000, 1 << 40)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    assert sizes[-1] == 256
    assert sizes[2] == 2 * sizes[1]
    assert all(size & (size - 1) == 0 for size in sizes)


class Bare(nn.Module):
    """Its one layer never runs as a module, so that nothing is seen of what it puts out."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 8 * 8, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(images.flatten(1), self.fc.weight, self.fc.bias)


def test_a_network_whose_layers_cannot_be_seen_is_a_classifier_too() -> None:
    net = Classifier(Bare(), classes="abc", size=8, device="cpu")
    assert net(torch.rand(2, 3, 8, 8)).shape == (2, 3)
    assert net.held == 0
    assert net.micro_batch == 256


def test_passes_without_gradients_take_more_images_where_few_fit_with_them() -> None:
    layers = [nn.Conv2d(3, 3, 3, padding=1) for _ in range(11)]
    deep = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, len(CLASSES)))
    net = Classifier(deep, classes=CLASSES, size=SIZE, memory=1 << 40)
    assert net.forward_batch == net.micro_batch == 256, "nothing is gained beyond what fits with gradients"
    net.memory = TIMES * net._bytes * 4
    assert net.micro_batch == 4
    assert net.memory // (FORWARD_TIMES * net._widest) in range(16, 32)
    assert net.forward_batch == 16
    net.memory *= 2
    assert (net.micro_batch, net.forward_batch) == (8, FORWARD_BATCH)
    net.memory *= 4
    assert net.micro_batch == net.forward_batch == 32
    net.memory = 1
    assert net.forward_batch == 1


def test_the_view_is_a_module_whose_layers_can_be_hooked() -> None:
    net, images = classifier("plain"), pictures(2)
    torch.testing.assert_close(net.view(images), net(images))
    assert "network.0" in dict(net.view.named_modules())
    assert torch.isfinite(net.view(images + 3)).all()  # perturbations may leave the range


@pytest.mark.skipif(not FAST, reason="no bfloat16 arithmetic on this CPU")
@pytest.mark.parametrize("name", ["plain", "reused"])
def test_bfloat16_is_near_and_its_logits_are_float32(name: str) -> None:
    images = pictures(4)
    exact, near = classifier(name), classifier(name, "bfloat16")
    assert near.ground.precision == "bfloat16"
    logits = near(images)
    assert logits.dtype == torch.float32 == near.features_and_logits(images)[0].dtype
    torch.testing.assert_close(logits, exact(images), atol=0.05, rtol=0.05)
    assert not torch.equal(logits, exact(images))
    with near.in_float32():
        torch.testing.assert_close(near(images), exact(images))
    assert near.precision == "bfloat16"


def test_auto_keeps_float32_where_nothing_convolves() -> None:
    attending = Classifier(module(Attending), classes=CLASSES, size=SIZE, device="cpu")
    assert attending.ground.precision == "float32"
    convolving = Classifier(module(Reused), classes=CLASSES, size=SIZE, device="cpu")
    assert convolving.ground.precision == ("bfloat16" if FAST else "float32")


@pytest.mark.parametrize(
    ("images", "says"),
    [(pictures(1) * 2 + 1, "normalis"), (pictures(1, size=30), "resize"), (pictures(1)[0], "N, 3, H, W")],
)
def test_a_wrong_image_is_refused_in_the_callers_words(images: torch.Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        classifier("plain")(images)


def test_a_module_that_is_no_classifier_is_refused() -> None:
    with pytest.raises(InputError, match="class names"):
        Classifier(module(Reused), classes=CLASSES[:3], size=SIZE)
    with pytest.raises(InputError, match="output="):
        Classifier(module(Paired), classes=CLASSES, size=SIZE)
    assert wrapped(Opaque)(pictures(1)).shape == (1, 5)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"device": "gpu"}, "no device 'gpu'"),
        ({"precision": "float16"}, "did you mean"),
        ({"threads": 0}, "at least 1"),
    ],
)
def test_resolve_refuses_what_it_does_not_know(settings: dict[str, str | int], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        resolve(**settings)  # type: ignore[arg-type]


def test_resolve_never_says_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve("cpu", "float32", 3) == Ground(device="cpu", precision="float32", threads=3)
    found = resolve()
    assert found.device in ground.DEVICES
    assert found.precision in ground.PRECISIONS
    assert found.threads >= 1
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no cuda"):
        resolve("cuda")


@pytest.mark.parametrize(("flag", "fast"), [("avx512_bf16", True), ("amx_bf16", True), ("avx2", False)])
def test_bfloat16_is_detected_not_assumed(monkeypatch: pytest.MonkeyPatch, flag: str, fast: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {flag: True, "amx_fp16": False}, raising=False)
    assert bfloat16_is_fast("cpu") is fast
    assert resolve("cpu").precision == ("bfloat16" if fast else "float32")
    assert not bfloat16_is_fast("mps")
    if not fast:
        with pytest.raises(UsageError, match="no bfloat16"):
            resolve("cpu", "bfloat16")


def test_older_torch_is_read_from_the_flags_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(ground, "_flags_of_linux", lambda: {"avx512_bf16"})
    assert bfloat16_is_fast("cpu")


def test_pin_sets_the_threads() -> None:
    before = torch.get_num_threads()
    try:
        pin(Ground(device="cpu", precision="float32", threads=1))
        assert torch.get_num_threads() == 1
        assert classifier("linear").ground.threads == 1
    finally:
        torch.set_num_threads(before)


class Viewing(nn.Module):
    """As many write it: a view after convolutions, which only the default layout allows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4 * 8 * 8, 2)

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.head(self.conv(images).view(len(images), -1))
        return made


def test_a_module_that_calls_view_is_left_in_its_layout() -> None:
    module = Viewing()
    images = torch.rand(3, 3, 8, 8)
    wanted = module(images)
    net = Classifier(module, classes=("a", "b"), size=8, precision="float32")
    torch.testing.assert_close(net(images), wanted)
    assert module.conv.weight.is_contiguous()


def test_other_convolutions_run_channels_last() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    images = torch.rand(3, 3, 8, 8)
    wanted = module(images)
    net = Classifier(module, classes=("a", "b"), size=8, precision="float32", device="cpu")
    torch.testing.assert_close(net(images), wanted)
    conv = module[0]
    assert isinstance(conv, nn.Conv2d)
    assert conv.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("inputs", "kernel", "stride", "groups", "last"),
    [(4, 1, 2, 1, False), (4, 1, 1, 1, True), (4, 3, 2, 1, True), (8, 1, 2, 1, True), (4, 1, 2, 4, True)],
)
def test_a_layout_in_which_gradients_never_end_is_not_taken(
    inputs: int, kernel: int, stride: int, groups: int, last: bool
) -> None:
    conv = nn.Conv2d(inputs, 16, kernel, stride, groups=groups)
    assert takes_channels_last(nn.Sequential(nn.Conv2d(3, inputs, 3), conv)) == last


def test_a_classifier_leaves_such_a_network_in_its_layout() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 1, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    Classifier(module, classes=tuple("abcdef"), size=8, precision="float32", device="cpu")
    assert all(p.is_contiguous() for p in module.parameters())


def test_networks_without_convolutions_or_with_volumes_keep_their_layout() -> None:
    assert not takes_channels_last(nn.Linear(4, 4))
    assert not takes_channels_last(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv3d(1, 8, 3)))


def test_counting_tells_those_who_wait() -> None:
    net = classifier("plain")
    told: list[int] = []
    with net.counting(told.append) as passed:
        net.predict(pictures(5), batch=2)
    assert told == [2, 4, 5]
    assert passed.passes == 5
