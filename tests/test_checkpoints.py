"""Which checkpoints are let in; none of them may run code (ecosystem D.2, P25)."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gifthorse.checkpoints import compare, load_into, weights
from gifthorse.errors import HostileFile, InputError


def net(width: int = 3) -> torch.nn.Sequential:
    torch.manual_seed(width)
    return torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.BatchNorm1d(width))


class Evil:
    """Unpickling it makes a file, in place of something worse."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def torch_bytes(path: Path, **options: bool) -> bytes:
    torch.save(net().state_dict(), path, **options)
    return path.read_bytes()


def deflated(path: Path) -> None:
    torch.save({"a": torch.zeros(1 << 20)}, path.with_suffix(".plain"))
    with zipfile.ZipFile(path.with_suffix(".plain")) as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        for member in plain.infolist():
            bomb.writestr(member.filename, plain.read(member))


def smuggled(path: Path, mark: Path) -> None:
    """An honest archive whose pickle was replaced."""
    torch_bytes(path.with_suffix(".plain"))
    with zipfile.ZipFile(path.with_suffix(".plain")) as plain, zipfile.ZipFile(path, "w") as bad:
        for member in plain.infolist():
            evil = member.filename.endswith("data.pkl")
            bad.writestr(member.filename, pickle.dumps(Evil(mark)) if evil else plain.read(member))


HOSTILE: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "whole module": (lambda p, m: torch.save(net(), p), "pickled objects"),
    "evil value": (lambda p, m: torch.save({"a": Evil(m)}, p), "pickled objects"),
    "evil nested": (lambda p, m: torch.save({"state_dict": {"a": [Evil(m)]}}, p), "pickled objects"),
    "raw pickle": (lambda p, m: p.write_bytes(pickle.dumps(Evil(m))), "pickled objects"),
    "protocol 0": (lambda p, m: p.write_bytes(pickle.dumps(Evil(m), protocol=0)), "pickled objects"),
    "smuggled": (smuggled, "pickled objects"),
    "deflated": (lambda p, m: deflated(p), "is compressed and would unpack"),
    "html": (lambda p, m: p.write_text("<html>404</html>" * 20), "not a checkpoint"),
    "empty": (lambda p, m: p.write_bytes(b""), "is empty"),
    "noise": (lambda p, m: p.write_bytes(bytes(range(256))), "not a checkpoint"),
    "torch cut": (lambda p, m: p.write_bytes(torch_bytes(p)[:-200]), "not a checkpoint"),
    "old torch cut": (
        lambda p, m: p.write_bytes(torch_bytes(p, _use_new_zipfile_serialization=False)[:-9]),
        "not a checkpoint",
    ),
    "not finite": (lambda p, m: torch.save({"a": torch.tensor([1.0, float("nan")])}, p), "not finite: a"),
    "infinite": (lambda p, m: save_file({"b": torch.tensor([float("inf")])}, p), "not finite: b"),
    "no tensors": (lambda p, m: torch.save({"epoch": 3}, p), "not a table of tensors"),
    "a list": (lambda p, m: torch.save([torch.zeros(1)], p), "not a table of tensors"),
    "safetensors cut": (lambda p, m: p.write_bytes(safetensors_bytes(p)[:-3]), "not a checkpoint"),
    "safetensors longer": (lambda p, m: p.write_bytes(safetensors_bytes(p) + b"x"), "not a checkpoint"),
    "huge header": (lambda p, m: p.write_bytes(struct.pack("<Q", 2**60) + b"{" + b" " * 64), "not a checkpoint"),
}


def safetensors_bytes(path: Path) -> bytes:
    save_file(net().state_dict(), path)
    return path.read_bytes()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_checkpoints_are_refused_by_name_and_run_nothing(tmp_path: Path, name: str) -> None:
    make, words = HOSTILE[name]
    path, mark = tmp_path / "weights.pt", tmp_path / "ran"
    make(path, mark)
    with pytest.raises(HostileFile, match=words) as caught:
        weights(path)
    assert str(path) in caught.value.cause
    assert not mark.exists()


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("suffix", ["safetensors", "pt", "old"])
def test_honest_checkpoints_come_back_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights.{suffix}"
    if suffix == "safetensors":
        save_file(net().state_dict(), path)
    else:
        torch.save(net().state_dict(), path, _use_new_zipfile_serialization=suffix == "pt")
    assert same(weights(path), dict(net().state_dict()))


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_wrappers_of_training_scripts_are_taken_off(tmp_path: Path, wrapper: str) -> None:
    path = tmp_path / "last.pt"
    state = {f"module.{name}": tensor for name, tensor in net().state_dict().items()}
    torch.save({wrapper: state, "epoch": 9, "optimizer": {"lr": 0.1}}, path)
    assert same(weights(path), dict(net().state_dict()))


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.pt"
    torch.save(net().state_dict(), path)
    with pytest.raises(HostileFile, match="bytes, and 100 are let in"):
        weights(path, limit=100)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.pt cannot be read"):
        weights(tmp_path / "absent.pt")


def test_loading_needs_every_name_and_shape(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(net(3).state_dict(), path)
    target = net(3)
    torch.nn.init.zeros_(next(target.parameters()))
    assert load_into(target, path).exact
    assert same(dict(target.state_dict()), dict(net(3).state_dict()))

    with pytest.raises(HostileFile, match=r"of another shape \(0\.weight: found \(3, 2\), expected \(5, 2\)"):
        load_into(net(5), path)
    with pytest.raises(HostileFile, match="1 missing"):
        load_into(torch.nn.Sequential(*net(3), torch.nn.PReLU()), path)
    with pytest.raises(HostileFile, match="unexpected"):
        load_into(torch.nn.Sequential(net(3)[0]), path)


def test_the_report_lists_a_few_names_of_each_kind() -> None:
    wanted = {f"layer{number}": torch.zeros(1) for number in range(9)}
    fit = compare({"layer0": torch.zeros(2), "other": torch.zeros(1)}, wanted)
    assert fit.missing == tuple(f"layer{number}" for number in range(1, 9))
    assert fit.unexpected == ("other",)
    assert fit.misshapen == ("layer0: found (2,), expected (1,)",)
    assert "8 missing (layer1, layer2, layer3, layer4, layer5, ...)" in str(fit)
    assert str(compare(wanted, wanted)) == "every name and shape fits"
