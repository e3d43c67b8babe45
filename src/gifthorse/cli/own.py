"""What the verbs for one's own network have in common: its options, and what they print at the end."""

# No postponed annotations: the command line resolves those of inherited fields in the module of the class that inherits
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from gifthorse.cli.talk import Talk, put
from gifthorse.errors import InputError, UsageError, nearest
from gifthorse.registry import base, spelt
from gifthorse.tools import TOOLS


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OwnOptions:
    """Options of the verbs for one's own network."""

    net: str | None = None
    """Network: a name of the zoo (see `gifthorse list networks`), or of torchvision with --weights."""
    weights: Path | None = None
    """Local file of weights, safetensors or a state_dict of torch.save; nothing is downloaded, nothing unpickled."""
    classes: Path | None = None
    """Text file of class names, one a line, for a network of torchvision. Default: ImageNet's for 1,000 outputs."""
    size: int | None = None
    """Side of the input in pixels, for a network of torchvision. Default: as torchvision publishes it."""
    resize: int | None = None
    """Length of the shorter side before the middle is cut out. Default: as the network is tested."""
    arrays: Path | None = None
    """Write what was made as arrays too, as a .npz file."""
    seed: int = 0
    """Of every random draw."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    precision: str = "auto"
    """auto, float32 or bfloat16."""
    json: Annotated[bool, Parameter(negative=())] = False
    """Print one JSON document on stdout."""

    def own(self) -> dict[str, Any]:
        """The arguments of every such job.

        Raises:
            UsageError: no network was named.
        """
        if self.net is None:
            raise UsageError("no network was named", "--net emoji-resnet, or --net resnet18 --weights FILE")
        names = ("net", "weights", "classes", "size", "resize", "seed", "device", "precision")
        return {name: getattr(self, name) for name in names}

    def tell(self, out: Path, document: dict[str, Any]) -> None:
        """Print where the results are, or everything as JSON."""
        arrays = None if self.arrays is None else str(self.arrays)
        if self.json:
            put(json.dumps({"page": str(out), "arrays": arrays} | document, ensure_ascii=False))
        else:
            put("\n".join(filter(None, [str(out), arrays])))


def methods(wanted: str, kind: str, every: Sequence[str], excuse: str) -> tuple[str, ...]:
    """Tools of a kind from a comma-separated list, each with the settings of its own that it may have.

    Args:
        every: what ``all`` stands for.
        excuse: what a tool of another kind does, in words.

    Raises:
        UsageError: an unknown name, with the nearest one, or a tool of another kind.
    """
    valid = [name for name, row in TOOLS.items() if row.kind == kind]
    given = [spelt(name) for name in wanted.split(",") if name.strip()]
    names = tuple(dict.fromkeys(one for name in given for one in (every if name == "all" else [name])))
    if not names:
        raise UsageError("no method was named", nearest("", valid))
    for name in names:
        if base(name) not in valid:
            known = excuse if base(name) in TOOLS else "is not there"
            raise UsageError(f"--method: {base(name)!r} {known}", nearest(base(name), valid))
    return names


def refusals(talk: Talk, refused: dict[str, str], of: int, what: str) -> None:
    """Name the methods that gave nothing.

    Args:
        refused: name to reason.
        of: methods that were asked for.
        what: they were asked for.

    Raises:
        InputError: all of them refused.
    """
    for name, reason in refused.items():
        talk.say(f"{name} gave no {what}: {reason}")
    if len(refused) == of:
        told = "; ".join(dict.fromkeys(refused.values()))
        raise InputError(f"no method gave a {what}: {told}", "another method, see gifthorse list tools")
