"""What every tool, and a whole run, does on another device: what it does on the CPU.

On CUDA where there is one, and everywhere on a device that is pretended (:mod:`pretending`), in float32.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_carried import carry_out
from fixtures_nets import classifier
from fixtures_tiny import tiny_request
from pretending import device, no_cuda
from test_tools import PROMISES, Promise, made, name_of, trace, use, values

from gifthorse.errors import Refusal
from gifthorse.store import Store
from gifthorse.tools.attribution.base import Maps

__all__ = ["device"]


@pytest.mark.parametrize("net", ["attending", "reused"])
@pytest.mark.parametrize("promise", PROMISES, ids=name_of)
def test_a_tool_gives_there_what_it_gives_on_the_cpu(promise: Promise, net: str, device: str) -> None:
    if net in promise.refuses:
        with pytest.raises(Refusal, match=promise.refuses[net]):
            use(made(promise), classifier(net, device=device))
        return
    there = classifier(net, device=device)
    before = trace(there)
    one, other = use(made(promise), classifier(net)), use(made(promise), there)
    assert trace(there) == before
    assert values(other).device.type == "cpu", "results leave the device"
    assert values(other).isfinite().all()
    assert (one.cost.forward, one.cost.backward) == (other.cost.forward, other.cost.backward)
    first, second = values(one).flatten(1).double(), values(other).flatten(1).double()
    if isinstance(one, Maps):
        for a, b in zip(first, second, strict=True):
            assert float((a - b).abs().mean()) <= 0.01 * (float(a.abs().max()) or 1.0)
    else:
        # the last bits of a gradient grow over the steps: pictures stay alike, not equal
        assert float((first - second).abs().mean()) < 0.05


@no_cuda
@pytest.mark.parametrize("promise", [p for p in PROMISES if not p.blind], ids=name_of)
def test_a_tool_works_in_bfloat16_on_cuda(promise: Promise) -> None:
    result = use(made(promise), classifier("reused", "bfloat16", "cuda"))
    assert values(result).isfinite().all()


TOGETHER = ("occlusion", "rfla_perturb", "tabor")


def test_a_whole_run(tmp_path: Path, device: str) -> None:
    asked = replace(tiny_request((*tiny_request().tools, *TOGETHER)), device=device)
    carry_out(tmp_path / "run", asked)
    store = Store(tmp_path / "run")
    assert [failure.traceback for failure in store.failures()] == []
    assert {unit.kind for unit in store.units()} >= {"trained", "implant", "evidence", "effect", "verdict"}
    assert carry_out(tmp_path / "run", asked).made == [], "run again, it computes nothing"
