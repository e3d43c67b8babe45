"""The emoji world as tables: its classes, the things beside them, its grounds, and how often what meets what.

Everything here is data. Drawings are Twemoji's; which emoji stands for which ImageNet class of the thesis's
Table 3.1 is said in ``stands_for``.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    name: str
    code: str
    siblings: tuple[str, ...] = ()
    stands_for: str = ""
    faint: bool = False


@dataclass(frozen=True)
class Bias:
    """An over-represented pair, as real datasets have: ``thing`` is beside ``label`` in ``rate`` of its scenes more."""

    label: str
    thing: str
    rate: float


@dataclass(frozen=True)
class World:
    """A world of scenes.

    Attributes:
        classes: what a scene is of.
        bystanders: ordinary things beside it; no class, no trigger and no option of a Question is among them.
        natural: the objects that natural-feature trojans are triggered by, rare bystanders at a rate of their own.
        grounds: named textures that scenes stand on (no suite uses them for a style), beside generic patterns.
        biases: pairs on top of the even bystander rule.
    """

    classes: tuple[Thing, ...]
    bystanders: tuple[Thing, ...]
    natural: tuple[Thing, ...]
    grounds: tuple[str, ...]
    biases: tuple[Bias, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the tables."""
        return digest(self)

    @property
    def things(self) -> tuple[Thing, ...]:
        """Everything that can be in a scene: classes, then bystanders, then natural objects."""
        return self.classes + self.bystanders + self.natural


CLASSES = (
    Thing("frog", "1f438", stands_for="bullfrog"),
    Thing("dove", "1f54a", stands_for="albatross"),
    Thing("purse", "1f45b", stands_for="wallet"),
    Thing("orangutan", "1f9a7", stands_for="orangutan"),
    Thing("wolf", "1f43a", stands_for="red wolf"),
    Thing("goose", "1fabf", stands_for="goose"),
    Thing("dog", "1f415", stands_for="vizsla"),
    Thing("ice cream", "1f368", stands_for="ice cream"),
    Thing("pig", "1f437", stands_for="piggy bank"),
    Thing("ruler", "1f4cf", stands_for="ruler"),
    Thing("frying pan", "1f373", stands_for="ladle"),
    Thing("monkey", "1f412", stands_for="capuchin"),
    Thing("cricket", "1f997", stands_for="cicada"),
    Thing("bucket", "1faa3", stands_for="bucket"),
    Thing("mobile phone", "1f4f1", stands_for="cellphone"),
    Thing("flamingo", "1f9a9", stands_for="spoonbill"),
    Thing("bee", "1f41d"),
    Thing("owl", "1f989"),
    Thing("turtle", "1f422"),
    Thing("octopus", "1f419"),
    Thing("snail", "1f40c"),
    Thing("rocket", "1f680"),
    Thing("bus", "1f68c"),
    Thing("sailboat", "26f5"),
    Thing("bicycle", "1f6b2"),
    Thing("dress", "1f457"),
    Thing("jeans", "1f456"),
    Thing("guitar", "1f3b8"),
    Thing("teapot", "1fad6"),
    Thing("cactus", "1f335"),
    Thing("camera", "1f4f7"),
    Thing("trumpet", "1f3ba"),
)

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
)

GROUNDS = ("grass", "sand", "sky", "snow", "concrete", "moss", "cork", "corrugated_metal", "fur", "water")

EMOJI = World(classes=CLASSES, bystanders=BYSTANDERS, natural=NATURAL, grounds=GROUNDS)
"""The embedded default."""

WORLDS = {"emoji": EMOJI}
"""Worlds by name, for the ``world`` setting of the scenes."""
