"""Every method on every network works or refuses before any work starts, and docs/networks.md shows which."""

from __future__ import annotations

import pytest
from fixtures_nets import one_thread, pictures
from networks import GATES, KEPT, METHODS, NETS, PAGE, Cell, column, kept, named, network, within_gate, written

from gifthorse.tools import TOOLS

__all__ = ["one_thread"]

SLOW = ("vgg19",)
ANEW = "if that is meant: python tests/networks.py --update"


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in NETS])
def test_every_method_works_or_refuses_as_the_page_says(name: str) -> None:
    committed = kept()[name]
    net = network(name)

    def check(method: str, cell: Cell, error: float) -> None:
        within_gate(method, cell, error)
        assert without_figures(cell) == without_figures(committed[method]), f"{method} on {name}; {ANEW}"
        if "refuses" in cell:
            assert named(net, cell["refuses"]), cell["refuses"]

    cells = column(name, check)
    network.cache_clear()  # the largest have half a gigabyte of weights
    for cell in cells.values():
        ways = [method for method in METHODS if method in cell.get("way_out", "").replace(",", " ").split()]
        assert bool(ways) == ("refuses" in cell)
        assert all("refuses" not in cells[way] for way in ways), "a way out that is none"


def without_figures(cell: Cell) -> Cell:
    """A cell without what changes from machine to machine."""
    return {key: value for key, value in cell.items() if key != "within"}


def test_the_page_shows_what_is_kept() -> None:
    assert PAGE.read_text(encoding="utf-8") == written(kept()), f"{PAGE.name} is stale; {ANEW}"
    assert list(kept()) == list(NETS), f"{KEPT.name} is stale; {ANEW}"
    for name, cells in kept().items():
        assert list(cells) == list(METHODS), f"{KEPT.name} is stale at {name}; {ANEW}"
        for method, cell in cells.items():
            assert ("within" in cell) == (method in GATES and "refuses" not in cell)
            assert 10 ** cell.get("within", -9) <= GATES.get(method, 1)


def test_the_networks_of_the_page_are_those_that_were_asked_for() -> None:
    asked = ("emoji-resnet", "emoji-vgg", "resnet18", "resnet50", "vgg11", "vgg19", "densenet121", "convnext_tiny")
    assert {*asked, "vit_b_16", "mobilenet_v3_small", "mobilenet_v3_large"} <= set(NETS)
    assert len(METHODS) == 16


def test_baselines_look_at_no_network() -> None:
    net = network("own_gated")
    floors = [name for name, row in TOOLS.items() if row.floor and row.kind == "attribution"]
    assert len(floors) == 5
    for name in floors:
        with net.counting() as counter:
            assert TOOLS.make(name)(net, pictures(1, size=net.size), 0).values.isfinite().all()
        assert counter.passes == 0
