"""What found sets of pictures have in common, as rows."""

from __future__ import annotations

from collections.abc import Iterator

from gifthorse.records import Caption
from gifthorse.tables.found import Found, Row


def caption_rows(found: Found) -> Iterator[Row]:
    """What each captioner says of each found set; ``common`` is false where it honestly found no theme."""
    for unit, caption in found.records("caption", Caption):
        evidence = found.evidence.get(caption.evidence)
        best = caption.themes[0] if caption.themes else None
        tested = caption.p is not None
        yield {
            **found.about(caption.network, caption.tool, caption.trojan),
            "captioner": caption.captioner.name,
            "caption": caption.words,
            "p": caption.p,
            "n": caption.n,
            "common": None if caption.not_captioned else caption.words is not None,
            "level": caption.level,
            "gain": best.gain if best else None,
            "fits": best.fits if best else None,
            "themes": [theme.words for theme in caption.themes] or None,
            "themes_p": [theme.p for theme in caption.themes] or None,
            "concepts": caption.concepts if tested else None,
            "sets": caption.sets if tested else None,
            "exact": caption.exact if tested else None,
            "sample": caption.sample if tested else None,
            "pool": caption.pool if tested else None,
            "each": list(caption.each) or None,
            "not_captioned": caption.not_captioned,
            "captioner_version": caption.captioner.version,
            "encoder": caption.encoder,
            "tool_version": evidence.tool.version if evidence else None,
            "seed": evidence.seed if evidence else None,
            "evidence": caption.evidence,
            "key": unit.key,
        }
