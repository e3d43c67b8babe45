"""The verb for copy/paste attacks on one's own network: copy-paste."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from gifthorse.cli.own import OwnOptions, refusals
from gifthorse.cli.talk import Talk
from gifthorse.errors import UsageError
from gifthorse.registry import load


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CopyPasteOptions(OwnOptions):
    """Options of ``copy-paste``."""

    source: str | None = None
    """Class whose images are changed, by name or index."""
    target: str | None = None
    """Class that they are to be taken for, by name or index."""
    images: Path | None = None
    """Folder of images of the source class. Default: scenes, for a network of the emoji world."""
    image: Path | None = None
    """A guess: an image file that is pasted and measured; transparency is kept."""
    name: str | None = None
    """A guess: what the picture is called, such as "traffic light"; one of the emoji that have a name."""
    share: float = 85 / 256
    """Side of what is pasted, over the image's."""
    n: int = 10
    """Adversaries of each method."""
    budget: int = 4_000
    """Images forwarded plus images backpropagated, for each method."""
    generator: str = "emoji-objects"
    """What draws adversaries: a name of the zoo, such as emoji-objects@prior=closed, or a folder with a BigGAN-deep."""
    out: Path = Path("copy-paste.html")
    """Where the page goes. A guess is written to NAME.guess.json beside it, before it is measured."""


def copy_paste(*, options: CopyPasteOptions = CopyPasteOptions()) -> None:
    """Look for what can be pasted into images of one class so that your network takes them for another.

    First run it without a guess, and look at the adversaries: what do they show? Then name it, or give a picture of it:
    it is pasted into 50 images of the source class at random places, beside ten pictures that nobody chose.

    Examples:
        gifthorse copy-paste --net emoji-resnet --source bee --target fly --out adversaries.html
        gifthorse copy-paste --net emoji-resnet --source bee --target fly --name "traffic light"
        gifthorse copy-paste --net resnet18 --weights mine.pth --source 309 --target 308 --images bees --image lamp.png
    """
    about = options.own()
    if options.source is None or options.target is None:
        raise UsageError("source and target are two classes", f"--net {options.net} --source CLASS --target CLASS")
    talk = Talk()
    order = load("gifthorse.jobs.copy_paste:Order")(
        **about,
        source=options.source,
        target=options.target,
        images=options.images,
        image=options.image,
        name=options.name,
        share=options.share,
        n=options.n,
        budget=options.budget,
        generator=options.generator,
    )
    answer = load("gifthorse.jobs.copy_paste:copy_paste")(order, options.out, talk.say)
    load("gifthorse.jobs.copy_paste:write")(answer, options.out)
    options.tell(options.out, load("gifthorse.jobs.copy_paste:document")(answer))
    refused = {attempt.name: attempt.refusal for attempt in answer.attempts if attempt.pictures is None}
    if answer.attempts:
        refusals(talk, refused, len(answer.attempts), "picture")
