"""A second device that is not there: tensors on it are on the CPU, and whatever mixes the two is an error, as on CUDA.

What needs a device to be tested needs none here: a tensor left behind on the CPU is found by the first operation that
takes it beside one of the other device.
"""

# mypy: disable-error-code="override, no-untyped-call, arg-type, attr-defined"
# (torch's own signatures of what a class of tensors may override are narrower than what it calls)

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_iter, tree_map

from gifthorse import ground

DEVICE = "meta"
"""torch wants no driver for it, and differentiates on the thread that asks."""

_aten = torch.ops.aten

INDEXING = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default}
"""What takes indices from the CPU for values of another device."""


class Far(torch.Tensor):
    """A tensor that says it is on the other device."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls: type[Far], held: torch.Tensor) -> Far:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    def __repr__(self, **_: Any) -> str:
        return f"Far({self.held!r})"

    def tolist(self) -> Any:
        """As any device gives it; torch refuses it to classes of tensors."""
        return self.held.tolist()

    def new_tensor(self, data: Any, **rest: Any) -> torch.Tensor:
        """torch makes these without asking the mode."""
        return torch.tensor(data, **{"dtype": self.dtype, "device": DEVICE} | rest)

    def __getitem__(self, at: Any) -> Any:
        return super().__getitem__(_indices(at))

    def __setitem__(self, at: Any, value: Any) -> None:
        super().__setitem__(_indices(at), value)

    def numpy(self, *_: Any, **__: Any) -> Any:
        """Refused, as by any other device."""
        raise TypeError("can't convert a tensor of the other device to numpy: use Tensor.cpu() first")

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _call(func, args, kwargs or {})


def _indices(at: Any) -> Any:
    """Lists as tensors: torch makes those without asking the mode."""
    return tree_map(
        lambda each: torch.tensor(each, dtype=None if each else torch.int64) if _is_list(each) else each,
        at,
        is_leaf=_is_list,
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


class _Pretending(TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _call(func, args, kwargs or {})


def _near(value: Any) -> Any:
    return value.held if isinstance(value, Far) else value


def _call(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    given = [value for value in tree_iter((args, kwargs)) if isinstance(value, torch.Tensor)]
    far = any(isinstance(value, Far) for value in given)
    device = kwargs.get("device")
    there = far if device is None else torch.device(device).type == DEVICE
    rest = {key: value for key, value in kwargs.items() if key != "device"} | ({"device": "cpu"} if device else {})
    if func is _aten.copy_.default:
        _near(args[0]).copy_(_near(args[1]))
        return args[0]
    if func is not _aten._to_copy.default:
        _refuse_mixed(func, args, given, far)
    out = func(*tree_map(_near, args), **tree_map(_near, rest))
    if not there:
        return out
    out = tree_map(lambda value: Far(value) if isinstance(value, torch.Tensor) else value, out)
    return return_and_correct_aliasing(func, args, kwargs, out) if far else out


def _refuse_mixed(func: Any, args: Sequence[Any], given: Sequence[torch.Tensor], far: bool) -> None:
    if func in INDEXING and isinstance(args[0], Far):
        return
    if far and any(not isinstance(value, Far) and value.ndim for value in given):
        kinds = [f"{tuple(v.shape)} on {'the other device' if isinstance(v, Far) else 'the CPU'}" for v in given]
        raise RuntimeError(f"Expected all tensors to be on the same device, but {func} got {', '.join(kinds)}")


def _autocast(device: str, *rest: Any, **more: Any) -> AbstractContextManager[Any]:
    return nullcontext() if device == DEVICE else _real_autocast(device, *rest, **more)


_real_autocast = torch.autocast


def _made(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A way to make tensors of numbers, which torch does not send through the mode for this device."""

    def made(data: Any, *, device: Any = None, **rest: Any) -> torch.Tensor:
        out = function(data, **rest)
        return out if device is None else out.to(device)

    return made


@contextmanager
def another_device() -> Iterator[str]:
    """Its name, for the block. It computes in float32."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ground, "DEVICES", (*ground.DEVICES, DEVICE))
        patch.setattr(torch, "autocast", _autocast)
        patch.setattr(torch, "inference_mode", torch.no_grad)  # which has no room for classes of tensors
        for name in ("tensor", "as_tensor"):
            patch.setattr(torch, name, _made(getattr(torch, name)))
        try:
            with _Pretending():
                yield DEVICE
        finally:
            torch.__future__.set_overwrite_module_params_on_conversion(before)


no_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


@pytest.fixture(params=["pretended", pytest.param("cuda", marks=no_cuda)])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """A device that is not the CPU, with convolutions as exact as there, so that results can be compared."""
    if request.param == "pretended":
        with another_device() as name:
            yield name
        return
    cudnn = torch.backends.cudnn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cudnn, "benchmark", False)
        patch.setattr(cudnn, "deterministic", True)
        patch.setattr(cudnn.conv, "fp32_precision", "ieee")
        yield "cuda"
