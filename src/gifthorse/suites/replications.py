"""Pairs of ImageNet classes of the thesis: the nine of Figure 5.11, and two lists that have nothing in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Replication:
    """A source and a target, by their ImageNet names.

    Attributes:
        rate: mean success of ten natural patches in the thesis, on photographs.
        found: who first showed that a patch or an image works there.
        stand_in: the pair in the emoji world, where it has both.
    """

    source: str
    target: str
    rate: float
    found: str
    stand_in: tuple[str, str] | None = None


_CARTER, _HERNANDEZ, _CASPER = "Carter et al. 2019", "Hernandez et al. 2022", "Casper et al. 2022"

REPLICATIONS = (
    Replication(source="snorkel", target="scuba diver", rate=0.338, found=_CARTER),
    Replication(
        source="grey whale", target="great white shark", rate=0.326, found=_CARTER, stand_in=("whale", "shark")
    ),
    Replication(source="frying pan", target="wok", rate=0.306, found=_CARTER),
    Replication(source="container ship", target="amphibian", rate=0.672, found=_HERNANDEZ),
    Replication(source="pretzel", target="hermit crab", rate=0.928, found=_HERNANDEZ),
    Replication(source="snowplow", target="jeep", rate=0.824, found=_HERNANDEZ),
    Replication(source="bee", target="fly", rate=0.250, found=_CASPER, stand_in=("bee", "fly")),
    Replication(
        source="Indian elephant",
        target="African elephant",
        rate=0.408,
        found=_CASPER,
        stand_in=("elephant", "mammoth"),
    ),
    Replication(source="puffer", target="lionfish", rate=0.236, found=_CASPER),
)
"""In the thesis's order. The three of Hernandez et al. have a single source image each there, hence their rates."""

GARMENTS = (
    "academic gown", "apron", "bikini", "cardigan", "jean", "jersey", "maillot", "suit", "sweatshirt", "trench coat",
)  # fmt: skip
TRAFFIC = (
    "fire engine", "garbage truck", "racer", "sports car", "streetcar", "tow truck", "trailer truck", "trolleybus",
    "street sign", "traffic light",
)  # fmt: skip
"""The thesis's dissimilar sources and targets (5.2.4, footnote 5), by their ImageNet names."""
