"""Classifiers again from what records say of them, each loaded once a process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from gifthorse.classifier import Classifier
from gifthorse.errors import CorruptUnit
from gifthorse.records import Ground, Network
from gifthorse.store import Store
from gifthorse.zoo import NETWORKS


@lru_cache(maxsize=8)
def _load(name: str, weights: Path | None, ground: Ground) -> Classifier:
    loaded: Classifier = NETWORKS.make(name).load(weights, device=ground.device, precision=ground.precision)
    return loaded


def classifier(store: Store, network: Network, ground: Ground) -> Classifier:
    """The classifier that a record names, on the given ground.

    Raises:
        CorruptUnit: its digest is not the one in the record (other weights are installed under its name).
    """
    weights = store.get(network.unit).file(network.file) if network.unit and network.file else None
    loaded = _load(network.name, weights, ground)
    if loaded.digest != network.digest:
        raise CorruptUnit(
            f"{network.name} has the digest {loaded.digest[:12]}, and this run was made with {network.digest[:12]}",
            "install the version of gifthorse and of the weights that plan.json names, or use a fresh run folder",
        )
    return loaded


def from_zoo(name: str, ground: Ground) -> Classifier:
    """The zoo's own classifier of that name."""
    return _load(name, None, ground)
