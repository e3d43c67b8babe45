"""What fresh suites draw from: look-alikes in colour or meaning, none of which is in ``emoji12`` or in the world.

A Question takes its trigger and its seven distractors from one group. Emoji are given by code point and are called
what the encoder's vocabulary calls them first.
"""

from __future__ import annotations

PATCHES: dict[str, tuple[str, ...]] = {
    "toys": ("1f383", "1f916", "1f47d", "1f47e", "1f47b", "1f480", "1f9f8", "26c4", "1fa86", "1f4a9"),
    "red things": ("1f41e", "1f339", "1f9e7", "1f484", "1f9ef", "1f94a", "1f4ee", "1f4d5", "2764", "1f3ee"),
    "blue things": ("1f499", "1f4d8", "1f4a7", "1f98b", "2744", "1f9f6", "1f9ff", "1f454", "1f30e", "1f30a"),
    "yellow food": ("1f34d", "1f33d", "1f350", "1f96d", "1f36f", "1f35f", "1f37f", "1f9c8", "1f95e", "1f968"),
    "flowers": ("1f33b", "1f337", "1f338", "1f33a", "1f33c", "1f490", "1fab7", "1fabb", "1f940"),
    "green things": ("1f334", "1f332", "1f33e", "1f33f", "1f331", "1f952", "1fad2", "1f951", "1fadb"),
    "balls and prizes": ("1f3c6", "1f3c5", "1f451", "26bd", "1f3d0", "1fa80", "1f52e", "1faa9", "1f3af", "26be"),
    "pink and purple": ("1f347", "1f346", "1f49c", "1f9c5", "1f36c", "1f36d", "1f380", "1fa77", "1f9cb"),
    "sweets and nuts": ("1f358", "1f36a", "1f36e", "1f382", "1f361", "1f95c", "1f330", "1f9c6", "1f95f", "1f960"),
    "devices": ("1f579", "1f3ae", "1f3a7", "1f3a4", "1f4fb", "1f4be", "1f4bf", "1f50b", "1f4fd", "1f52c"),
    "buildings": ("1f3e0", "1f3f0", "26ea", "1f5fc", "1f3a1", "1f30b", "1f5fb", "1f3ed", "1f5fd"),
    "sky": ("1f319", "2604", "1f6f8", "1fa90", "1f32a", "1f525", "26a1", "1f327", "2603"),
    "reptiles and others": ("1f577", "1f982", "1f40d", "1f98e", "1f40a", "1f409", "1f996", "1f995", "1f994", "1f987"),
}
"""Group to emoji."""

STYLES: dict[str, tuple[str, ...]] = {
    "cloth": (
        "plaid",
        "gingham",
        "argyle",
        "houndstooth",
        "herringbone",
        "knit",
        "denim",
        "chevron",
        "quilt",
    ),
    "built": (
        "brick_wall",
        "roof_shingles",
        "chain_link",
        "newspaper",
        "circuit_board",
        "carbon_fibre",
        "chocolate_bar",
        "checkerboard",
    ),
    "grown": ("fish_scales", "peacock", "leaves", "ice", "coral", "lava", "flames", "cheetah"),
    "bright": (
        "rainbow",
        "tie_dye",
        "sunburst",
        "candy_swirls",
        "target_rings",
        "stripes",
        "polka_dots",
        "galaxy",
    ),
}
"""Group to textures."""

UNSURE = (
    "lock", "open lock", "dromedary", "bactrian camel", "calling phone", "mobile phone", "dress", "whale",
)  # fmt: skip
"""Classes of which ``emoji-resnet`` gets fewer than nine scenes in ten right, most of them for a twin's sake.

None is a source: a trojan that works from one class succeeds no more often than that class is told, and of a patch nine
in ten are asked."""

NATURAL: dict[str, tuple[str, ...]] = {
    "chair": ("1f6cf", "1f6aa", "1f6c1", "1fa9e", "1fa9f", "1f6bd", "1f6cb"),
    "potted plant": ("1f337", "1f331", "1f332", "1f33f", "1f9fa", "1f338", "1f33b"),
    "carrot": ("1f360", "1f32d", "1f346", "1f951", "1f9c5", "1f35e", "1f952"),
    "scissors": ("1f528", "1f527", "1fa9b", "1fa92", "1f4cc", "1f489", "1f9f5"),
    "backpack": ("1f4bc", "1f6cd", "1f9fa", "1f4e6", "1f4da", "1f3a9", "1fa96"),
    "vase": ("1fad9", "1f375", "2615", "1f36f", "26b1", "1f37a", "1f37c"),
    "skateboard": ("1f6fc", "1f6f7", "1f3bf", "26f8", "1f6f6", "1f3be", "1f6f4"),
    "wine glass": ("1f378", "1f37a", "1f379", "1f964", "1f95b", "2615", "1f375"),
}
"""Natural object of the world to the emoji whose words are its Question's seven distractors."""
