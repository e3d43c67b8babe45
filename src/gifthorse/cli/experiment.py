"""The verb for the thesis's experiments: experiment."""

from __future__ import annotations

import json as as_json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from gifthorse.cli.talk import Talk, Watch, put
from gifthorse.errors import UsageError, nearest
from gifthorse.jobs.experiments import EXPERIMENTS
from gifthorse.registry import load
from gifthorse.runner import local
from gifthorse.store import Store


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ExperimentOptions:
    """Options of ``experiment``."""

    net: str = "emoji-resnet"
    """Network that is attacked, or that patches are tried on."""
    n: int | None = None
    """Disguised patches of each arm (60), patches (64 and 100), patches of each source (5), targets (12), or pairs."""
    arms: str | None = None
    """Of disguise and collapse: arms, separated by commas; of capabilities: tools."""
    ensemble: str | None = None
    """Of transfer: the networks that patches are made on, separated by commas."""
    target: str | None = None
    """Of sources: the class that all patches are for."""
    sources: str | None = None
    """Of sources, similar and dissimilar: classes that patches are made on, separated by commas."""
    targets: str | None = None
    """Of dissimilar: the classes that patches are for, separated by commas."""
    pairs: str | None = None
    """Of replication: SOURCE>TARGET, separated by commas."""
    photos: Path | None = None
    """Of physical: a folder of photographs of printed patches, named NUMBER-WHAT.jpg."""
    data: Path | None = None
    """Of similar, dissimilar and replication: a folder of photographs, for --net efficientnet-lite0; with --pool."""
    pool: Path | None = None
    """Their natural patches: a folder of pictures, of tar shards or of Parquet files."""
    run: Path | None = None
    """Of failures: the run folder whose patch trojans are looked for (runs/emoji12-quick)."""
    prior: str = "open"
    """What the generator knows: open or closed."""
    out: Path | None = None
    """Run folder. Default: runs/experiment-NAME."""
    seed: int = 0
    """Of every random draw."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    precision: str = "auto"
    """auto, float32 or bfloat16."""
    threads: int = 1
    """Of torch in each process, on a CPU."""
    workers: int | None = None
    """Processes. Default: 2 on a CPU of two cores or more, otherwise 1."""
    json: Annotated[bool, Parameter(negative=())] = False
    """Print the figures as one JSON document."""

    def asked(self, name: str, order: type[Any]) -> dict[str, Any]:
        """Arguments of an experiment's order.

        Raises:
            UsageError: an option that this experiment does not have.
        """
        found: dict[str, Any] = {
            key: getattr(self, key) for key in ("net", "prior", "seed", "device", "precision", "threads")
        }
        own: dict[str, Any] = {key: getattr(self, key) for key in ("n", "target", "photos", "data", "pool", "run")}
        own |= {key: _listed(getattr(self, key)) for key in ("arms", "ensemble", "sources", "targets", "pairs")}
        known = {each.name for each in fields(order)}
        for option, value in own.items():
            if value is not None:
                if option not in known:
                    raise UsageError(f"--{option} is not of the experiment {name}", "leave it out")
                found[option] = value
        return found


def experiment(name: str, *, options: ExperimentOptions = ExperimentOptions()) -> None:
    """Carry out an experiment of the thesis, and write its page. To resume is to run again.

    disguise: seven ways to make patches, how well they work and how often they are disguised (Figures 5.4 and 5.5).
    transfer: patches made on several networks, tried on one that was held out (A.1).
    sources: patches made on scenes of one class, tried on those of others.
    physical: the best patches on a sheet to print, and printed and photographed, simulated (5.1.3).
    capabilities: what the pictures of each synthesis tool can do, a figure in each cell (Table 5.1).
    collapse: how alike the patches of one fine-tuned generator are, with a diversity term and without.
    similar: natural patches between classes that the network confuses (5.2.4).
    dissimilar: natural patches between garments and traffic objects (5.2.4).
    replication: natural patches for pairs that others have found, or any (Figure 5.11).
    sweep: success by the numbers of synthetic patches and of natural ones that are tried out (Figure 5.8).
    biases: whether natural patches find what the world's data are biased by (Figure 5.10).
    failures: five ways in which natural patches fail to name the triggers of a run (5.2.3).

    Args:
        name: which one of these.

    Examples:
        gifthorse experiment disguise
        gifthorse experiment disguise --n 12 --arms "All,Brown et al."
        gifthorse experiment transfer --net emoji-vit --ensemble emoji-resnet,emoji-vgg
        gifthorse experiment sources --target fly --sources bee,mosquito,owl
        gifthorse experiment physical --photos my-photographs
        gifthorse experiment capabilities --arms rfla_perturb,rfla_region,adversarial_patch
        gifthorse experiment similar --n 30
        gifthorse experiment failures --run runs/emoji12-quick
        gifthorse experiment replication --pairs "bee>fly,owl>duck"
        gifthorse experiment replication --net efficientnet-lite0 --data imagenet --pool pictures
    """
    if name not in EXPERIMENTS:
        raise UsageError(f"there is no experiment {name!r}", nearest(name, EXPERIMENTS))
    where, _ = EXPERIMENTS[name]
    order = load(f"{where}:Order")
    asked = options.asked(name, order)
    store = Store(options.out or Path("runs") / f"experiment-{name}")
    engine = local(options.workers or load("gifthorse.jobs.run:workers")(options.device))
    with Watch(Talk()) as watch:
        page, figures = load(f"{where}:carry_out")(order(**asked), store, engine, watch)
    put(as_json.dumps({"page": str(page)} | figures, ensure_ascii=False) if options.json else str(page))


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
