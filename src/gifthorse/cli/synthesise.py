"""The verb for pictures of what a class of one's own network reacts to: synthesise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gifthorse.cli import own
from gifthorse.cli.own import OwnOptions, refusals
from gifthorse.cli.talk import Talk
from gifthorse.errors import UsageError
from gifthorse.registry import load
from gifthorse.tools import TOOLS


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SynthesiseOptions(OwnOptions):
    """Options of ``synthesise``."""

    target: str | None = None
    """Class to look into, by name or index."""
    method: str = "all"
    """Synthesis methods separated by commas, or `all` that look at the network.
    A method may come several times, with settings of its own: tabor,tabor@extent=full."""
    images: Path | None = None
    """Folder of clean images, for methods that need some; the first 240 are read, and on a quarter of them, which no
    method sees, the findings are tried out."""
    n: int = 10
    """Findings of each method."""
    keep: int = 5
    """How many of them are shown first and tried out: the best by their loss on images that they were not made on, or
    where they are for different neurons the best of each."""
    budget: int = 4_000
    """Images forwarded plus images backpropagated, for each method."""
    seconds: float | None = None
    """Time for each method, instead of a budget: another run need not give the same pictures."""
    generator: str = "emoji-objects"
    """What methods that draw through a generator draw with: a name of the zoo, such as emoji-objects@prior=closed, or a
    folder with a BigGAN-deep (config.json and pytorch_model.bin or model.safetensors)."""
    pool: Path | None = None
    """Pictures that `snafue` chooses natural patches from: a folder of images, tar or Parquet files, or one such file.
    Their embeddings by your network are kept beside it, in NAME.embeddings."""
    pool_index: Annotated[bool, Parameter(negative=())] = False
    """Search --pool through an index (FAISS, the extra `faiss`), for very large pools: it may miss some of the nearest.
    How many it finds is measured against exact search when it is made, beside the embeddings, and said."""
    out: Path = Path("pictures.html")
    """Where the page goes."""


def synthesise(*, options: SynthesiseOptions = SynthesiseOptions()) -> None:
    """Draw what a class of your own network reacts to: patches, masks and whole pictures that it takes for the class.

    Each picture is tried out on clean images that it was not made on, where there are some, and by itself. A method
    that cannot do the network or lacks something is named on the page with its reason, and the others go on.

    Examples:
        gifthorse synthesise --net emoji-resnet --target bee --images scenes --out pictures.html
        gifthorse synthesise --net emoji-resnet --target bee --method fourier_target,cppn_target@resolution=32
        gifthorse synthesise --net resnet18 --weights mine.pth --classes names.txt --target dog --seconds 60
        gifthorse synthesise --net emoji-resnet --target bee --images scenes --method snafue --pool photographs
    """
    about = options.own()
    if options.target is None:
        raise UsageError("no class was named", f"gifthorse synthesise --net {options.net} --target CLASS")
    talk = Talk()
    order = load("gifthorse.jobs.synthesise:Order")(
        **about,
        target=options.target,
        methods=methods(options.method),
        images=options.images,
        n=options.n,
        keep=options.keep,
        budget=options.budget,
        within=options.seconds,
        generator=options.generator,
        pool=options.pool,
        index=options.pool_index,
    )
    answer = load("gifthorse.jobs.synthesise:synthesise")(order, talk.say)
    load("gifthorse.jobs.synthesise:write")(answer, options.out, options.arrays)
    options.tell(options.out, load("gifthorse.jobs.synthesise:document")(answer))
    refused = {attempt.name: attempt.refusal for attempt in answer.attempts if attempt.pictures is None}
    refusals(talk, refused, len(answer.attempts), "picture")


def methods(wanted: str) -> tuple[str, ...]:
    """Synthesis tools from a comma-separated list, each with the settings of its own that it may have.

    Raises:
        UsageError: an unknown name, with the nearest one, or a tool of another kind.
    """
    every = [name for name, row in TOOLS.items() if row.kind == "synthesis" and not row.floor]
    return own.methods(wanted, "synthesis", every, "explains images, and draws nothing")
