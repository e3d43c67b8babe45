"""Builds the page of each trojan, as Figure 5.16: question, answers, effect, and what was made."""

from __future__ import annotations

import string
from collections.abc import Sequence

from markupsafe import Markup

from gifthorse.records import Effect, Interval, Trial, Verdict
from gifthorse.report import words
from gifthorse.report.build_found import galleries
from gifthorse.report.build_planted import NOTHING, pairs
from gifthorse.report.charts import EMPTY, Mark, Span, heat_of, interval
from gifthorse.report.contexts import Fact, Number, Picture
from gifthorse.report.contexts_found import Answer, MapScore, Quiz, Share, TriedRow, TrojanPage
from gifthorse.report.desk import Desk, classes, measure_of, sources, tool_name, tools_of, trojan_anchor
from gifthorse.report.gather import Kept, Puzzle


def trojan_page(desk: Desk, puzzle: Puzzle) -> TrojanPage:
    """One trojan in one network."""
    spec, made, key = puzzle.case.trojan, puzzle.success, [puzzle.implant.key]
    measure, maps = _maps(desk, puzzle)
    return TrojanPage(
        anchor=trojan_anchor(puzzle),
        name=desk.page(puzzle).text,
        network=puzzle.network,
        caption=spec.caption,
        truth=desk.truth(puzzle, 128),
        examples=pairs(desk, puzzle),
        facts=(
            Fact(name="kind", text=f"{words.kind(spec.kind)}, {words.kind(spec.scope)}"),
            Fact(name="source", text=sources(puzzle)),
            Fact(name="target", text=classes(puzzle)(spec.target)),
        ),
        success=desk.number(made.success if made else NOTHING, key, "percent"),
        control=desk.number(made.clean_control if made else NOTHING, key, "percent"),
        quizzes=_quizzes(desk, puzzle),
        tried=_tried(desk, puzzle, each=False),
        each=_tried(desk, puzzle, each=True),
        galleries=galleries(desk, puzzle),
        measure=words.measure(measure),
        maps=maps,
    )


def _quizzes(desk: Desk, puzzle: Puzzle) -> tuple[Quiz, ...]:
    pieces = [e for e in puzzle.evidence if e.record.kind == "synthesis"]
    found = {v.record.judge.name for e in pieces for v in desk.run.verdicts.get(e.key, ())}
    tools = tools_of(pieces)
    return tuple(_quiz(desk, puzzle, judge, tools) for judge in sorted(found))


def _quiz(desk: Desk, puzzle: Puzzle, judge: str, tools: tuple[str, ...]) -> Quiz:
    said = [next((v for e in puzzle.of(tool) if (v := desk.run.judged(e, judge))), None) for tool in tools]
    question = puzzle.case.question
    chance = 1 / max(1, len(question.options))
    letters = string.ascii_uppercase
    reaches = {
        option.caption: desk.plain(option.rate.value, words.percent(option.rate.value), [puzzle.implant.key])
        for option in puzzle.implant.record.options
        if option.trojan == puzzle.name and option.kept
    }
    answers = []
    for index, option in enumerate(question.options):
        answers.append(
            Answer(
                letter=letters[index % len(letters)],
                caption=option.caption,
                picture=_option(desk, puzzle, index),
                right=index == question.answer,
                reach=reaches.get(option.caption),
                shares=tuple(_share(desk, verdict, index, chance) for verdict in said),
            )
        )
    scores = [_main(verdict) for verdict in said]
    return Quiz(
        judge=judge,
        tools=tuple(tool_name(tool) for tool in tools),
        answers=tuple(answers),
        scores=tuple(
            None if score is None or verdict is None else desk.number(score, [verdict.key])
            for score, verdict in zip(scores, said, strict=True)
        ),
        charts=tuple(
            EMPTY if score is None else _drawn(score, f"{judge} of {tool}", chance, tool)
            for score, tool in zip(scores, tools, strict=True)
        ),
        verdicts=tuple(_in_words(verdict, question.answer) for verdict in said),
        chance=words.score(chance, 3),
    )


def _drawn(score: Interval, what: str, chance: float, tool: str) -> Markup:
    label = f"{what}: {words.score(score.value)}, chance {words.score(chance, 3)}"
    return interval(score, label, marks=[Mark(value=chance, kind="chance")], tone=tool_name(tool).role)


def _main(verdict: Kept[Verdict] | None) -> Interval | None:
    """The first measure of a verdict is its main one."""
    if verdict is None or not verdict.record.measures or verdict.record.not_scored:
        return None
    return verdict.record.measures[0].interval


def _in_words(verdict: Kept[Verdict] | None, answer: int) -> str:
    if verdict is None:
        return "not judged"
    if verdict.record.not_scored:
        return f"not scored: {verdict.record.not_scored}"
    return "right" if verdict.record.choice == answer else "wrong"


def _option(desk: Desk, puzzle: Puzzle, index: int) -> Picture | None:
    pictures = puzzle.case.question.pictures
    if pictures is None or index >= pictures.count:
        return None
    alt = f"option: {puzzle.case.question.options[index].caption}"
    return desk.of_case(puzzle, pictures, index, alt, 48)


def _share(desk: Desk, verdict: Kept[Verdict] | None, index: int, chance: float) -> Share | None:
    if verdict is None or index >= len(verdict.record.probabilities):
        return None
    value = verdict.record.probabilities[index]
    return Share(
        number=desk.plain(value, words.score(value), [verdict.key]),
        heat=heat_of(value, chance),
        chosen=verdict.record.choice == index,
    )


def _tried(desk: Desk, puzzle: Puzzle, *, each: bool) -> tuple[TriedRow, ...]:
    rows = []
    for tool in tools_of(puzzle.evidence):
        for kept in puzzle.of(tool):
            effect = desk.run.effects.get(kept.key)
            if effect is None:
                continue
            trials = effect.record.trials if each else effect.record.pooled
            for finding in dict.fromkeys(trial.finding for trial in trials):
                about = [trial for trial in trials if trial.finding == finding]
                rows.append(_tried_row(desk, effect, about, _called(kept.record.kept, finding, each)))
    return tuple(rows)


def _called(kept: Sequence[int], finding: int, each: bool) -> str:
    if not each:
        return f"all {len(kept)} kept" if len(kept) > 1 else "the one kept"
    return f"finding {finding + 1}"


def _tried_row(desk: Desk, effect: Kept[Effect], trials: Sequence[Trial], finding: str) -> TriedRow:
    name = effect.record.tool
    by_network = {trial.on: trial for trial in trials}
    trojaned, clean = by_network.get("trojaned"), by_network.get("clean")

    def rate(trial: Trial | None) -> Number | None:
        return None if trial is None else desk.number(trial.rate, [effect.key], "percent")

    def surely(value: float) -> Number:
        return desk.plain(value, words.score(value), [effect.key])

    def chart(trial: Trial | None) -> Markup:
        if trial is None:
            return EMPTY
        label = f"{name} on the {trial.on} network: {words.percent(trial.rate.value)} to the target"
        return interval(trial.rate, label, tone=tool_name(name).role)

    return TriedRow(
        tool=tool_name(name),
        finding=finding,
        trojaned=rate(trojaned),
        trojaned_chart=chart(trojaned),
        trojaned_confidence=surely(trojaned.confidence) if trojaned else None,
        clean=rate(clean),
        clean_chart=chart(clean),
        clean_confidence=surely(clean.confidence) if clean else None,
        alone=trojaned.alone if trojaned else "",
        alone_confidence=surely(trojaned.alone_confidence) if trojaned and trojaned.alone else None,
    )


def _maps(desk: Desk, puzzle: Puzzle) -> tuple[str, tuple[MapScore, ...]]:
    pieces = [e for e in puzzle.evidence if e.record.kind == "attribution"]
    said = [(e, v) for e in pieces for v in desk.run.verdicts.get(e.key, ())]
    measures = [m for _, v in said for m in v.record.measures]
    main = "pearson" if measure_of(measures, "pearson") else measures[0].name if measures else ""
    rows = []
    for evidence, verdict in said:
        tool = tool_name(evidence.record.tool.name)
        measure = measure_of(verdict.record.measures, main)
        if measure is None:
            note = verdict.record.not_scored or f"it has no {words.measure(main)}"
            rows.append((MapScore(tool=tool, number=None, chart=EMPTY, note=note), -9.0))
            continue
        label = f"{words.measure(main)} of {tool.name}: {words.score(measure.interval.value)}"
        marks = [] if measure.chance is None else [Mark(value=measure.chance, kind="chance")]
        span = Span(low=-0.5, high=1.0) if "pearson" in main else Span(low=0.0, high=1.0)
        chart = interval(measure.interval, label, span=span, marks=marks, tone=tool.role)
        number = desk.number(measure.interval, [verdict.key])
        rows.append((MapScore(tool=tool, number=number, chart=chart, note=""), measure.interval.value))
    return main, tuple(row for row, _ in sorted(rows, key=lambda pair: (-pair[1], pair[0].tool.name)))
