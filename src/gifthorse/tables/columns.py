"""The columns of every table and their types: what a program may rely on. Columns are only ever added at the end.

``text``, ``number`` (a float), ``count`` (an integer), ``truth`` (true or false), ``texts`` and ``numbers`` (lists).
Every value may be null: a number that is not there is null, never NaN, and a column beside it says why.
"""

from __future__ import annotations

TEXT, NUMBER, COUNT, TRUTH, TEXTS, NUMBERS = "text", "number", "count", "truth", "texts", "numbers"

_ABOUT = {"kind": TEXT, "floor": TRUTH, "ceiling": TRUTH}
"""Of the trojan and the tool: the trojan's kind, and whether the tool is a control below or above the contenders."""

COLUMNS: dict[str, dict[str, str]] = {
    "network": {
        "network": TEXT, "clean_before": NUMBER, "clean_after": NUMBER, "n": COUNT,
        "clean_before_low": NUMBER, "clean_before_high": NUMBER, "clean_after_low": NUMBER, "clean_after_high": NUMBER,
        "clean_drop": NUMBER, "agreement": NUMBER, "agreement_low": NUMBER, "agreement_high": NUMBER,
        "gates_met": TRUTH, "gates_missed": TEXTS, "suite": TEXT, "seed": COUNT, "key": TEXT,
    },
    "implant": {
        "network": TEXT, "trojan": TEXT, "kind": TEXT, "scope": TEXT, "success": NUMBER, "success_low": NUMBER,
        "success_high": NUMBER, "n": COUNT, "wrong_source": NUMBER, "clean_control": NUMBER,
        "wrong_source_low": NUMBER, "wrong_source_high": NUMBER, "wrong_source_n": COUNT,
        "clean_control_low": NUMBER, "clean_control_high": NUMBER, "clean_control_n": COUNT,
        "caption": TEXT, "target": TEXT, "sources": TEXTS, "poisoned": COUNT, "balanced": COUNT,
        "thesis_poisoned": COUNT, "published": NUMBER,
        "detector_precision": NUMBER, "detector_recall": NUMBER, "detector_threshold": NUMBER,
        "probes": COUNT, "probes_tried": COUNT, "gates_met": TRUTH, "gates_missed": TEXTS, "suite": TEXT, "key": TEXT,
        "decoys": COUNT,
    },
    "footprint": {
        "network": TEXT, "tool": TEXT, "trojan": TEXT, "measure": TEXT, "value": NUMBER, "low": NUMBER, "high": NUMBER,
        "n": COUNT, "chance": NUMBER, "lower_is_better": TRUTH, **_ABOUT,
        "n_excluded": COUNT, "excluded_reason": TEXT, "not_scored": TEXT, "note": TEXT,
        "interval": TEXT, "scores": NUMBERS, "judge": TEXT, "judge_version": COUNT, "tool_version": COUNT,
        "seed": COUNT, "evidence": TEXT, "key": TEXT, "oracle": TRUTH,
        "precision": TEXT, "precision_reason": TEXT, "precision_correlation": NUMBER, "precision_moved": NUMBER,
        "hints": TEXTS,
    },
    "match": {
        "network": TEXT, "tool": TEXT, "trojan": TEXT, "judge": TEXT, "value": NUMBER, "low": NUMBER, "high": NUMBER,
        "n": COUNT, "chance": NUMBER, "measure": TEXT, **_ABOUT,
        "correct": NUMBER, "correct_low": NUMBER, "correct_high": NUMBER, "chosen": NUMBER,
        "choice": TEXT, "answer": TEXT, "probabilities": NUMBERS,
        "n_excluded": COUNT, "excluded_reason": TEXT, "not_scored": TEXT, "note": TEXT,
        "interval": TEXT, "scores": NUMBERS, "judge_version": COUNT, "tool_version": COUNT, "seed": COUNT,
        "evidence": TEXT, "key": TEXT,
    },
    "effect": {
        "network": TEXT, "tool": TEXT, "trojan": TEXT, "on": TEXT, "rate": NUMBER, "low": NUMBER, "high": NUMBER,
        "confidence": NUMBER, "n": COUNT, **_ABOUT,
        "findings": COUNT, "best_rate": NUMBER, "alone_is_target": NUMBER, "target": TEXT, "interval": TEXT,
        "evidence": TEXT, "key": TEXT,
    },
    "cost": {
        "network": TEXT, "tool": TEXT, "trojan": TEXT, "seconds": NUMBER, "forward": COUNT, "backward": COUNT,
        "peak_bytes": COUNT, "status": TEXT, "error": TEXT,
        "unit": TEXT, "label": TEXT, "attempts": COUNT, "retryable": TRUTH, "host": TEXT, "key": TEXT,
    },
    "options": {
        "network": TEXT, "trojan": TEXT, "caption": TEXT, "true": TRUTH, "kept": TRUTH, "rate": NUMBER, "low": NUMBER,
        "high": NUMBER, "n": COUNT, "kind": TEXT, "target": TEXT, "suite": TEXT, "key": TEXT,
    },
    "caption": {
        "network": TEXT, "tool": TEXT, "trojan": TEXT, "captioner": TEXT, "caption": TEXT, "p": NUMBER, "n": COUNT,
        **_ABOUT, "common": TRUTH, "level": NUMBER, "gain": NUMBER, "fits": COUNT, "themes": TEXTS,
        "themes_p": NUMBERS, "concepts": COUNT, "sets": COUNT, "exact": TRUTH, "sample": COUNT, "pool": COUNT,
        "each": TEXTS, "not_captioned": TEXT, "captioner_version": COUNT, "encoder": TEXT, "tool_version": COUNT,
        "seed": COUNT, "evidence": TEXT, "key": TEXT,
    },
    "paired": {
        "network": TEXT, "tool": TEXT, "measure": TEXT, "against": TEXT, "advantage": NUMBER, "low": NUMBER,
        "high": NUMBER, "p": NUMBER, "p_holm": NUMBER, "median": NUMBER, "positive": NUMBER, "n": COUNT,
        "consistent": TRUTH, "tests": COUNT, "trojans": COUNT, "n_unpaired": COUNT, "floor": TRUTH, "oracle": TRUTH,
        "interval": TEXT, "note": TEXT, "keys": TEXTS,
    },
}  # fmt: skip
"""Table name to its columns, in order, and their types."""
