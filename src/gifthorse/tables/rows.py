"""Records to rows: one function a table, and what they share about the run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from gifthorse.records import Case, Detection, Effect, Evidence, Gate, Interval, Measure, Trial, Verdict
from gifthorse.store import Unit
from gifthorse.tables.found import MEASURES, Found, Row

LOWER_IS_BETTER = frozenset({"l1"})
"""Measures that are distances."""

COUNTED = frozenset({"pointing_game", "pointing_game_alpha", "recovering_rate", "correct"})
"""Measures that are a share of hits, as long as every score is 0 or 1."""

OWN_REASONS = {
    "recovering_rate": "the network takes the image for the target without the trigger too",
    "pearson_positive": "nothing in the map is above 0",
    "pearson_absolute": "the map's magnitudes are all equal",
}
"""Why images have no score by one measure alone."""

BOOTSTRAP, WILSON = "95% bootstrap", "95% Wilson"


def network_rows(found: Found) -> Iterator[Row]:
    """Clean accuracy of each network before and after."""
    for unit, implant in found.implants:
        yield {
            "network": implant.network,
            **_interval(implant.clean_before, "clean_before"),
            **_interval(implant.clean_after, "clean_after"),
            **_interval(implant.agreement, "agreement"),
            "n": implant.clean_after.n,
            "clean_drop": implant.clean_before.value - implant.clean_after.value,
            **_gates([*implant.gates, *(gate for success in implant.successes for gate in success.gates)]),
            "suite": implant.suite,
            "seed": implant.seed,
            "key": unit.key,
        }


def implant_rows(found: Found) -> Iterator[Row]:
    """How well each trojan was planted."""
    for unit, implant in found.implants:
        detections = {detection.trojan: detection for detection in implant.detections}
        for success in implant.successes:
            yield {
                **found.about(implant.network, None, success.trojan),
                **_interval(success.success, "success"),
                "n": success.success.n,
                **_interval(success.wrong_source, "wrong_source", n=True),
                **_interval(success.clean_control, "clean_control", n=True),
                **_case(found.cases.get((implant.network, success.trojan)), implant.trojaned.classes),
                **_detection(detections.get(success.trojan)),
                **_gates(success.gates),
                "poisoned": success.poisoned,
                "balanced": success.balanced,
                "decoys": success.decoys,
                "thesis_poisoned": success.thesis_poisoned,
                "suite": implant.suite,
                "key": unit.key,
            }


def options_rows(found: Found) -> Iterator[Row]:
    """What each option of a Question does, those too that were replaced because they work as the trigger does."""
    for unit, implant in found.implants:
        targets = {case.trojan.name: implant.trojaned.classes[case.trojan.target] for case in implant.cases}
        for option in implant.options:
            yield {
                **found.about(implant.network, None, option.trojan),
                "caption": option.caption,
                "true": option.true,
                "kept": option.kept,
                **_interval(option.rate, "rate"),
                "low": option.rate.low,
                "high": option.rate.high,
                "n": option.rate.n,
                "target": targets.get(option.trojan),
                "suite": implant.suite,
                "key": unit.key,
            }


def footprint_rows(found: Found) -> Iterator[Row]:
    """Every measure of every footprint verdict, those that could not be scored too."""
    for unit, verdict in found.records("verdict", Verdict):
        if verdict.judge.name != "footprint":
            continue
        there = {measure.name: measure for measure in verdict.measures}
        for name in dict.fromkeys([*MEASURES, *there]):
            yield {
                **_judged(found, unit, verdict),
                **_measure(there.get(name)),
                "measure": name,
                "lower_is_better": name in LOWER_IS_BETTER,
                **_left_out(verdict, there.get(name)),
                "oracle": found.oracle(verdict),
                **_made(found.evidence.get(verdict.evidence)),
                "not_scored": None if name in there else verdict.not_scored or "the judge did not give this measure",
            }


def _made(evidence: Evidence | None) -> Row:
    """The arithmetic of the maps, and what the tool found out about its own work."""
    if evidence is None or evidence.precision is None:
        return {"hints": list(evidence.hints) if evidence else None}
    told = evidence.precision
    return {
        "precision": told.used,
        "precision_reason": told.reason,
        "precision_correlation": told.correlation,
        "precision_moved": told.moved,
        "hints": list(evidence.hints),
    }


def match_rows(found: Found) -> Iterator[Row]:
    """Every multiple choice that an automatic judge took; ``value`` is its confidence in the right option."""
    for unit, verdict in found.records("verdict", Verdict):
        there = {measure.name: measure for measure in verdict.measures}
        if verdict.judge.name == "footprint":
            continue
        case = found.cases.get((verdict.network, verdict.trojan))
        captions = [option.caption for option in case.question.options] if case else []
        correct, chosen = there.get("correct"), there.get("chosen")
        yield {
            **_judged(found, unit, verdict),
            **_measure(there.get("confidence")),
            "measure": "confidence",
            **_interval(correct.interval if correct else None, "correct"),
            "chosen": chosen.interval.value if chosen else None,
            "choice": captions[verdict.choice] if captions and verdict.choice is not None else None,
            "answer": captions[case.question.answer] if case else None,
            "probabilities": list(verdict.probabilities) or None,
            "n_excluded": verdict.excluded,
            "not_scored": verdict.not_scored,
        }


def effect_rows(found: Found) -> Iterator[Row]:
    """What the kept findings of each tool do, together, on the trojaned and on the clean network."""
    for unit, effect in found.records("effect", Effect):
        classes = found.classes.get(effect.network, ())
        target = classes[effect.target] if effect.target < len(classes) else None
        for pooled in effect.pooled:
            trials: list[Trial] = [trial for trial in effect.trials if trial.on == pooled.on]
            seen = [trial.alone == target for trial in trials]
            yield {
                **found.about(effect.network, effect.tool, effect.trojan),
                "on": pooled.on,
                "rate": pooled.rate.value,
                "low": pooled.rate.low,
                "high": pooled.rate.high,
                "n": pooled.rate.n,
                "confidence": pooled.confidence,
                "interval": None if math.isnan(pooled.rate.low) else BOOTSTRAP,
                "findings": len(trials),
                "best_rate": max((trial.rate.value for trial in trials), default=None),
                "alone_is_target": sum(seen) / len(seen) if seen and target else None,
                "target": target,
                "evidence": effect.evidence,
                "key": unit.key,
            }


def cost_rows(found: Found) -> Iterator[Row]:
    """What every unit cost, and every unit that could not be made."""
    for unit in found.units:
        cost, data = unit.cost(), unit.data
        refusal = data.get("refusal")
        yield {
            **{name: _text(data.get(name)) for name in ("network", "trojan")},
            "tool": found.named(unit, _tool(data.get("tool"))),
            "seconds": cost.seconds if cost else None,
            "forward": cost.forward if cost else None,
            "backward": cost.backward if cost else None,
            "peak_bytes": cost.peak_bytes if cost else None,
            "status": "refused" if refusal else "done",
            "error": refusal,
            "unit": unit.kind,
            "label": None,
            "attempts": cost.attempt if cost else None,
            "host": cost.host if cost else None,
            "key": unit.key,
        }
    for failure in found.store.standing():
        if found.current(failure.kind, failure.key):
            yield {
                **{name: failure.context.get(name) for name in ("network", "tool", "trojan")},
                "status": "failed",
                "error": failure.error,
                "unit": failure.kind,
                "label": failure.label,
                "attempts": failure.attempts,
                "retryable": failure.retryable,
                "key": failure.key,
            }


def _left_out(verdict: Verdict, measure: Measure | None) -> Row:
    """How many images have no score by a measure, and why: the judge's own reason, and what only this measure asks."""
    if measure is None:
        return {"n_excluded": verdict.excluded}
    missing = sum(math.isnan(score) for score in measure.scores)
    reasons = [verdict.excluded_reason] if verdict.excluded and missing else []
    more = missing - verdict.excluded
    if more > 0 and measure.name in OWN_REASONS:
        reasons.append(f"{more} more: {OWN_REASONS[measure.name]}")
    return {"n_excluded": missing, "excluded_reason": "; ".join(filter(None, reasons)) or None}


def _judged(found: Found, unit: Unit, verdict: Verdict) -> Row:
    evidence = found.evidence.get(verdict.evidence)
    return {
        **found.about(verdict.network, verdict.tool, verdict.trojan),
        "judge": verdict.judge.name,
        "judge_version": verdict.judge.version,
        "tool_version": evidence.tool.version if evidence else None,
        "seed": evidence.seed if evidence else None,
        "excluded_reason": verdict.excluded_reason,
        "evidence": verdict.evidence,
        "key": unit.key,
    }


def _measure(measure: Measure | None) -> Row:
    if measure is None:
        return {}
    row = {"value": measure.interval.value, "low": measure.interval.low, "high": measure.interval.high}
    short = math.isnan(measure.interval.low)
    return row | {
        "n": measure.interval.n,
        "chance": measure.chance,
        "scores": list(measure.scores),
        "interval": None if short else WILSON if _counted(measure) else BOOTSTRAP,
        "note": "no interval: one observation shows no spread" if short else None,
    }


def _counted(measure: Measure) -> bool:
    """Whether a measure is a proportion of hits, to which judges give Wilson's interval."""
    return measure.name in COUNTED and {score for score in measure.scores if not math.isnan(score)} <= {0.0, 1.0}


def _interval(interval: Interval | None, name: str, *, n: bool = False) -> Row:
    if interval is None:
        return {}
    row: Row = {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row | ({f"{name}_n": interval.n} if n else {})


def _case(case: Case | None, classes: tuple[str, ...]) -> Row:
    if case is None:
        return {}
    sources = case.trojan.sources
    return {
        "scope": case.trojan.scope,
        "caption": case.trojan.caption,
        "target": classes[case.trojan.target],
        "sources": None if sources is None else [classes[source] for source in sources],
        "published": case.trojan.published,
        "probes": case.probes.images.count if case.probes else None,
        "probes_tried": case.probes.tried if case.probes else None,
    }


def _detection(detection: Detection | None) -> Row:
    if detection is None:
        return {}
    return {
        "detector_precision": detection.precision.value,
        "detector_recall": detection.recall.value,
        "detector_threshold": detection.threshold,
    }


def _gates(gates: Iterable[Gate]) -> Row:
    missed = [f"{gate.name}: asked {gate.asked}, measured {gate.measured}" for gate in gates if not gate.met]
    return {"gates_met": not missed, "gates_missed": missed}


def _text(value: Any) -> str | None:
    """A name of a record as it is; other records have records under the same names."""
    return value if isinstance(value, str) else None


def _tool(value: Any) -> str | None:
    return _text(value.get("name") if isinstance(value, dict) else value)
