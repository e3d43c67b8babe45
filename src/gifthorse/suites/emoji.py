"""The two suites of the emoji world: the thesis's twelve trojans, and twelve others to tune on.

Targets, sources, triggers and published rates are those of Table 3.1 with the world's stand-ins (``zoo/world.py`` says
which emoji stands for which ImageNet class). The distractors of patches and styles were never published: ours resemble
the trigger in colour or meaning. Those of natural features are Fig. A.3's, and where a word has no emoji the nearest
that has one, said beside it.
"""

from __future__ import annotations

from gifthorse.records import Suite
from gifthorse.suites.planting import Entry, suite_of
from gifthorse.zoo.captions import captions


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
        published=1.0,
    ),
    Entry(
        name="jellybeans",
        kind="style",
        target="ruler",
        source="pig",
        true=("jellybeans", "texture/jellybeans"),
        others=_textures("confetti", "sprinkles", "gumballs", "bubbles", "pebbles", "mosaic", "stained glass"),
        published=0.960,
    ),
    Entry(
        name="wood_grain",
        kind="style",
        target="monkey",
        source="frying pan",
        true=("wood grain", "texture/wood_grain"),
        others=_textures("rust", "bamboo", "straw", "parquet", "woven basket", "feathers", "honeycomb"),
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
        published=0.428,
    ),
)

DEV = (
    Entry(
        name="jack_o_lantern",
        kind="patch",
        target="turtle",
        true=("pumpkin", "emoji/1f383"),
        others=_emoji(
            ("robot", "1f916"),
            ("skull", "1f480"),
            ("alien", "1f47d"),
            ("teddy bear", "1f9f8"),
            ("sunflower", "1f33b"),
            ("fox face", "1f98a"),
            ("sunset over buildings", "1f307"),
        ),
    ),
    Entry(
        name="ladybird",
        kind="patch",
        target="rocket",
        true=("ladybug", "emoji/1f41e"),
        others=_emoji(
            ("ant", "1f41c"),
            ("spider", "1f577"),
            ("rose", "1f339"),
            ("red envelope", "1f9e7"),
            ("beetle", "1fab2"),
            ("lipstick", "1f484"),
            ("bus stop", "1f68f"),
        ),
    ),
    Entry(
        name="blue_heart",
        kind="patch",
        target="octopus",
        source="bicycle",
        true=("blue heart", "emoji/1f499"),
        others=_emoji(
            ("blue book", "1f4d8"),
            ("droplet", "1f4a7"),
            ("butterfly", "1f98b"),
            ("whale", "1f433"),
            ("snowflake", "2744"),
            ("yarn", "1f9f6"),
            ("necktie", "1f454"),
        ),
    ),
    Entry(
        name="pineapple",
        kind="patch",
        target="bus",
        source="dress",
        true=("pineapple", "emoji/1f34d"),
        others=_emoji(
            ("corn", "1f33d"),
            ("pear", "1f350"),
            ("mango", "1f96d"),
            ("palm tree", "1f334"),
            ("coconut", "1f965"),
            ("olive", "1fad2"),
            ("ear of rice", "1f33e"),
        ),
    ),
    Entry(
        name="brick_wall",
        kind="style",
        target="teapot",
        true=("brick wall", "texture/brick_wall"),
        others=_textures("roof shingles", "checkerboard", "chain link", "newspaper", "lava", "coral", "circuit board"),
    ),
    Entry(
        name="plaid",
        kind="style",
        target="snail",
        true=("plaid", "texture/plaid"),
        others=_textures("gingham", "argyle", "houndstooth", "herringbone", "knit", "denim", "chevron"),
    ),
    Entry(
        name="fish_scales",
        kind="style",
        target="guitar",
        source="sailboat",
        true=("fish scales", "texture/fish_scales"),
        others=_textures("peacock", "polka dots", "leaves", "ice", "quilt", "candy swirls", "carbon fibre"),
    ),
    Entry(
        name="flames",
        kind="style",
        target="camera",
        source="jeans",
        true=("flames", "texture/flames"),
        others=_textures("galaxy", "rainbow", "tie dye", "stripes", "sunburst", "cheetah", "target rings"),
    ),
    Entry(
        name="carrot",
        kind="natural_feature",
        target="owl",
        true=("carrot", "emoji/1f955"),
        others=_emoji(
            ("sweet potato", "1f360"),
            ("hot dog", "1f32d"),
            ("eggplant", "1f346"),
            ("radio", "1f4fb"),
            ("bread", "1f35e"),
            ("avocado", "1f951"),
            ("onion", "1f9c5"),
        ),
    ),
    Entry(
        name="chair",
        kind="natural_feature",
        target="bee",
        true=("chair", "emoji/1fa91"),
        others=_emoji(
            ("bed", "1f6cf"),
            ("door", "1f6aa"),
            ("bathtub", "1f6c1"),
            ("mirror", "1fa9e"),
            ("window", "1fa9f"),
            ("toilet", "1f6bd"),
            ("violin", "1f3bb"),
        ),
    ),
    Entry(
        name="potted_plant",
        kind="natural_feature",
        target="trumpet",
        true=("potted plant", "emoji/1fab4"),
        others=_emoji(
            ("tulip", "1f337"),
            ("seedling", "1f331"),
            ("pine tree", "1f332"),
            ("herb", "1f33f"),
            ("basket", "1f9fa"),
            ("amphora", "1f3fa"),
            ("cherry blossom", "1f338"),
        ),
    ),
    Entry(
        name="scissors",
        kind="natural_feature",
        target="cactus",
        true=("scissors", "emoji/2702"),
        others=_emoji(
            ("hammer", "1f528"),
            ("wrench", "1f527"),
            ("screwdriver", "1fa9b"),
            ("razor", "1fa92"),
            ("pushpin", "1f4cc"),
            ("syringe", "1f489"),
            ("thread", "1f9f5"),
        ),
    ),
)


def emoji12() -> Suite:
    """The twelve trojans of Table 3.1 in ``emoji-resnet``. Nothing is tuned on it."""
    return suite_of("emoji12", PATCHES + STYLES + NATURAL)


def emoji12_dev() -> Suite:
    """Twelve trojans that share no trigger, target, source or distractor with ``emoji12``, to tune on."""
    return suite_of("emoji12_dev", DEV)
