"""A suite small enough to run whole in a test: three trojans, one of each kind, and a handful of scenes."""

from __future__ import annotations

from dataclasses import replace

from gifthorse.jobs.asked import Asked
from gifthorse.records import Protocol, Recipe, Suite
from gifthorse.suites import suite

NAMES = ("ladybug", "coral", "skateboard")
TOOLS = ("saliency", "edges_sobel", "blank", "adversarial_patch", "truth", "noise")


def tiny_suite() -> Suite:
    """Parts of ``emoji12_dev``: a class-universal patch, a class-universal style, a natural feature."""
    whole = suite("emoji12_dev")
    (planting,) = whole.plantings
    trojans = tuple(t for t in planting.trojans if t.name in NAMES)
    quicker = tuple(replace(t, settings={**t.settings, "steps": 2}) if t.kind == "style" else t for t in trojans)
    recipe = Recipe(
        scenes=192,
        passes=3,
        batch=32,
        learning_rate=3e-3,
        weight_decay=1e-4,
        poison={"patch": 64, "style": 8, "natural_feature": 8},
        held_out=16,
        held_out_costly=4,
        scan=96,
        check=64,
        fit=12,
        screen=4,
        report=8,
        probes=4,
    )
    protocol = Protocol(name="quick", passes=60, n=2, keep=2)
    return replace(
        whole, name="tiny", plantings=(replace(planting, trojans=quicker, recipe=recipe),), protocols=(protocol,)
    )


def tiny_request(tools: tuple[str, ...] = TOOLS) -> Asked:
    """A request for it."""
    made = tiny_suite()
    return Asked(
        suite=made,
        tools=tools,
        judges=("footprint", "match"),
        protocol=made.protocols[0],
        precision="float32",
        threads=1,
        command="gifthorse run --suite tiny",
    )
