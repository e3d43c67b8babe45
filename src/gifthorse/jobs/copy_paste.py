"""Copy/paste attacks: what could be pasted into images of one class to make them another (thesis 5.1.3).

First the adversaries are shown, from which a person guesses; then a guess, a picture by name or from a file, is
measured. A guess is written down before it is measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gifthorse import effects, gates
from gifthorse.classifier import Classifier
from gifthorse.errors import InputError, UsageError
from gifthorse.images import as_floats, from_uint8, to_uint8
from gifthorse.jobs.own import Own, class_of, classifier, facts, folder_of, whole
from gifthorse.jobs.synthesise import Order as Synthesis
from gifthorse.jobs.synthesise import attempt
from gifthorse.randomness import generator
from gifthorse.registry import base, own_settings
from gifthorse.report import own_found, own_pasted
from gifthorse.statistics import bootstrap_mean
from gifthorse.tools import TOOLS
from gifthorse.zoo import DATA, NETWORKS, art, captions
from gifthorse.zoo.data import Data
from gifthorse.zoo.emoji_networks import EmojiNetwork
from gifthorse.zoo.world import EMOJI

PLAIN = "@real=0.0@sure=0.0@unlike=0.0"
"""Not disguised (thesis 5.1.3)."""

ADVERSARIES = (
    f"rfla_perturb{PLAIN}", f"rfla_region@shown=scene{PLAIN}", f"rfla_region{PLAIN}", "adversarial_patch",
    "fourier_target",
)  # fmt: skip
"""What is shown: patches, scenes with a region and generalized patches of it, all through a generator, patches of
pixels, and the class impressions of A.2."""

MOST = 400
"""Images of the source class that are read."""

SHARE = 85 / 256
"""Side of what is pasted over the image's (notebook of thesis 5.1)."""

TRIED, RANDOM, SHOWN = 50, 10, 6
"""Images in which a guess is tried, random pictures beside it, and images that are shown (thesis 5.1.3)."""

IMPRESSIONS = 6
"""Of each class (thesis A.2)."""


@dataclass(frozen=True, kw_only=True)
class Order(Own):
    """What is asked for.

    Attributes:
        source, target: class names or indices: images of the one, to be taken for the other.
        images: folder of images of the source class; None draws them, for networks of the emoji world.
        image: a file, the guess; or
        name: what it is called, a picture of the emoji world.
        share: side of what is pasted, over the image's.
        n, budget: findings of each method and its budget, as in ``synthesise``.
        generator: as in ``synthesise``.
    """

    source: str
    target: str
    images: Path | None = None
    image: Path | None = None
    name: str | None = None
    share: float = SHARE
    n: int = 10
    budget: int = 4_000
    generator: str = "emoji-objects"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of it.

    Attributes:
        source, target: names of the classes.
        attempts: adversaries of source images for the target, class impressions of both among them.
        trial: of the guess, if there was one; ``beside`` are the same of random pictures.
    """

    network: str
    source: str
    target: str
    attempts: tuple[own_found.Attempt, ...]
    trial: own_pasted.Trial | None
    beside: tuple[own_pasted.Trial, ...]
    facts: dict[str, str]


@dataclass(frozen=True)
class Guess:
    """A picture ``(4, h, w)`` uint8, straight alpha, what it is called, and where it came from."""

    called: str
    came: str
    picture: np.ndarray


def copy_paste(order: Order, out: Path, say: Callable[[str], None]) -> Answer:
    """Adversaries, or what a guess does.

    Args:
        out: of the page; a guess is written beside it, as ``NAME.guess.json``, before it is measured.
        say: told what is being done.

    Raises:
        UsageError: an unknown network, class or name, or options that do not go together.
        InputError: a file that is not what it should be, or too few images.
    """
    if order.image is not None and order.name is not None:
        raise UsageError("both --image and --name were given", "one guess at a time")
    if not 0 < order.share <= 1:
        raise UsageError(f"--share is {order.share}", "a number above 0, 1 at most")
    guess = guessed(order)
    network, how = classifier(order)
    source, target = (class_of(network, wanted) for wanted in (order.source, order.target))
    if source == target:
        raise UsageError(f"source and target are both {network.classes[source]}", "two classes")
    images, told = _images(order, network, source, how)
    about = facts(order, network, how) | {
        "source": f"{network.classes[source]} (index {source}), {told}",
        "target": f"{network.classes[target]} (index {target})",
    }
    whole_answer: dict[str, Any] = {
        "network": network.name,
        "source": network.classes[source],
        "target": network.classes[target],
    }
    if guess is None:
        attempts = _adversaries(order, network, (source, target), images, say)
        about |= {"budget": f"{order.budget:,} images forwarded or backpropagated for each method"}
        return Answer(**whole_answer, attempts=attempts, trial=None, beside=(), facts=about)
    note(guess, order, out)
    side = round(order.share * network.size)
    kept = images[:TRIED]
    say(f"{guess.called} in {len(kept)} images of {network.classes[source]}")
    trials = [_trial(network, kept, target, each, side, order.seed) for each in (guess, *random_pictures(order.seed))]
    about |= {"pasted": f"{side} x {side} pixels of {network.size} x {network.size}, at a random place of each image"}
    return Answer(**whole_answer, attempts=(), trial=trials[0], beside=tuple(trials[1:]), facts=about)


def guessed(order: Order) -> Guess | None:
    """The guess, if one was made.

    Raises:
        UsageError: no picture is called so.
        HostileFile, InputError: no image that is let in.
    """
    if order.name is not None:
        world = {thing.name: f"emoji/{thing.code}" for thing in EMOJI.things}
        name = world.get(order.name) or captions.named(order.name)
        return Guess(order.name, f"the picture {name}", _drawn(name))
    if order.image is not None:
        return Guess(order.image.name, "a file", gates.drawing(order.image).pixels.transpose(2, 0, 1))
    return None


def _drawn(name: str) -> np.ndarray:
    pixels: np.ndarray = to_uint8(torch.from_numpy(art.picture(name, 72).copy())[None])[0]
    return pixels


def random_pictures(seed: int, count: int = RANDOM) -> list[Guess]:
    """Pictures of the emoji world that nobody chose."""
    names = [name for name in captions.items() if name.startswith("emoji/") and "@" not in name]
    order = torch.randperm(len(names), generator=generator(seed, "random pictures"))[:count]
    return [Guess(captions.captions(names[int(k)])[0], "drawn at random", _drawn(names[int(k)])) for k in order]


def note(guess: Guess, order: Order, out: Path) -> None:
    """Write a guess down, before anybody knows what it does.

    Raises:
        InputError: it cannot be written.
    """
    told = {
        "guess": guess.called,
        "picture": guess.came,
        "network": order.net,
        "source": order.source,
        "target": order.target,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    beside = out.with_name(f"{out.stem}.guess.json")
    whole(beside, lambda path: path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8"))


def _images(order: Order, network: Classifier, source: int, how: Any) -> tuple[Tensor, str]:
    """Images of the source class, and what they are in words."""
    entry = NETWORKS.make(order.net) if order.net in NETWORKS else None
    if order.images is not None:
        images = folder_of("--images", order.images, how, MOST)
        told = f"{len(images)} images of {order.images}"
    elif isinstance(entry, EmojiNetwork):
        data: Data = DATA.make("emoji")
        images = from_uint8(data.draw("test", 2 * TRIED, order.seed, classes=(source,)).images)
        told = f"{len(images)} scenes of the emoji world"
    else:
        raise UsageError("no images of the source class were given", "--images FOLDER")
    if len(images) < SHOWN:
        raise InputError(f"there are {len(images)} images of the source class", f"{SHOWN} or more")
    right = float((network.predict(images).argmax(1) == source).float().mean())
    return images, f"{told}, of which the network is right about {right:.0%}"


def _adversaries(
    order: Order, network: Classifier, classes: tuple[int, int], images: Tensor, say: Callable[[str], None]
) -> tuple[own_found.Attempt, ...]:
    source, target = classes
    asked = Synthesis(
        net=order.net, target=order.target, methods=ADVERSARIES, n=order.n, keep=min(IMPRESSIONS, order.n),
        budget=order.budget, seed=order.seed, generator=order.generator,
    )  # fmt: skip
    made = []
    for name in ADVERSARIES:
        say(f"{name} for {network.classes[target]}, {order.n} findings")
        tool = TOOLS.make(base(name), own_settings(name))
        made.append(attempt(name, tool, (network, target, images), asked, (source,)))
    last = ADVERSARIES[-1]
    say(f"{last} for {network.classes[source]}, {order.n} findings")
    impression = attempt(last, TOOLS.make(base(last), own_settings(last)), (network, source, None), asked)
    return (*made, replace(impression, name=f"{last} of {network.classes[source]}, the source"))


def _trial(network: Classifier, images: Tensor, target: int, guess: Guess, side: int, seed: int) -> own_pasted.Trial:
    picture = as_floats(guess.picture[None])[0]
    found = effects.pasted(network, images, picture, side, generator(seed, "pasted"))
    before, after = found.before[:, target], found.after[:, target]
    rise = after - before
    best = torch.argsort(rise, descending=True, stable=True)[:SHOWN]
    return own_pasted.Trial(
        called=guess.called,
        came=guess.came,
        picture=guess.picture,
        n=len(images),
        hits_before=int((found.before.argmax(1) == target).sum()),
        hits_after=int((found.after.argmax(1) == target).sum()),
        confidence_before=float(before.mean()),
        confidence_after=float(after.mean()),
        rise=bootstrap_mean(rise.tolist(), seed, within=(-1.0, 1.0)),
        shown=to_uint8(found.images[best]),
        shown_before=tuple(before[best].tolist()),
        shown_after=tuple(after[best].tolist()),
    )


def write(answer: Answer, out: Path) -> None:
    """Write the page; it is whole or not there."""
    if answer.trial is None:
        page = own_found.draw(answer.target, answer.attempts, answer.facts)
    else:
        page = own_pasted.draw(answer.source, answer.target, (answer.trial, *answer.beside), answer.facts)
    whole(out, lambda path: path.write_text(page, "utf-8"))


def document(answer: Answer) -> dict[str, Any]:
    """The answer as JSON values."""
    trials = [] if answer.trial is None else [answer.trial, *answer.beside]
    return {
        "network": answer.network,
        "source": answer.source,
        "target": answer.target,
        "facts": answer.facts,
        "methods": [{"name": a.name, "error": a.refusal or None, "losses": list(a.losses)} for a in answer.attempts],
        "trials": [trial.plain() for trial in trials],
    }
