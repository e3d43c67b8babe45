"""Prepared inputs of tools: what a key keeps of each, and the thing itself when a cell is made."""

from __future__ import annotations

import functools
import time
from typing import Any

from gifthorse import images as im
from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal
from gifthorse.records import Case, Cell, Suite, digest, read
from gifthorse.store import Store, Unit
from gifthorse.zoo import GENERATORS, POOLS
from gifthorse.zoo.candidates import Candidates
from gifthorse.zoo.patch_pool import PatchPool

GENERATED = ("generator", "scenes", "disguise", "pool")
"""What comes with a suite's generator: it, the one of scenes that knows the same, what says how pictures look, and the
pool of natural patches of the same prior."""

POOL = "emoji-patches"

WAIT = 0.2
"""Seconds after which is looked again whether another process has embedded a pool."""


def assets_seen(suite: Suite, prepares: tuple[str, ...], case: Case) -> dict[str, Any]:
    """What a key keeps of the inputs that a tool has prepared: digests, and which generator it is.

    Args:
        prepares: of the tool, see :class:`gifthorse.tools.base.Tool`.
    """
    seen: dict[str, Any] = {}
    if "truth" in prepares:
        seen["truth"] = case.truth.sha256 if case.truth else None
    if set(prepares) & set(GENERATED):
        seen["generator"] = None
        if suite.generator is not None:
            digest = _generator(suite.generator, suite.prior).digest
            seen["generator"] = {"name": suite.generator, "prior": suite.prior, "digest": digest}
            if "scenes" in prepares:
                seen["scenes"] = _generator(suite.generator, suite.prior).scenes().digest
            if "pool" in prepares:
                seen["pool"] = {"name": POOL, "digest": pool_known(suite).pool().digest}
    return seen


def pool_known(suite: Suite) -> Any:
    """How the pool of patches that a suite's tools may search is made: by what its prior knows, and what it asks."""
    trojans = [trojan for planting in suite.plantings for trojan in planting.trojans]
    how = {name: getattr(suite, name) for name in ("without_natural", "with_triggers", "with_openmoji")}
    told = digest([trojans, suite.prior, how])
    if told not in _POOLS:
        _POOLS[told] = POOLS.load(POOL).knowing(trojans, suite.prior, **how)
    return _POOLS[told]


_POOLS: dict[str, Any] = {}
"""Those that were asked for, since every cell's key asks again."""


def embedded(store: Store, pool: PatchPool, network: Classifier) -> Candidates:
    """A pool as a network sees it, in a run folder, embedded by whichever process comes first."""
    made, key = Candidates(pool, store.root / "pools"), digest([pool.digest, network.digest])
    while True:
        with store.claim(key) as mine:
            if mine:
                made.embed(network)
                return made
        time.sleep(WAIT)


def assets_given(
    store: Store, cell: Cell, prepares: tuple[str, ...], about: tuple[Unit, Case, Classifier]
) -> dict[str, Any]:
    """The inputs themselves.

    Args:
        about: the unit that holds the case's images, the case, and the network.

    Raises:
        Refusal: the suite has no generator.
    """
    unit, case, network = about
    given: dict[str, Any] = {}
    if "truth" in prepares:
        given["truth"] = im.from_uint8(unit.images(case.truth))
    if set(prepares) & set(GENERATED):
        told = cell.inputs["assets"]["generator"]
        if told is None:
            raise Refusal(
                "this suite has no generator: those that there are know some options of its Questions and not others",
                "options that suites of the emoji world have too, or a tool that needs none",
            )
        row, ground = _generator(told["name"], told["prior"]), cell.inputs["ground"]
        how = {"device": ground["device"], "precision": ground["precision"]}
        made = {"generator": row.load, "scenes": lambda **how: row.scenes().load(**how), "disguise": row.disguise}
        given |= {name: made[name](**how) for name in prepares if name in made}
        if "pool" in prepares:
            given["pool"] = embedded(store, read(POOLS.load(POOL), cell.context["pool"]).pool(), network)
    return {name: given[name] for name in prepares}


@functools.lru_cache(maxsize=4)
def _generator(name: str, prior: str) -> Any:
    return GENERATORS.make(name, {"prior": prior})
