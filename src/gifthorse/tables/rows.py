"""Records to rows: one function a table, and what they share about the run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from gifthorse.records import Case, Detection, Effect, Evidence, Gate, Implant, Interval, Measure, Trial, Verdict
from gifthorse.registry import load
from gifthorse.store import Store, Unit

R = TypeVar("R")
Row = dict[str, Any]

CEILINGS = frozenset({"truth"})
"""Tools that are told the answer: what the judge can at best see."""

# The tools stand above this room; their table is loaded as any row is, and imports none of them.
FLOORS = frozenset(name for name, row in load("gifthorse.tools:TOOLS").items() if row.floor) - CEILINGS
"""Tools that know nothing of the network: what a contender must beat."""

MEASURES = ("pearson", "pearson_alpha", "l1", "pointing_game")
"""Of the footprint judge, in the order of its rows."""

LOWER_IS_BETTER = frozenset({"l1"})
"""Measures that are distances."""

COUNTED = frozenset({"pointing_game", "correct"})
"""Measures that are a share of hits, as long as every score is 0 or 1."""

BOOTSTRAP, WILSON = "95% bootstrap", "95% Wilson"


@dataclass(frozen=True)
class Found:
    """The units of a run that its plan names, with the lookups that several tables need."""

    store: Store

    @cached_property
    def planned(self) -> dict[str, frozenset[str]]:
        """Unit kind to the keys that the last request named; kinds that it has not come to yet are missing."""
        keys = (self.store.read_plan() or {}).get("keys", {})
        return {kind: frozenset(named) for kind, named in keys.items()}

    def current(self, kind: str, key: str) -> bool:
        """Whether a unit belongs to the last request rather than to an earlier one in the same folder."""
        return kind not in self.planned or key in self.planned[kind]

    @cached_property
    def units(self) -> list[Unit]:
        """Every unit of the last request, by key.

        What was found out about a network that has been implanted anew since is not among them, even where the request
        has not come to its own evidence yet.
        """
        named = [unit for unit in self.store.units() if self.current(unit.kind, unit.key)]
        networks = {unit.record(Implant).trojaned.digest for unit in named if unit.kind == "implant"}
        past = {u.key for u in named if networks and u.kind == "evidence" and _of_another(u, networks)}
        return [unit for unit in named if unit.key not in past and unit.inputs.get("evidence") not in past]

    def records(self, kind: str, cls: type[R]) -> list[tuple[Unit, R]]:
        """Units of a kind with their records."""
        return [(unit, unit.record(cls)) for unit in self.units if unit.kind == kind]

    @cached_property
    def implants(self) -> list[tuple[Unit, Implant]]:
        """The implants, by network."""
        return sorted(self.records("implant", Implant), key=lambda found: (found[1].network, found[0].key))

    @cached_property
    def evidence(self) -> dict[str, Evidence]:
        """Evidence by key."""
        return {unit.key: record for unit, record in self.records("evidence", Evidence)}

    @cached_property
    def cases(self) -> dict[tuple[str, str], Case]:
        """Cases by network and trojan."""
        return {(implant.network, case.trojan.name): case for _, implant in self.implants for case in implant.cases}

    @cached_property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Class names by network."""
        return {implant.network: implant.trojaned.classes for _, implant in self.implants}

    @cached_property
    def order(self) -> dict[tuple[str, str], int]:
        """Place of each network and trojan: networks by name, trojans as the suite lists them."""
        return {about: place for place, about in enumerate(self.cases)}

    def about(self, network: str, tool: str | None, trojan: str | None) -> Row:
        """The columns that say what a row is about."""
        case = self.cases.get((network, trojan or ""))
        return {
            "network": network,
            "tool": tool,
            "trojan": trojan,
            "kind": case.trojan.kind if case else None,
            "floor": tool in FLOORS,
            "ceiling": tool in CEILINGS,
        }

    def place(self, row: Row) -> tuple[Any, ...]:
        """Sorting key of a row: network, tool, trojan as the suite lists it, and what tells equal ones apart."""
        names = [row.get(name) or "" for name in ("network", "tool")]
        place = self.order.get((row.get("network") or "", row.get("trojan") or ""), len(self.order))
        measure = row.get("measure")
        rank = MEASURES.index(measure) if measure in MEASURES else len(MEASURES)
        return (*names, place, row.get("trojan") or "", rank, *(row.get(name) or "" for name in ("on", "judge", "key")))


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
                # A judge may score some measures of evidence that it cannot score as a whole.
                "n_excluded": 0 if name in LOWER_IS_BETTER and name in there else verdict.excluded,
                "not_scored": None if name in there else verdict.not_scored or "the judge did not give this measure",
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
            "tool": _tool(data.get("tool")),
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


def _of_another(evidence: Unit, networks: set[str]) -> bool:
    """Whether evidence says that it is of a classifier that is none of these."""
    return evidence.inputs.get("classifier", next(iter(networks))) not in networks


def _text(value: Any) -> str | None:
    """A name of a record as it is; other records have records under the same names."""
    return value if isinstance(value, str) else None


def _tool(value: Any) -> str | None:
    return _text(value.get("name") if isinstance(value, dict) else value)
