"""What the natural patches of a pair have in common: captions of found sets, for experiments.

Each is a unit of the run folder beside the pair's own, as captions of a run are (:mod:`gifthorse.stages.captioning`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gifthorse.captioners import CAPTIONERS
from gifthorse.captioners.base import Sight
from gifthorse.jobs.attacking import Bench
from gifthorse.jobs.hunting import Order
from gifthorse.jobs.run import begin
from gifthorse.jobs.surroundings import surroundings
from gifthorse.records import Caption, Cell, Failure, Ground, Hunted, PoolSample, Spec, cell, plain, read
from gifthorse.stages import captioning
from gifthorse.stages.keys import CODE
from gifthorse.stages.work import Progress, fulfil
from gifthorse.store import Draft, Store, Unit

CAPTIONER, ENCODER = "encoder", "emoji-encoder"
"""What names a set, and what it looks with."""

HERE = "gifthorse.jobs.naming"


@dataclass(frozen=True)
class Named:
    """Captions by the key of the unit whose natural patches they are of, and which could not be made."""

    captions: dict[str, Caption]
    failed: tuple[Failure, ...]


def named(units: Sequence[Unit], order: Order, ground: Ground, bench: Bench) -> Named:
    """Captions of the natural patches of some pairs, made where they are not there yet.

    Args:
        units: ``hunted``.
        order: that they were made for.
    """
    if not units:
        return Named(captions={}, failed=())
    sample = _sample(order, ground)
    asked = {unit.key: _caption(unit, sample, ground) for unit in units}
    with bench.runner.starting(functools.partial(begin, ground, False)) as started:
        work = functools.partial(fulfil, bench.store, runner=started, watch=_heard(bench))
        failed = work([sample]).failed or work(list(asked.values())).failed
    made = {key: bench.store.get(one.key).record(Caption) for key, one in asked.items() if bench.store.has(one.key)}
    return Named(captions=made, failed=failed)


def _heard(bench: Bench) -> Callable[[Progress], None]:
    return lambda progress: bench.watch("caption", progress)


def _sample(order: Order, ground: Ground) -> Cell:
    captioner, encoder = CAPTIONERS.make(CAPTIONER), captioning.encoder_of(ENCODER, ground.device)
    where = order.surroundings()
    inputs = {
        "version": CODE["sample"],
        "pool": {"name": where.called, "digest": where.pool.digest},
        "encoder": encoder.digest,
        "count": captioner.sample,
        "seed": order.seed,
        "ground": plain(ground),
    }
    context = {"net": order.net, **order.places}
    return cell("sample", f"random pictures of {where.called}", f"{HERE}:draw", inputs, context=context, weight=4_000.0)


def draw(store: Store, cell: Cell, draft: Draft) -> PoolSample:
    """Make a ``sample`` unit."""
    encoder = captioning.encoder_of(ENCODER, cell.inputs["ground"]["device"])
    return captioning.keep_sample(draft, cell.inputs, surroundings(**cell.context).pool, encoder)


def _caption(unit: Unit, sample: Cell, ground: Ground) -> Cell:
    inputs = {
        "version": CODE["caption"],
        "evidence": unit.key,
        "captioner": plain(CAPTIONERS.make(CAPTIONER).spec()),
        "about": {"encoder": sample.inputs["encoder"], "sample": sample.key},
        "ground": plain(ground),
    }
    record = unit.record(Hunted)
    label = f"{CAPTIONER} on {record.source} to {record.target}"
    return cell("caption", label, f"{HERE}:name", inputs, context=sample.context)


def name(store: Store, cell: Cell, draft: Draft) -> Caption:
    """Make a ``caption`` unit: of a pair's natural patches, as the pool has them.

    The unit's own pictures are all of its largest size, in which none would be known again among the pool's.
    """
    told: dict[str, Any] = cell.inputs
    unit, device = store.get(told["evidence"]), told["ground"]["device"]
    record = unit.record(Hunted)
    sight = Sight(
        encoder=captioning.encoder_of(ENCODER, device),
        reference=captioning.reference_of(store, told["about"]["sample"]),
        device=device,
    )
    captioner = CAPTIONERS.remake(read(Spec, told["captioner"]))
    shown = surroundings(**cell.context).pool.pictures([hit.name for hit in record.natural])
    caption: Caption = captioner.of(np.concatenate([shown, np.full_like(shown[:, :1], 255)], 1), sight)
    return replace(caption, evidence=told["evidence"], tool="snafue")
