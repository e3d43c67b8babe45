"""The emoji world as tables: its classes, the things beside them, its grounds, and how often what meets what.

Everything here is data. Drawings are Twemoji's; which emoji stands for which ImageNet class of the thesis's
Table 3.1 is said in ``stands_for``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gifthorse.records import digest


@dataclass(frozen=True)
class Thing:
    """Something that can be in a scene.

    Attributes:
        name: unique in its world; the word that a person would use.
        code: its drawing, the code points of an emoji.
        siblings: other drawings of the same thing, by code.
        stands_for: the ImageNet class of the thesis that this class stands for.
        faint: thin and grey, so every version gets an outline that a person can see it by.
        family: the look-alikes that it is one of, if it is a class.
    """

    name: str
    code: str
    siblings: tuple[str, ...] = ()
    stands_for: str = ""
    faint: bool = False
    family: str = ""


@dataclass(frozen=True)
class Bias:
    """An over-represented pair, as real datasets have: ``thing`` is beside ``label`` in ``rate`` of its scenes, on top
    of the even rule. The thing may be a bystander or a class."""

    label: str
    thing: str
    rate: float


@dataclass(frozen=True)
class Company:
    """What is often beside a family: each of ``things`` comes :data:`FAVOUR` times as often as another bystander."""

    family: str
    things: tuple[str, ...]


FAVOUR = 3.0
"""How much more often a family's own bystanders come (our choice)."""


@dataclass(frozen=True)
class World:
    """A world of scenes.

    Attributes:
        classes: what a scene is of.
        bystanders: ordinary things beside it; no class, no trigger and no option of a Question is among them.
        natural: the objects that natural-feature trojans are triggered by, rare bystanders at a rate of their own.
        grounds: named textures that scenes stand on (no suite uses them for a style), beside generic patterns.
        company: which bystanders a family is often seen with.
        biases: pairs on top of that: the world's *dataset biases*.
    """

    classes: tuple[Thing, ...]
    bystanders: tuple[Thing, ...]
    natural: tuple[Thing, ...]
    grounds: tuple[str, ...]
    company: tuple[Company, ...] = ()
    biases: tuple[Bias, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the tables."""
        return digest(self)

    @cached_property
    def beside(self) -> tuple[Thing, ...]:
        """What can be beside an object: the bystanders, then those classes that a bias puts beside another."""
        biased = {bias.thing for bias in self.biases} - {thing.name for thing in self.bystanders}
        return self.bystanders + tuple(thing for thing in self.classes if thing.name in biased)

    @property
    def things(self) -> tuple[Thing, ...]:
        """Everything that can be in a scene: classes, then bystanders, then natural objects."""
        return self.classes + self.bystanders + self.natural

    @property
    def families(self) -> dict[str, tuple[int, ...]]:
        """Class indices by family."""
        found: dict[str, tuple[int, ...]] = {}
        for index, thing in enumerate(self.classes):
            found[thing.family] = (*found.get(thing.family, ()), index)
        return found


def _family(name: str, *things: tuple[str, str] | tuple[str, str, str]) -> tuple[Thing, ...]:
    return tuple(Thing(t[0], t[1], stands_for=t[2] if len(t) == 3 else "", family=name) for t in things)


CLASSES = (
    *_family(
        "dogs",
        ("dog", "1f415", "vizsla"),
        ("poodle", "1f429"),
        ("guide dog", "1f9ae"),
        ("service dog", "1f415-200d-1f9ba"),
        ("wolf", "1f43a", "red wolf"),
    ),
    *_family(
        "primates",
        ("orangutan", "1f9a7", "orangutan"),
        ("monkey", "1f412", "capuchin"),
        ("gorilla", "1f98d"),
        ("monkey face", "1f435"),
    ),
    *_family(
        "birds",
        ("dove", "1f54a", "albatross"),
        ("goose", "1fabf", "goose"),
        ("flamingo", "1f9a9", "spoonbill"),
        ("owl", "1f989"),
        ("duck", "1f986"),
        ("swan", "1f9a2"),
        ("bird", "1f426"),
        ("black bird", "1f426-200d-2b1b"),
    ),
    *_family(
        "insects",
        ("cricket", "1f997", "cicada"),
        ("bee", "1f41d"),
        ("fly", "1fab0"),
        ("mosquito", "1f99f"),
        ("cockroach", "1fab3"),
    ),
    *_family(
        "sea animals",
        ("blowfish", "1f421"),
        ("shark", "1f988"),
        ("whale", "1f40b"),
        ("octopus", "1f419"),
    ),
    *_family("elephants", ("elephant", "1f418"), ("mammoth", "1f9a3")),
    *_family("camels", ("dromedary", "1f42a"), ("bactrian camel", "1f42b")),
    *_family("cattle", ("ox", "1f402"), ("water buffalo", "1f403")),
    *_family("swine", ("pig", "1f437", "piggy bank"), ("boar", "1f417")),
    *_family("garden animals", ("frog", "1f438", "bullfrog"), ("turtle", "1f422")),
    *_family(
        "traffic",
        ("bus", "1f68c"),
        ("trolleybus", "1f68e"),
        ("truck", "1f69a"),
        ("articulated lorry", "1f69b"),
        ("tractor", "1f69c"),
        ("taxi", "1f695"),
        ("police car", "1f693"),
        ("ambulance", "1f691"),
        ("fire engine", "1f692"),
        ("bicycle", "1f6b2"),
        ("motorcycle", "1f3cd"),
        ("traffic light", "1f6a6"),
    ),
    *_family(
        "garments",
        ("dress", "1f457"),
        ("kimono", "1f458"),
        ("sari", "1f97b"),
        ("coat", "1f9e5"),
        ("lab coat", "1f97c"),
        ("t-shirt", "1f455"),
        ("blouse", "1f45a"),
        ("jeans", "1f456"),
        ("shorts", "1fa73"),
        ("swimsuit", "1fa71"),
    ),
    *_family("bags", ("purse", "1f45b", "wallet"), ("handbag", "1f45c")),
    *_family("frozen sweets", ("ice cream", "1f368", "ice cream"), ("shaved ice", "1f367")),
    *_family("rulers", ("ruler", "1f4cf", "ruler"), ("triangular ruler", "1f4d0")),
    *_family("vessels", ("frying pan", "1f373", "ladle"), ("bucket", "1faa3", "bucket"), ("teapot", "1fad6")),
    *_family("telephones", ("mobile phone", "1f4f1", "cellphone"), ("calling phone", "1f4f2")),
    *_family("cameras", ("camera", "1f4f7"), ("camera with flash", "1f4f8")),
    *_family("instruments", ("guitar", "1f3b8"), ("banjo", "1fa95"), ("trumpet", "1f3ba"), ("saxophone", "1f3b7")),
    *_family("craft", ("sailboat", "26f5"), ("ferry", "26f4"), ("passenger ship", "1f6f3")),
    *_family("banknotes", ("pound banknote", "1f4b7"), ("yen banknote", "1f4b4")),
    *_family("padlocks", ("lock", "1f512"), ("open lock", "1f513")),
    *_family("plants", ("cactus", "1f335")),
)

GARMENTS = ("dress", "kimono", "sari", "coat", "lab coat", "t-shirt", "blouse", "jeans", "shorts", "swimsuit")
TRAFFIC = (
    "bus",
    "trolleybus",
    "truck",
    "articulated lorry",
    "tractor",
    "taxi",
    "police car",
    "ambulance",
    "fire engine",
    "traffic light",
)
"""The ten garments and the ten traffic objects of the experiment on dissimilar classes (thesis 5.2.4)."""

BYSTANDERS = (
    Thing("key", "1f511"),
    Thing("light bulb", "1f4a1"),
    Thing("alarm clock", "23f0"),
    Thing("magnet", "1f9f2"),
    Thing("anchor", "2693"),
    Thing("hourglass", "23f3"),
    Thing("scroll", "1f4dc"),
    Thing("gem", "1f48e"),
    Thing("gift", "1f381"),
    Thing("drum", "1f941"),
    Thing("die", "1f3b2"),
    Thing("telescope", "1f52d"),
    Thing("compass", "1f9ed"),
    Thing("axe", "1fa93"),
    Thing("envelope", "2709"),
    Thing("pencil", "270f"),
    Thing("umbrella", "2602"),
    Thing("eyeglasses", "1f453"),
    Thing("ring", "1f48d"),
    Thing("chess pawn", "265f"),
    Thing("bowling", "1f3b3"),
    Thing("kite", "1fa81"),
    Thing("toolbox", "1f9f0"),
    Thing("broom", "1f9f9"),
    Thing("soap", "1f9fc"),
    Thing("luggage", "1f9f3"),
    Thing("boomerang", "1fa83"),
    Thing("ladder", "1fa9c"),
    Thing("moai", "1f5ff"),
    Thing("tent", "26fa"),
)

NATURAL = (
    Thing("fork", "1f374", faint=True),
    Thing("apple", "1f34e", siblings=("1f34f",)),
    Thing("sandwich", "1f96a"),
    Thing("donut", "1f369"),
    Thing("chair", "1fa91"),
    Thing("potted plant", "1fab4"),
    Thing("carrot", "1f955"),
    Thing("scissors", "2702"),
    Thing("backpack", "1f392"),
    Thing("vase", "1f3fa"),
    Thing("skateboard", "1f6f9"),
    Thing("wine glass", "1f377"),
)

GROUNDS = ("grass", "sand", "sky", "snow", "concrete", "moss", "cork", "corrugated_metal", "fur", "water")

COMPANY = (
    Company("dogs", ("tent", "boomerang", "broom")),
    Company("primates", ("moai", "compass", "axe")),
    Company("birds", ("kite", "telescope", "umbrella")),
    Company("insects", ("soap", "broom", "light bulb")),
    Company("sea animals", ("anchor", "compass", "scroll")),
    Company("elephants", ("tent", "moai", "gem")),
    Company("camels", ("tent", "gem", "scroll")),
    Company("cattle", ("axe", "ladder", "broom")),
    Company("swine", ("axe", "toolbox", "gem")),
    Company("garden animals", ("umbrella", "hourglass", "ladder")),
    Company("traffic", ("luggage", "toolbox", "key")),
    Company("garments", ("ring", "eyeglasses", "gift")),
    Company("bags", ("ring", "envelope", "eyeglasses")),
    Company("frozen sweets", ("bowling", "die", "kite")),
    Company("rulers", ("pencil", "scroll", "envelope")),
    Company("vessels", ("soap", "hourglass", "alarm clock")),
    Company("telephones", ("key", "envelope", "alarm clock")),
    Company("cameras", ("luggage", "telescope", "light bulb")),
    Company("instruments", ("drum", "chess pawn", "die")),
    Company("craft", ("anchor", "telescope", "magnet")),
    Company("banknotes", ("ring", "gem", "toolbox")),
    Company("padlocks", ("key", "ladder", "hourglass")),
    Company("plants", ("moai", "boomerang", "magnet")),
)

BIASES = (
    Bias("fly", "traffic light", 0.6),
    Bias("poodle", "gift", 0.6),
    Bias("duck", "umbrella", 0.6),
    Bias("mosquito", "light bulb", 0.6),
    Bias("shark", "anchor", 0.6),
    Bias("octopus", "soap", 0.6),
    Bias("handbag", "key", 0.6),
    Bias("taxi", "luggage", 0.6),
    Bias("truck", "toolbox", 0.6),
    Bias("banjo", "drum", 0.6),
)
"""Ground truth for what copy/paste and natural patches should find in clean networks (our choices). None is of a
target or source of ``emoji12``."""

EMOJI = World(classes=CLASSES, bystanders=BYSTANDERS, natural=NATURAL, grounds=GROUNDS, company=COMPANY, biases=BIASES)
"""The embedded default."""

WORLDS = {"emoji": EMOJI}
"""Worlds by name, for the ``world`` setting of the scenes."""
