"""Experiments on attacks, made small: a tiny generator, few steps, few scenes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from fixtures_generator import disguise, generator

from gifthorse.jobs import attacking, depending, hunting, pair_search, similar
from gifthorse.zoo.emoji_patches import EmojiPatches


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    row = SimpleNamespace(
        digest="tiny",
        load=lambda device, **_: generator(device=device),
        disguise=lambda device, _: disguise(device=device),
        scenes=lambda: SimpleNamespace(digest="tiny scenes", load=lambda device, **_: generator(1, device)),
    )
    monkeypatch.setattr(attacking, "GENERATORS", SimpleNamespace(make=lambda name, settings: row))
    monkeypatch.setattr(depending, "GENERATORS", SimpleNamespace(make=lambda name, settings: row))
    monkeypatch.setattr(depending, "TRIED", 6)
    proxy = SimpleNamespace(load=lambda device, **_: disguise(device=device).classifiers[0])
    monkeypatch.setattr(attacking, "EmojiWide", lambda robust: proxy)
    for name, value in {"STEPS": 2, "IMAGES": 2, "BLOCK": 2, "SOURCES": 6, "FITTED": 12}.items():
        monkeypatch.setattr(attacking, name, value)
    few = EmojiPatches(drawings=("emoji/1f34e", "emoji/1f41d", "texture/grass"), poses=8, crops=0).pool()
    monkeypatch.setattr(attacking, "everything", lambda: few)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def few(small: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Searches of natural patches, made small."""
    row = SimpleNamespace(
        digest="tiny",
        load=lambda device, **_: generator(device=device),
        disguise=lambda device, _: disguise(device=device),
    )
    for module in (hunting, pair_search):
        monkeypatch.setattr(module, "GENERATORS", SimpleNamespace(make=lambda name, settings: row))
    numbers = {"FITTED": 12, "TRIED": 6, "SCREEN": 3, "PASSES": 120, "SYNTHETIC": 3, "SCREENED": 8, "KEPT": 2}
    for name, value in (numbers | {"FEWER": (1, 3), "NARROWER": (4, 8)}).items():
        monkeypatch.setattr(hunting, name, value)
    monkeypatch.setattr(similar, "ASKED", 800)
    return small
