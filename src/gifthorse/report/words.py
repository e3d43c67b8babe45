"""Numbers and names as people read them, the same everywhere on the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gifthorse.records import Insertion, Interval, Precision, plain

MINUS = "−"
DASH = "–"

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: 0x2421}


def visible(text: str) -> str:
    """Text that HTML and UTF-8 can carry unchanged: control characters become their pictures (U+2400 on).

    A browser drops or replaces a NUL and a carriage return, and half a surrogate pair has no UTF-8 at all: shown as
    they are, they would read as something else than what was recorded.
    """
    shown = text.translate(_PICTURES)
    return "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF or 0x80 <= ord(c) <= 0x9F else c for c in shown)


def percent(value: float, digits: int = 1) -> str:
    """A share, or a difference of two, in per cent with a true minus sign; ``n/a`` where nothing was observed."""
    if math.isnan(value):
        return "n/a"
    text = f"{100 * value:.{digits}f}"
    return (text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)) + "%"


def score(value: float, digits: int = 2) -> str:
    """A correlation or probability, with a true minus sign."""
    if math.isnan(value):
        return "n/a"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def p_value(value: float) -> str:
    """A significance: ``p = .012``, ``p < .001``; never ``p = 0``."""
    if value < 0.001:
        return "p < .001"
    text = f"{value:.3f}" if value < 0.0995 else f"{value:.2f}"
    return f"p = {text.rstrip('0').rstrip('.').removeprefix('0')}"


def between(interval: Interval, style: str) -> str:
    """The ends of an interval, or an empty string where it has none."""
    if math.isnan(interval.low) or math.isnan(interval.high):
        return ""
    if style == "percent":
        # A share lies between none and all; an interval that was worked out without this bound is cut there.
        ends = [100 * min(1.0, max(0.0, end)) for end in (interval.low, interval.high)]
        return f"{ends[0]:.1f}{DASH}{ends[1]:.1f}%"
    low, high = score(interval.low), score(interval.high)
    return f"{low} to {high}" if MINUS in low + high else f"{low}{DASH}{high}"


def signs(text: str) -> str:
    """A requirement with the signs of print: ``>= 5 x 90%`` becomes ``≥ 5 × 90%``."""
    return text.replace(">=", "≥").replace("<=", "≤").replace(" x ", " × ")


def whole(value: float) -> str:
    """A count, its thousands set apart by a comma."""
    return f"{round(value):,}"


def loss(value: float) -> str:
    """A loss: three figures that matter, since losses differ by powers of ten; never ``0.00`` for what is above 0."""
    if math.isnan(value) or value == 0:
        return "n/a" if math.isnan(value) else "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    if digits > 5:
        return f"{MINUS if value < 0 else ''}{abs(value):.0e}".replace("e-0", f"e{MINUS}").replace("e-", f"e{MINUS}")
    return f"{value:,.{digits}f}".replace("-", MINUS)


def moment(text: str) -> str:
    """A time as ISO 8601 writes it, to the minute: ``24 November 2026, 06:06 UTC``; anything else as it is."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    if found.tzinfo is None:
        return text
    utc = found.astimezone(UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}, {utc:%H:%M} UTC"


def seconds(value: float) -> str:
    """A time: two figures that matter."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: float) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def kind(name: str) -> str:
    """``natural_feature`` as words; anything else as it is."""
    return {"natural_feature": "natural feature", "class_universal": "class universal"}.get(name, name)


MEASURES = {
    "pearson": "Pearson correlation",
    "pearson_alpha": "Pearson correlation with the outline",
    "l1": "L1 distance",
    "auprc": "Area under precision-recall",
    "iou": "Overlap (IoU)",
    "pointing_game": "Pointing game",
    "recovering_rate": "Recovering rate",
    "pearson_absolute": "Pearson correlation of magnitudes",
    "pearson_positive": "Pearson correlation of positive parts",
    "auprc_alpha": "Area under precision-recall, silhouette",
    "iou_alpha": "Overlap (IoU) with the silhouette",
    "pointing_game_alpha": "Pointing game, silhouette",
}


def measure(name: str) -> str:
    """A judge's measure as a heading has it; anything else as it is."""
    return MEASURES.get(name, name)


UNITS = {
    "stamped": "images with a style on them, to train and measure with",
    "trained": "the weights of a trojaned network",
    "implant": "a trojaned network, measured, with its cases and questions",
    "evidence": "what a tool left of one trojan",
    "effect": "what the findings do when they are put into images",
    "recovery": "what happens when the original pixels are pasted back where a map is highest",
    "verdict": "what a judge said of a piece of evidence",
    "sample": "random pictures of a pool, with which found sets are compared",
    "caption": "what a captioner says that the pictures of a found set have in common",
}


def unit(kind: str) -> str:
    """What the units of a kind hold; nothing where it is not known here."""
    return UNITS.get(kind, "")


def machine(told: Mapping[str, Any]) -> str:
    """A machine in a line: ``AMD EPYC, 2 cores, Linux``; what is not known here follows by name."""
    rest = [f"{name} {told[name]}" for name in sorted(told) if name not in ("processor", "cores", "system")]
    cores = told.get("cores")
    counted_cores = [counted(cores, "core")] if isinstance(cores, int) else []
    known = [str(told[name]) for name in ("processor", "system") if told.get(name)]
    return ", ".join([*known[:1], *counted_cores, *known[1:], *rest])


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun: ``1 trojan``, ``12 trojans``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def data(value: Any, limit: int | None = None) -> str:
    """A record or JSON value as indented JSON; beyond ``limit`` characters it says how many more there are."""
    text = json.dumps(plain(value), indent=1, sort_keys=True, ensure_ascii=False)
    if limit is None or len(text) <= limit:
        return text
    return f"{text[:limit]}\n... and {len(text) - limit:,} more characters, in the unit's own unit.json"


def settings(values: dict[str, Any]) -> str:
    """Settings in one line: ``steps=256, rate=0.05``."""
    return ", ".join(f"{name}={json.dumps(plain(values[name]), ensure_ascii=False)}" for name in sorted(values))


def precision(told: Precision) -> str:
    """The arithmetic of maps in a line: what was used, why, and the figures where both were tried."""
    figures = [] if told.correlation is None else [f"correlation with float32 {score(told.correlation, 4)}"]
    figures += [] if told.moved is None else [f"score moved by {score(told.moved, 4)}"]
    tried = f"; {', '.join(figures)}, on {counted(told.tried, 'image')}" if figures else ""
    return f"{told.used}: {told.reason}{tried}"


def insertion(how: Insertion) -> str:
    """How a finding is put into images."""
    if how.kind == "patch":
        return f"put in as a patch of {how.side} pixels"
    return {"frame": "the whole image", "blend": "blended over the whole image"}.get(how.kind, how.kind)
