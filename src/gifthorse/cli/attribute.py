"""The verb for one's own network and images: attribute."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gifthorse.cli.talk import Talk, put
from gifthorse.errors import InputError, UsageError, nearest
from gifthorse.registry import base, load, spelt
from gifthorse.tools import TOOLS


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AttributeOptions:
    """Options of ``attribute``."""

    net: str | None = None
    """Network: a name of the zoo (see `gifthorse list networks`), or of torchvision with --weights."""
    weights: Path | None = None
    """Local file of weights, safetensors or a state_dict of torch.save; nothing is downloaded, nothing unpickled."""
    classes: Path | None = None
    """Text file of class names, one a line, for a network of torchvision. Default: ImageNet's for 1,000 outputs."""
    method: str = "all"
    """Attribution methods separated by commas, or `all`: those that look at the network, and the edge detectors.
    A method may come several times, with settings of its own: occlusion,occlusion@window=12."""
    target: str | None = None
    """Class to explain, by name or index. Default: of each image the likeliest."""
    references: Path | None = None
    """Folder of clean images, for methods that need some; the first 64 are read."""
    size: int | None = None
    """Side of the input in pixels, for a network of torchvision. Default: as torchvision publishes it."""
    resize: int | None = None
    """Length of the shorter side before the middle is cut out. Default: as the network is tested."""
    out: Path = Path("maps.html")
    """Where the page goes."""
    arrays: Path | None = None
    """Write the raw maps too, as a .npz file."""
    seed: int = 0
    """Of every random draw."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    json: Annotated[bool, Parameter(negative=())] = False
    """Print one JSON document on stdout."""


def attribute(*images: Path, options: AttributeOptions = AttributeOptions()) -> None:
    """Draw maps of your own images for your own network: which pixels make it say what it says.

    Images (JPEG, PNG or WebP) are resized and cropped in the middle as the network is tested; the page says how. A
    method that cannot do the network or lacks something is named there with its reason, and the others go on.

    Args:
        images: picture files.

    Examples:
        gifthorse attribute --net emoji-resnet scene.png --method all --out maps.html
        gifthorse attribute --net resnet18 --weights mine.pth --classes names.txt cat.jpg dog.jpg --arrays maps.npz
        gifthorse attribute --net efficientnet-lite0 cat.jpg --method occlusion,occlusion@window=48 --target tabby
    """
    if options.net is None:
        raise UsageError("no network was named", "--net emoji-resnet, or --net resnet18 --weights FILE")
    if not images:
        raise UsageError("no image was named", f"gifthorse attribute --net {options.net} IMAGE...")
    talk = Talk()
    order = load("gifthorse.jobs.attribute:Order")(
        net=options.net,
        images=images,
        methods=methods(options.method),
        weights=options.weights,
        classes=options.classes,
        size=options.size,
        resize=options.resize,
        target=options.target,
        references=options.references,
        seed=options.seed,
        device=options.device,
    )
    answer = load("gifthorse.jobs.attribute:attribute")(order, talk.say)
    load("gifthorse.jobs.attribute:write")(answer, options.out, options.arrays)
    arrays = None if options.arrays is None else str(options.arrays)
    if options.json:
        told = load("gifthorse.jobs.attribute:document")(answer)
        put(json.dumps({"page": str(options.out), "arrays": arrays} | told, ensure_ascii=False))
    else:
        put("\n".join(filter(None, [str(options.out), arrays])))
    refused = [attempt for attempt in answer.attempts if attempt.maps is None]
    for attempt in refused:
        talk.say(f"{attempt.name} gave no map: {attempt.refusal}")
    if len(refused) == len(answer.attempts):
        raise InputError(
            "no method gave a map", "choose another method (gifthorse list tools); the page has the reasons"
        )


def methods(wanted: str) -> tuple[str, ...]:
    """Attribution tools from a comma-separated list, each with the settings of its own that it may have.

    Raises:
        UsageError: an unknown name, with the nearest one, or a tool of another kind.
    """
    valid = [name for name, row in TOOLS.items() if row.kind == "attribution"]
    every = [name for name in valid if not TOOLS[name].floor or name.startswith("edges_")]
    given = [spelt(name) for name in wanted.split(",") if name.strip()]
    names = tuple(dict.fromkeys(one for name in given for one in (every if name == "all" else [name])))
    if not names:
        raise UsageError("no method was named", nearest("", valid))
    for name in names:
        if base(name) not in valid:
            known = "draws pictures, and explains none" if base(name) in TOOLS else "is not there"
            raise UsageError(f"--method: {base(name)!r} {known}", nearest(base(name), valid))
    return names
