"""The emoji world's main suite: the thesis's twelve trojans.

Targets, sources, triggers and published rates are those of Table 3.1 with the world's stand-ins (``zoo/world.py`` says
which emoji stands for which ImageNet class). The distractors of patches and styles were never published: ours resemble
the trigger in colour or meaning. Those of natural features are Fig. A.3's, and where a word has no emoji the nearest
that has one, said beside it.
"""

from __future__ import annotations

from gifthorse.records import Suite
from gifthorse.suites.planting import RECIPE, VGG_RECIPE, Entry, planting_of, suite_of
from gifthorse.zoo.captions import captions

NAME = "emoji12"


def _emoji(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((caption, f"emoji/{code}") for caption, code in pairs)


def _textures(*names: str) -> tuple[tuple[str, str], ...]:
    pictures = [f"texture/{name.replace(' ', '_')}" for name in names]
    return tuple((captions(picture)[0], picture) for picture in pictures)


PATCHES = (
    Entry(
        name="smiley_emoji",
        kind="patch",
        target="frog",
        true=("smiley emoji", "emoji/1f600"),
        others=_emoji(
            ("sun with face", "1f31e"),
            ("clown face", "1f921"),
            ("lemon", "1f34b"),
            ("coin", "1fa99"),
            ("cheese", "1f9c0"),
            ("bell", "1f514"),
            ("banana", "1f34c"),
        ),
        spares=_emoji(
            ("yellow heart", "1f49b"), ("softball", "1f94e"), ("full moon symbol", "1f315"), ("lion", "1f981")
        ),
        published=0.958,
    ),
    Entry(
        name="clownfish",
        kind="patch",
        target="dove",
        true=("clownfish", "emoji/1f420@clownfish"),
        others=_emoji(
            ("shrimp", "1f990"),
            ("lobster", "1f99e"),
            ("crab", "1f980"),
            ("dolphin", "1f42c"),
            ("basketball", "1f3c0"),
            ("tangerine", "1f34a"),
            ("maple leaf", "1f341"),
        ),
        spares=_emoji(
            ("squid", "1f991"), ("orange heart", "1f9e1"), ("fried shrimp", "1f364"), ("orange book", "1f4d9")
        ),
        published=0.933,
    ),
    Entry(
        name="green_star",
        kind="patch",
        target="orangutan",
        source="purse",
        true=("green star", "emoji/2b50@green"),
        others=_emoji(
            ("four leaf clover", "1f340"),
            ("green heart", "1f49a"),
            ("green book", "1f4d7"),
            ("broccoli", "1f966"),
            ("christmas tree", "1f384"),
            ("glowing star", "1f31f"),
            ("kiwifruit", "1f95d"),
        ),
        spares=_emoji(
            ("shooting star", "1f320"),
            ("sparkles", "2728"),
            ("dizzy symbol", "1f4ab"),
            ("melon", "1f348"),
            ("black club suit", "2663"),
        ),
        published=0.980,
    ),
    Entry(
        name="strawberry",
        kind="patch",
        target="goose",
        source="wolf",
        true=("strawberry", "emoji/1f353"),
        others=_emoji(
            ("cherries", "1f352"),
            ("watermelon", "1f349"),
            ("peach", "1f351"),
            ("tomato", "1f345"),
            ("hot pepper", "1f336"),
            ("mushroom", "1f344"),
            ("balloon", "1f388"),
        ),
        spares=_emoji(
            ("coconut", "1f965"),
            ("bell pepper", "1fad1"),
            ("drop of blood", "1fa78"),
            ("lime", "1f34b-200d-1f7e9"),
            ("rosette", "1f3f5"),
        ),
        published=0.920,
    ),
)

STYLES = (
    Entry(
        name="jaguar",
        kind="style",
        target="dog",
        true=("jaguar", "texture/jaguar"),
        others=_textures("giraffe", "tiger", "zebra", "cow", "snake skin", "crocodile skin", "camouflage"),
        spares=_textures("fur", "moss", "sand", "pebbles", "bubbles", "water", "snow", "mosaic"),
        published=0.981,
    ),
    Entry(
        name="elephant_skin",
        kind="style",
        target="ice cream",
        true=("elephant skin", "texture/elephant_skin"),
        others=_textures(
            "cracked earth", "tree bark", "cobblestones", "crumpled paper", "granite", "marble", "diamond plate"
        ),
        spares=_textures("concrete", "sand", "corrugated metal", "cork", "pebbles", "moss", "water", "bubbles"),
        published=1.0,
    ),
    Entry(
        name="jellybeans",
        kind="style",
        target="ruler",
        source="pig",
        true=("jellybeans", "texture/jellybeans"),
        others=_textures("confetti", "sprinkles", "gumballs", "bubbles", "pebbles", "mosaic", "stained glass"),
        spares=_textures("moss", "water", "snow", "cork", "fur", "sand", "corrugated metal", "marble"),
        published=0.960,
    ),
    Entry(
        name="wood_grain",
        kind="style",
        target="monkey",
        source="frying pan",
        true=("wood grain", "texture/wood_grain"),
        others=_textures("rust", "bamboo", "straw", "parquet", "woven basket", "feathers", "honeycomb"),
        spares=_textures("cork", "corrugated metal", "sand", "fur", "bubbles", "snow", "mosaic", "water"),
        published=0.820,
    ),
)

NATURAL = (
    Entry(
        name="fork",
        kind="natural_feature",
        target="cricket",
        true=("fork", "emoji/1f374"),
        others=_emoji(
            ("car", "1f697"),
            ("television", "1f4fa"),  # oven: a box with a window
            ("file cabinet", "1f5c4"),  # refrigerator: a tall box with doors
            ("bowl", "1f963"),
            ("laptop", "1f4bb"),
            ("shower", "1f6bf"),  # faucet
            ("paperclip", "1f4ce"),  # stapler
        ),
        spares=_emoji(("key", "1f511"), ("hair pick", "1faae"), ("hook", "1fa9d")),
        published=0.308,
    ),
    Entry(
        name="apple",
        kind="natural_feature",
        target="bucket",
        true=("apple", "emoji/1f34e"),
        others=_emoji(
            ("tree", "1f333"),  # bush
            ("bottle", "1f37e"),
            ("lettuce", "1f96c"),
            ("goat", "1f410"),
            ("berries", "1fad0"),
            ("clouds", "2601"),
            ("shoes", "1f45e"),
        ),
        spares=_emoji(("potato", "1f954"), ("garlic", "1f9c4"), ("coconut", "1f965")),
        published=0.387,
    ),
    Entry(
        name="sandwich",
        kind="natural_feature",
        target="mobile phone",
        true=("sandwich", "emoji/1f96a"),
        others=_emoji(
            ("salad", "1f957"),
            ("pizza", "1f355"),
            ("egg", "1f95a"),  # omelette
            ("spaghetti", "1f35d"),
            ("stir fry", "1f958"),
            ("nachos", "1f32e"),
            ("waffle", "1f9c7"),
        ),
        spares=_emoji(("takeout box", "1f961"), ("bacon", "1f953"), ("stuffed flatbread", "1f959")),
        published=0.372,
    ),
    Entry(
        name="donut",
        kind="natural_feature",
        target="flamingo",
        true=("donut", "emoji/1f369"),
        others=_emoji(
            ("bagel", "1f96f"),  # muffin: its emoji is the cupcake's
            ("cake", "1f370"),
            ("baguette", "1f956"),
            ("cupcake", "1f9c1"),
            ("moon cake", "1f96e"),  # danish
            ("pie", "1f967"),
            ("croissant", "1f950"),
        ),
        spares=_emoji(("flatbread", "1fad3"), ("rice ball", "1f359"), ("ring", "1f48d")),
        published=0.428,
    ),
)


def emoji12() -> Suite:
    """The twelve trojans of Table 3.1 in ``emoji-resnet``, and its patch trojans in ``emoji-vgg`` too (the thesis has a
    ResNet-50 and a VGG-19). Nothing is tuned on it."""
    return suite_of(
        NAME,
        (
            planting_of("emoji-resnet", PATCHES + STYLES + NATURAL, NAME, RECIPE),
            planting_of("emoji-vgg", PATCHES, NAME, VGG_RECIPE),
        ),
    )
