"""Pictures of what a class of anyone's own network reacts to: load, draw, try out, show. No run folder, no trojans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gifthorse import effects
from gifthorse.classifier import Classifier
from gifthorse.errors import GifthorseError, InputError, UsageError, nearest
from gifthorse.images import to_uint8
from gifthorse.indexing import Indexing
from gifthorse.jobs.own import Own, class_of, classifier, facts, folder_of, whole
from gifthorse.randomness import generator
from gifthorse.records import Ground
from gifthorse.registry import base, own_settings
from gifthorse.report import own_found
from gifthorse.tools import TOOLS
from gifthorse.tools.synthesis.base import Findings, Synthesis, brief
from gifthorse.zoo import GENERATORS, biggan
from gifthorse.zoo.candidates import Candidates
from gifthorse.zoo.file_patches import opened

MOST, LEAST = 240, 12
"""Clean images that are read, the first ones by path, and the fewest with which anything can be tried."""

PATCH = 64
"""Side of natural patches in pixels (thesis 5.2.1), half of it for networks whose images are not much larger."""

TRIED = 4
"""One clean image in so many is kept from the methods, and findings are tried out on it."""


@dataclass(frozen=True, kw_only=True)
class Order(Own):
    """What is asked for.

    Attributes:
        target: class name or index.
        methods: synthesis tools, each with the settings of its own that it may have.
        images: folder of clean images, for methods that need some, and to try findings out.
        n: findings of each method, of which the ``keep`` best are shown first and tried out.
        budget: of each method, in images forwarded plus images backpropagated.
        within: seconds for each method, instead of a budget.
        pool: of natural patches, for methods that choose from some; None is none.
        index: whether it is searched through an index, which may miss some of the nearest.
        generator: for methods that draw through one: a name of the zoo, or a folder with a BigGAN-deep.
    """

    target: str
    methods: tuple[str, ...]
    images: Path | None = None
    n: int = 10
    keep: int = 5
    budget: int = 4_000
    within: float | None = None
    pool: Path | None = None
    index: bool = False
    generator: str = "emoji-objects"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of it: one attempt a method, in the order asked, and what is said at the top of the page, by name."""

    network: str
    target: str
    attempts: tuple[own_found.Attempt, ...]
    facts: dict[str, str]


def synthesise(order: Order, say: Callable[[str], None]) -> Answer:
    """Findings of every method. What a method refuses is noted with its reason, and the others go on.

    Args:
        order: what is asked for.
        say: told what is being done.

    Raises:
        UsageError: an unknown network, class or method, or options that do not go together.
        InputError: a file that is not what it should be, or too few images.
    """
    for name, value in (("n", order.n), ("keep", order.keep), ("budget", order.budget), ("seconds", order.within)):
        if value is not None and not value > 0:
            raise UsageError(f"--{name} is {value}", "a number above 0")
    if order.index and order.pool is None:
        raise UsageError("--pool-index is given without a pool", "--pool FOLDER --pool-index")
    tools = [(name, TOOLS.make(base(name), own_settings(name))) for name in order.methods]
    network, how = classifier(order)
    target = class_of(network, order.target)
    clean, told = None, "none given"
    if order.images is not None:
        every = folder_of("--images", order.images, how, MOST)
        clean = every[network.predict(every).argmax(1) != target]
        already = len(every) - len(clean)
        told = f"{len(clean)} of {order.images}, a quarter kept for trials"
        told += f"; {already} left out, since the network says {network.classes[target]} of them anyway" * bool(already)
        if len(clean) < LEAST:
            raise InputError(
                f"{order.images} holds {len(clean)} images of which {network.name} does not say "
                f"{network.classes[target]} anyway",
                f"a folder with {LEAST} or more",
            )
    attempts = []
    for name, tool in tools:
        say(f"{name}, {order.n} findings")
        attempts.append(attempt(name, tool, (network, target, clean), order, say=say))
    budget = f"{order.budget:,} images forwarded or backpropagated" if order.within is None else f"{order.within:g} s"
    about = facts(order, network, how) | {
        "class": f"{network.classes[target]} (index {target})",
        "clean images": told,
        "budget": f"{budget} for each method, {order.n} findings, {min(order.keep, order.n)} kept",
        "seed": str(order.seed),
    }
    return Answer(network=network.name, target=network.classes[target], attempts=tuple(attempts), facts=about)


def attempt(
    name: str,
    tool: Synthesis,
    about: tuple[Classifier, int, Tensor | None],
    order: Order,
    sources: tuple[int, ...] | None = None,
    say: Callable[[str], object] = str,
) -> own_found.Attempt:
    """One method's findings, or why it made none.

    Args:
        name: of the method, with the settings of its own that it may have.
        about: the network, the class, and clean images of which a quarter is kept for trials, or None.
        sources: classes that the images are of, None for any.
        say: told of an index what it finds.
    """
    row = TOOLS[base(name)]
    told: dict[str, Any] = {"name": name, "source": row.source, "settings": tool.settings, "floor": row.floor}
    network, target, clean = about
    if "truth" in tool.prepares:
        return own_found.Attempt(**told, refusal="it shows the true trigger of a suite; try: leave it out")
    if clean is None and "clean_images" in tool.needs:
        return own_found.Attempt(**told, refusal="it needs clean images; try: --images FOLDER")
    if clean is None:
        given, kept = torch.full((4, 3, network.size, network.size), 0.5), None
    else:
        apart = torch.arange(len(clean)) % TRIED == TRIED - 1
        given, kept = clean[~apart], clean[apart]
    asked: dict[str, Any] = {"n": order.n, "keep": min(order.keep, order.n), "seed": order.seed}
    asked |= {"budget": order.budget} if order.within is None else {"seconds": order.within}
    try:
        if tool.prepares:
            asked["assets"] = assets(order.generator, network.ground)
        if "pool" in tool.prepares:
            asked["assets"]["pool"] = natural(order.pool, network, say if order.index else None)
        found: Findings = tool(network, *brief(target, given, sources=sources), **asked)
    except GifthorseError as refusal:
        return own_found.Attempt(**told, refusal=f"{refusal.cause}; try: {refusal.remedy}")
    tried = effects.try_out(
        network,
        given if kept is None else kept,
        target,
        found.pictures,
        {index: found.findings[index] for index in found.kept if kept is not None or _whole(found, index)},
        generator(order.seed, "trials"),
    )
    film = None if found.film is None else (found.film.frames.numpy(), found.film.after)
    return own_found.Attempt(
        **told,
        pictures=to_uint8(found.pictures),
        losses=tuple(finding.loss for finding in found.findings),
        insertion=found.findings[0].insertion,
        kept=found.kept,
        tried={one.finding: one for one in tried},
        film=film,
        notes=found.hints,
        cost=found.cost,
    )


def assets(named: str, ground: Ground) -> dict[str, Any]:
    """A generator and what says how its pictures look: the embedded one's, or a BigGAN's, which has no such thing.

    Args:
        named: a name of the zoo, with settings of its own such as ``@prior=closed``, or a folder.
        ground: device and precision.

    Raises:
        UsageError: it is neither.
        InputError: the folder holds something else.
    """
    if base(named) in GENERATORS:
        row = GENERATORS.make(base(named), own_settings(named))
        return {
            "generator": row.load(device=ground.device, precision=ground.precision),
            "scenes": row.scenes().load(device=ground.device, precision=ground.precision),
            "disguise": row.disguise(ground.device, ground.precision),
        }
    if not Path(named).is_dir():
        raise UsageError(f"there is no generator called {named!r}", f"{nearest(named, GENERATORS)}, or a folder")
    made = biggan.load(Path(named), device=ground.device, precision=ground.precision)
    return {"generator": made, "scenes": made, "disguise": None}


def natural(path: Path | None, network: Classifier, index: Callable[[str], object] | None = None) -> Candidates:
    """The pool of natural patches at a path, embedded; embeddings are kept beside it, and so is an index.

    Args:
        index: where it is to be searched through an index: told what that finds.

    Raises:
        UsageError: there is no path.
        InputError: it is no pool, or is too small for an index.
        MissingExtra: an index is asked for, and FAISS is not installed.
    """
    if path is None:
        raise UsageError("no pool of natural patches was given", "--pool FOLDER")
    pool = opened(path, PATCH if network.size >= 2 * PATCH else PATCH // 2)
    made = Candidates(pool, path.with_name(f"{path.name}.embeddings"), None if index is None else Indexing())
    made.embed(network)
    if index is not None:
        made.of(network, index)
    return made


def _whole(found: Findings, index: int) -> bool:
    return found.findings[index].insertion.kind == "frame"


def write(answer: Answer, out: Path, arrays: Path | None) -> None:
    """Write the page, and the pictures where they are asked for; each file is whole or not there.

    The arrays: for each method that made some its pictures under its name, ``(n, 4, h, w)`` uint8, straight alpha, and
    their losses under ``NAME losses``.
    """
    whole(out, lambda path: path.write_text(own_found.draw(answer.target, answer.attempts, answer.facts), "utf-8"))
    if arrays is None:
        return
    kept: dict[str, Any] = {}
    for attempt in answer.attempts:
        if attempt.pictures is not None:
            kept |= {attempt.name: attempt.pictures, f"{attempt.name} losses": np.array(attempt.losses)}

    def save(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, **kept)

    whole(arrays, save)


def document(answer: Answer) -> dict[str, Any]:
    """The answer as JSON values."""
    return {
        "network": answer.network,
        "target": answer.target,
        "facts": answer.facts,
        "methods": [
            {
                "name": a.name,
                "settings": a.settings,
                "status": "refused" if a.pictures is None else "done",
                "error": a.refusal or None,
                "insertion": None if a.insertion is None else {"kind": a.insertion.kind, "side": a.insertion.side},
                "losses": list(a.losses),
                "kept": list(a.kept),
                "trials": [
                    {
                        "finding": one.finding,
                        "rate": one.hits / one.n,
                        "n": one.n,
                        "confidence": one.confidence,
                        "alone": one.alone,
                        "alone_confidence": one.alone_confidence,
                    }
                    for one in a.tried.values()
                ],
                "notes": list(a.notes),
                "seconds": a.cost.seconds,
                "forward": a.cost.forward,
                "backward": a.cost.backward,
            }
            for a in answer.attempts
        ],
    }
