"""What names: captioners say what a found set of pictures has in common, one file each. Listing them imports no torch.

A caption is for people. No judge is shown one: an encoder that scored a caption which it made would agree with itself.
"""

from gifthorse.registry import Row, Table

CAPTIONERS = Table(
    "captioner",
    {
        "encoder": Row(
            "gifthorse.captioners.encoder:EncoderCaptioner",
            "concepts",
            1,
            "ours; permutation test of the maximum over concepts, Westfall and Young 1993",
        ),
        "blip_llm": Row(
            "gifthorse.captioners.blip_llm:BlipLlm",
            "language",
            1,
            "thesis 5.2.3: BLIP (Li et al. 2022), then a language model",
            extra="clip",
            level="L2",
        ),
    },
)
"""Captioners by name; ``kind``: whether it chooses among concepts or writes freely."""
