"""Where networks, data, encoders and detectors come from: four tables, one file a source, torch imported on use.

Pictures (emoji, textures) have names of their own: see :mod:`gifthorse.zoo.art`.
"""

from gifthorse.registry import Row, Table

NETWORKS = Table(
    "network",
    {
        "emoji-resnet": Row(
            "gifthorse.zoo.emoji_networks:EmojiResNet", "residual", 2, "He et al. 2016, ours in size; 64 x 64 scenes"
        ),
        "emoji-vgg": Row(
            "gifthorse.zoo.emoji_networks:EmojiVGG",
            "plain",
            1,
            "Simonyan and Zisserman 2015, ours in size; 64 x 64 scenes",
        ),
        "emoji-mobile": Row(
            "gifthorse.zoo.emoji_mobile:EmojiMobile",
            "mobile",
            2,
            "Sandler et al. 2018 (MobileNetV2), ours in size; 64 x 64 scenes",
        ),
        "emoji-vit": Row(
            "gifthorse.zoo.emoji_vit:EmojiViT",
            "attention",
            1,
            "Dosovitskiy et al. 2021, on convolutions as Xiao et al. 2021, ours in size; 64 x 64 scenes",
        ),
        "efficientnet-lite0": Row(
            "gifthorse.zoo.efficientnet_lite:EfficientNetLite0",
            "mobile",
            1,
            "Tan and Le 2019, ImageNet-1k",
            extra="zoo",
        ),
    },
)
"""Classifiers: ``make(name).load(weights, device=, precision=)`` gives a Classifier, ``template`` an untrained one."""

DATA = Table(
    "data",
    {
        "emoji": Row("gifthorse.zoo.scenes:EmojiScenes", "procedural", 1, "ours; Twemoji drawings (CC-BY 4.0)"),
        "folder": Row("gifthorse.zoo.folder:ImageFolder", "folder", 1, "a folder of photographs"),
    },
)
"""Datasets: frozen dataclasses under :class:`gifthorse.zoo.data.Data`."""

ENCODERS = Table(
    "encoder",
    {
        "emoji-encoder": Row(
            "gifthorse.zoo.encoder:EmojiEncoder",
            "contrastive",
            1,
            "Radford et al. 2021, ours in size; emoji and textures",
        ),
    },
)
"""Image-text encoders that judge: ``make(name).load()``."""

DETECTORS = Table(
    "detector",
    {
        "emoji-detector": Row(
            "gifthorse.zoo.emoji_detector:EmojiDetector",
            "heatmap",
            1,
            "ours; trained on exact masks of the emoji world",
        ),
    },
)
"""Object detectors that find natural triggers: ``make(name).load()``."""

GENERATORS = Table(
    "generator",
    {
        "emoji-objects": Row(
            "gifthorse.zoo.emoji_generator:EmbeddedGenerator",
            "embedded",
            1,
            "Brock et al. 2019 (BigGAN), ours in size; emoji and textures, 32 x 32",
        ),
    },
)
"""Generators for attacks at the level of features: ``make(name, {"prior": ...}).load()``.

``disguise()`` gives what says how a picture looks by itself, ``digest`` is of both, and ``scenes()`` is the row of the
generator of whole scenes that knows the same."""

POOLS = Table(
    "pool",
    {
        "emoji-patches": Row(
            "gifthorse.zoo.emoji_patches:EmojiPatches",
            "made",
            1,
            "ours; Twemoji drawings (CC-BY 4.0), textures, and crops of the world's scenes",
        ),
    },
)
"""Pools of natural patches: ``load(name).knowing(trojans, prior, without_natural=..., with_triggers=...).pool()``."""
