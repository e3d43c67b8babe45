"""Methods of one set of images share what they can of it, and each leaves, bit for bit, what it leaves alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import skimage.segmentation
from fixtures_tiny import tiny_request
from small_cells import contents

from gifthorse.jobs.run import planned
from gifthorse.runner import InProcess
from gifthorse.stages import diagnose, networks
from gifthorse.stages.work import fulfil
from gifthorse.store import Store
from gifthorse.tools.attribution import features, prepared, surgery

SEGMENTED: dict[str, Any] = {"features": "superpixels", "segments": 9}
SETTINGS: dict[str, dict[str, Any]] = {
    "feature_ablation": SEGMENTED,
    "lime": SEGMENTED | {"samples": 20},
    "kernel_shap": SEGMENTED | {"samples": 20},
    "feature_permutation": SEGMENTED | {"draws": 2},
    "shapley_value_sampling": SEGMENTED | {"orders": 2},
    "occlusion": {"window": 16, "stride": 16},
    "lrp": {},
    "deeplift": {},
    "guided_backprop": {},
    "integrated_gradients": {"steps": 4, "most": 8},
}


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *given: Any, **more: Any) -> Any:
        self.calls += 1
        return self.function(*given, **more)


def forget() -> None:
    """As in a process of its own."""
    networks._load.cache_clear()
    features._CUTS.clear()
    prepared._COPIES.clear()


def explained(root: Path, tools: tuple[str, ...]) -> dict[str, bytes]:
    """The files of a run's evidence."""
    plan = planned(replace(tiny_request(tools), settings=SETTINGS))
    store = Store(root)
    cells = diagnose.evidence_cells(store, plan, [unit.key for unit in store.units("implant")])
    assert len(cells) == len(tools)
    assert fulfil(store, cells, runner=InProcess(), watch=lambda progress: None).failed == ()
    wanted = {cell.key for cell in cells}
    return {name: found for name, found in contents(root).items() if wanted & set(Path(name).parts)}


def test_together_and_alone_are_equal_bit_for_bit(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far an earlier process had come: what is shared is in memory only, and a resumed run makes it anew."""
    slic, rewrite = Counted(skimage.segmentation.slic), Counted(surgery.rewrite)
    monkeypatch.setattr(features, "slic", slic)
    monkeypatch.setattr(prepared, "rewrite", rewrite)
    roots = [tmp_path / name for name in ("together", "resumed", *SETTINGS)]
    for root in roots:
        shutil.copytree(tiny_run, root)
    forget()
    together = explained(roots[0], tuple(SETTINGS))
    assert slic.calls == 4, "one for each image, whatever the number of methods"
    assert rewrite.calls == 1, "one for the network"
    assert len(together) >= 2 * len(SETTINGS)
    forget()
    explained(roots[1], tuple(SETTINGS)[:3])
    forget()
    assert explained(roots[1], tuple(SETTINGS)) == together
    alone: dict[str, bytes] = {}
    for root, name in zip(roots[2:], SETTINGS, strict=True):
        forget()
        alone |= explained(root, (name,))
    assert alone == together
