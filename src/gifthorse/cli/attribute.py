"""The verb for maps of one's own images: attribute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from gifthorse.cli import own
from gifthorse.cli.own import OwnOptions, refusals
from gifthorse.cli.talk import Talk
from gifthorse.errors import UsageError
from gifthorse.registry import load
from gifthorse.tools import TOOLS


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AttributeOptions(OwnOptions):
    """Options of ``attribute``."""

    method: str = "all"
    """Attribution methods separated by commas, or `all`: those that look at the network, and the edge detectors.
    A method may come several times, with settings of its own: occlusion,occlusion@window=12."""
    target: str | None = None
    """Class to explain, by name or index. Default: of each image the likeliest."""
    references: Path | None = None
    """Folder of clean images, for methods that need some; the first 64 are read."""
    out: Path = Path("maps.html")
    """Where the page goes."""


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
    about = options.own()
    if not images:
        raise UsageError("no image was named", f"gifthorse attribute --net {options.net} IMAGE...")
    talk = Talk()
    order = load("gifthorse.jobs.attribute:Order")(
        **about,
        images=images,
        methods=methods(options.method),
        target=options.target,
        references=options.references,
    )
    answer = load("gifthorse.jobs.attribute:attribute")(order, talk.say)
    load("gifthorse.jobs.attribute:write")(answer, options.out, options.arrays)
    options.tell(options.out, load("gifthorse.jobs.attribute:document")(answer))
    refused = {attempt.name: attempt.refusal for attempt in answer.attempts if attempt.maps is None}
    refusals(talk, refused, len(answer.attempts), "map")


def methods(wanted: str) -> tuple[str, ...]:
    """Attribution tools from a comma-separated list, each with the settings of its own that it may have.

    Raises:
        UsageError: an unknown name, with the nearest one, or a tool of another kind.
    """
    every = [
        name
        for name, row in TOOLS.items()
        if row.kind == "attribution" and (not row.floor or name.startswith("edges_"))
    ]
    return own.methods(wanted, "attribution", every, "draws pictures, and explains none")
