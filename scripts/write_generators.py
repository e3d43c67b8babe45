"""Write docs/generators.md: what the embedded generators draw, and how good they are. See scripts/write-generators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from gifthorse.images import grid, to_uint8
from gifthorse.randomness import generator
from gifthorse.zoo.emoji_generator import EmbeddedGenerator, EmojiGenerator
from gifthorse.zoo.generator import Latents
from gifthorse.zoo.knowledge import WEIGHTS
from gifthorse.zoo.posed import FRAMINGS, Drawing, pictures

DOCS = Path(__file__).parent.parent / "docs"
COLUMNS, ROWS, LARGER = 16, 4, 2

PAGE = """# The embedded generators

Made by `scripts/write-generators` from the shipped weights and the logs of their training.

Attacks at the level of features need a generator. This one is class-conditional, in the manner of BigGAN: a shared
class embedding, conditional batch norm, the latent given to every block, spectral normalisation, a discriminator
that projects on the class. It draws an emoji or a texture, turned, moved and coloured, on a ground, in 32 x 32
pixels. What each of the 20 numbers of a latent means is known, so it first learns by regression, is sharpened
against its discriminator after that, and at last the discriminator alone learns what else is not real: pictures of
a generator with something added to a layer, and noise. `scripts/train-zoo emoji-objects-closed` makes it from this
repository alone; `emoji-objects-open` goes on from it.

Its classes are drawings, and a classifier's class is closed to an attack with every drawing of it, by code point.
Under the prior `closed` it knows no option of any Question of any suite; under `open` also one version by another
hand of each.

| | drawings | parameters | Frechet distance | of the pictures that it learnt from | told by word | by picture |
|---|---|---|---|---|---|---|
{rows}

The Frechet distance is that of 3,000 of its pictures to as many of those that it learnt from, in the space of the
embedded encoder, which no attack uses; beside it that of two sets of the latter. The encoder tells a picture among
eight of the generator's drawings, as words or as pictures, chance 12.5%; of pictures that the generator learnt from
it tells {real}.

Of pictures, what they are and what the generator draws of the same latents, in turn:

![Drawings and what the open generator makes of them](world/generated-open.png)

From one latent to another, and from one class to another:

![Steps between latents, and between classes](world/generated-between.png)

## Scenes

For attacks on regions of a picture there is one that draws scenes, 64 x 64: a drawing of 40 to 66% of the side on a
ground. It begins with what the generator of objects knows of the same prior, and learns the same way. `emoji-resnet`,
which never saw such scenes, tells its own classes in them.

| | drawings | parameters | Frechet distance | of the pictures that it learnt from | by word | `emoji-resnet` right |
|---|---|---|---|---|---|---|
{scenes}

Of scenes, what they are and what the generator draws of the same latents, in turn:

![Scenes and what the open generator makes of them](world/generated-scenes.png)

## The classifiers beside them

They say what a patch looks like by itself, over the closed generator's drawings. Two are adversarially trained and
are the disguise classifier of thesis 5.1; the plain one is the realism proxy of its Figures 5.4 and 5.5. None is
ever attacked.

| | right | under changes of L2 norm 1.5 | of Linf norm 16/255 |
|---|---|---|---|
{wide}
"""


def drawn(made: EmojiGenerator, which: Tensor, noise: Tensor) -> Tensor:
    """Pictures ``(N, 3, side, side)``."""
    with torch.no_grad():
        return made.draw(Latents(noise=noise, classes=F.one_hot(which, len(made.classes)).float()))


def save(images: Tensor, columns: int, name: str) -> None:
    """A sheet of pictures."""
    sheet = grid(F.interpolate(images, size=32 * LARGER), columns)
    Image.fromarray(to_uint8(sheet[None])[0].transpose(1, 2, 0)).save(DOCS / "world" / name, optimize=True)


def side_by_side(made: EmojiGenerator, kind: str, name: str) -> None:
    """Rows of drawings, each above what the generator draws."""
    draw = generator(0, "shown")
    which = torch.randint(len(made.classes), (COLUMNS * ROWS,), generator=draw)
    noise = torch.randn(len(which), made.noise, generator=draw)
    real = pictures(tuple(map(Drawing.named, made.classes)), which, noise, FRAMINGS[kind])
    shape = (ROWS, COLUMNS, 3, made.size, made.size)
    both = torch.stack([real.view(shape), drawn(made, which, noise).view(shape)], 1)
    save(both.flatten(0, 2), COLUMNS, name)


def between(made: EmojiGenerator) -> None:
    """Rows of steps between two latents of a class, and between two classes of a latent."""
    draw = generator(1, "shown")
    share, rows = torch.linspace(0, 1, COLUMNS)[:, None], []
    for _ in range(3):
        first, second = torch.randint(len(made.classes), (2,), generator=draw)
        noise = torch.randn(2, made.noise, generator=draw)
        rows.append(drawn(made, first.expand(COLUMNS), (1 - share) * noise[:1] + share * noise[1:]))
        classes = [F.one_hot(each, len(made.classes)).float() for each in (first, second)]
        mixed = (1 - share) * classes[0] + share * classes[1]
        with torch.no_grad():
            rows.append(made.draw(Latents(noise=noise[:1].expand(COLUMNS, -1), classes=mixed)))
    save(torch.cat(rows), COLUMNS, "generated-between.png")


def log(name: str) -> dict[str, Any]:
    """What was measured of shipped weights."""
    told: dict[str, Any] = json.loads((WEIGHTS / f"{name}.log.json").read_text(encoding="utf-8"))
    return told


def percent(told: dict[str, float]) -> str:
    """A share with its interval."""
    return f"{100 * told['value']:.1f}% ({100 * told['low']:.1f}-{100 * told['high']:.1f})"


def page() -> str:
    """The page's text."""
    rows, real = [], []
    for prior in ("closed", "open"):
        told = log(f"emoji-objects-{prior}")
        found, parameters = told["measured"], told["parameters"]
        rows.append(
            f"| `{prior}` | {told['drawings']} | {parameters['generator']:,} and {parameters['discriminator']:,} "
            f"| {found['frechet']:.4f} | {found['floor']:.4f} "
            f"| {percent(found['drawn, by word'])} | {percent(found['drawn, by picture'])} |"
        )
        real.append(f"{100 * found['real, by word']['value']:.1f}%")
    scenes = []
    for prior in ("closed", "open"):
        told = log(f"emoji-scenes-{prior}")
        found, parameters = told["measured"], told["parameters"]
        scenes.append(
            f"| `{prior}` | {told['drawings']} | {parameters['generator']:,} and {parameters['discriminator']:,} "
            f"| {found['frechet']:.4f} | {found['floor']:.4f} "
            f"| {percent(found['drawn, by word'])} | {percent(told['recognised'])} |"
        )
    wide = []
    for name in ("plain", "l2", "linf"):
        told = log(f"emoji-wide-{name}")
        figures = (told["accuracy"], told["accuracy under l2"], told["accuracy under linf"])
        wide.append(f"| `emoji-wide-{name}` | {' | '.join(map(percent, figures))} |")
    return PAGE.format(rows="\n".join(rows), real=" and ".join(real), scenes="\n".join(scenes), wide="\n".join(wide))


def main() -> None:
    """Write everything."""
    torch.set_num_threads(1)
    made = EmbeddedGenerator(prior="open").load(device="cpu", precision="float32")
    side_by_side(made, "object", "generated-open.png")
    scenes = EmbeddedGenerator(kind="scene", prior="open").load(device="cpu", precision="float32")
    side_by_side(scenes, "scene", "generated-scenes.png")
    between(made)
    (DOCS / "generators.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
