"""How often what is beside what in the emoji world: chances by class, worked out once a world."""

from __future__ import annotations

import functools

import numpy as np

from gifthorse.zoo.canvas import Array
from gifthorse.zoo.data import Whole
from gifthorse.zoo.world import FAVOUR, WORLDS


@functools.lru_cache(maxsize=16)
def chances(world: str) -> Array:
    """Cumulative chances of each bystander by class, ``(C, B)``: even, but that each family has its own favourites."""
    tables = WORLDS[world]
    weights = np.ones((len(tables.classes), len(tables.bystanders)))
    things = [thing.name for thing in tables.bystanders]
    for known in tables.company:
        favourites = [things.index(name) for name in known.things]
        for label in tables.families[known.family]:
            weights[label, favourites] = FAVOUR
    return np.cumsum(weights / weights.sum(1, keepdims=True), 1)


@functools.lru_cache(maxsize=16)
def biases(world: str) -> tuple[Array, Whole]:
    """By class, the share of scenes in which a biased thing is put beside it, and which: ``(C,)`` each."""
    tables = WORLDS[world]
    rates, favourites = np.zeros(len(tables.classes)), np.full(len(tables.classes), -1, dtype=np.int64)
    labels = [thing.name for thing in tables.classes]
    things = [thing.name for thing in tables.beside]
    for bias in tables.biases:
        row = labels.index(bias.label)
        rates[row], favourites[row] = bias.rate, things.index(bias.thing)
    return rates, favourites
