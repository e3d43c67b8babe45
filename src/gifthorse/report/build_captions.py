"""Builds what captioners say of found sets, with its significance."""

from __future__ import annotations

from gifthorse.records import Caption
from gifthorse.report import words
from gifthorse.report.contexts_found import Said
from gifthorse.report.desk import Desk
from gifthorse.report.gather import Kept

NONE = "no common theme"


def said(desk: Desk, kept: Kept[Caption]) -> Said:
    """One caption: ``balloon`` with its p, or an honest word that there is none."""
    caption = kept.record
    number = None if caption.p is None else desk.plain(caption.p, words.p_value(caption.p), [kept.key])
    return Said(
        captioner=caption.captioner.name,
        href=desk.ledger.link([kept.key], ""),
        words=caption.words or ("not captioned" if caption.not_captioned else NONE),
        common=caption.words is not None,
        number=number,
        note=_note(caption),
    )


def _note(caption: Caption) -> str:
    if caption.not_captioned:
        return caption.not_captioned
    pictures = words.counted(caption.n, "picture")
    if caption.p is None:
        return f"a language model's summary of captions of {pictures}, with no significance"
    best = caption.themes[0]
    what = "it" if caption.words else f"“{best.words}”"
    fits = f"{best.fits} of {pictures} fit {what} better than 95% of the pool do"
    drawn = "every set" if caption.exact else f"{caption.sets:,} sets"
    tried = f"compared with {drawn} of {caption.n} from {caption.sample:,} random ones of {caption.pool:,}"
    level = words.percent(caption.level or 0.0, 0)
    return f"{fits}; {words.counted(caption.concepts, 'concept')}, {tried}; a random set is named in {level} of cases"
