"""SNAFUE: natural patches that do to the network what synthetic adversaries do."""

from __future__ import annotations

from dataclasses import replace

import torch

from gifthorse.errors import Refusal, UsageError
from gifthorse.records import Insertion
from gifthorse.registry import base, own_settings
from gifthorse.tools import TOOLS
from gifthorse.tools.base import check_positive
from gifthorse.tools.synthesis.base import Clean, Made, Synthesis, Task
from gifthorse.tools.synthesis.natural import Ranking, Synthetic, gains, shortlist
from gifthorse.tools.synthesis.patching import side_of
from gifthorse.zoo.candidates import Candidates


class Snafue(Synthesis):
    """Search for natural adversarial features using embeddings (thesis 5.2.1; Casper et al. 2022, "Diagnostics").

    Synthetic patches are made through a generator, without disguise; what the network's penultimate layer makes of them
    is compared with what it makes of very many natural patches; the natural ones nearest to any of them are tried out
    at random places of screening images, and the best are kept.

    Differs from the thesis in that the success weights act on similarities: they scale whole embeddings there, which
    cosine similarity does not see; and in that images for making, screening and reporting are three sets: there
    screening and reporting use the images that the patches were made on. ``faithful`` follows it in both (reporting
    is not the tool's). A patch is out if the target is among the top hundredth of its classes, at least one; there, ten
    of 1,000.

    Attributes:
        attack: the tool that makes synthetic patches, with settings of its own.
        synthetic: how many (thesis: 10).
        share: of the budget that goes into them.
        screened: natural patches that are tried out (thesis: 300), or as many as the budget pays for.
        screen: screening images for each (thesis: 50).
        out: share of the classes that the target must not be among.
        faithful: as published.
        side: of the patch in pixels; None is 18 of 64, 64 of 224.
    """

    needs = frozenset({"gradients", "clean_images"})
    prepares = ("generator", "disguise", "pool")
    natural = True

    attack: str = "rfla_perturb@real=0.0@sure=0.0@unlike=0.0"
    synthetic: int = 10
    share: float = 0.5
    screened: int = 300
    screen: int = 12
    out: float = 0.01
    faithful: bool = False
    side: int | None = None

    def __post_init__(self) -> None:
        check_positive(self, "synthetic", "screened", "screen", "side")
        Ranking(out=self.out)
        if not 0 < self.share < 1:
            raise UsageError(f"share is {self.share}", "above 0, below 1")
        made = TOOLS.load(base(self.attack))
        if not issubclass(made, Synthesis) or not set(made.prepares) < set(self.prepares):
            raise UsageError(
                f"{self.attack} makes no synthetic patches for snafue", "rfla_perturb, or adversarial_patch"
            )

    def _synthesise(self, task: Task) -> Made:
        made: Synthesis = TOOLS.make(base(self.attack), own_settings(self.attack))
        candidates: Candidates = task.assets["pool"]
        task.classifier.head_weight()  # refuses at once what has none
        insertion = Insertion(kind="patch", side=side_of(self, task))
        tried = replace(task, clean=Clean(fit=task.clean.fit, screen=task.clean.fit)) if self.faithful else task
        with task.classifier.counting() as passed:
            found = made._synthesise(replace(task, n=self.synthetic, budget=int(self.share * task.budget)))
            synthetic = Synthetic.of(tried, found.pictures, insertion, self.screen)
            # twice as many as are tried out are seen by themselves, since those that show the target are passed over
            rows = min(self.screen, len(tried.clean.screen))
            most = min(self.screened, (task.budget - passed.passes) // (2 + rows))
            if most < task.n:
                raise UsageError(
                    f"a budget of {task.budget} passes leaves {max(0, most)} natural patches to try out for "
                    f"{task.n} findings",
                    "a larger budget, fewer findings, or fewer screening images",
                )
            listed = shortlist(task, candidates, synthetic, most, Ranking(out=self.out, faithful=self.faithful))
            if len(listed.ids) < task.n:
                raise Refusal(
                    f"{len(listed.ids)} of {len(listed.ids) + listed.dropped} natural patches do not show the target",
                    "a larger pool",
                )
            with torch.no_grad():
                scores = gains(tried, listed.pictures, insertion, self.screen)
        best = torch.argsort(scores, descending=True, stable=True)[: task.n]
        sources = tuple(listed.ids[k] for k in best.tolist())
        return Made(pictures=listed.pictures[best], losses=-scores[best], insertion=insertion, sources=sources)
