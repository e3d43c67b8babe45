"""The page as a file: one file, nothing outside of it, the same bytes, every number with its record."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crowded import Size, make_crowded
from fixtures_run import REFUSAL, make_run
from reading import Reader

from gifthorse import report
from gifthorse.records import Evidence, Implant
from gifthorse.report import words, write
from gifthorse.report.contexts import Number
from gifthorse.report.contexts_page import Page
from gifthorse.report.gather import gather
from gifthorse.report.pictures import Album, encode
from gifthorse.store import Store
from gifthorse.tables import tidy_tables


@pytest.fixture(scope="module")
def page(report_html: str) -> Reader:
    return Reader(report_html)


def numbers(value: Any) -> Iterator[Number]:
    """Every Number anywhere in a context."""
    if isinstance(value, Number):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from numbers(getattr(value, field.name))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from numbers(item)


def test_two_equal_runs_have_equal_pages_byte_for_byte(tmp_path: Path, report_path: Path) -> None:
    again = write(make_run(tmp_path / "run"), tmp_path / "again.html")
    assert again.read_bytes() == report_path.read_bytes()


def test_nothing_outside_the_file_is_named(page: Reader) -> None:
    for element in page.elements:
        for name in ("src", "href", "srcset", "action", "poster", "data", "xlink:href"):
            value = element.attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/")), (element.tag, name, value)
    styles = "".join(element.text for element in page.of("style"))
    styles += "".join(element.attributes.get("style", "") for element in page.elements)
    assert "url(" not in styles
    assert "@import" not in styles
    assert not {"iframe", "object", "embed", "base", "form", "audio", "video"} & {e.tag for e in page.elements}


def test_the_policy_lets_in_this_script_and_no_other(page: Reader) -> None:
    policies = [e.attributes["content"] for e in page.of("meta") if "http-equiv" in e.attributes]
    (script,) = page.of("script")
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert policies == [
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    ]
    assert len(script.text) < 5_000
    assert not [name for element in page.elements for name in element.attributes if name.startswith("on")]


def test_every_link_has_its_place_and_every_place_one_name(page: Reader) -> None:
    places = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(places) == len(set(places))
    links = {element.attributes["href"] for element in page.of("a")}
    assert {link.removeprefix("#") for link in links} <= set(places)


def test_every_number_leads_to_the_records_that_made_it(page: Reader, context: Page, store: Store) -> None:
    found = list(numbers(context))
    assert len(found) > 300
    keys = {f"#u-{unit.key[:12]}" for unit in store.units()}
    sums = {f"#{entry.anchor}": entry for entry in context.ran.sums}
    for number in found:
        assert number.href in keys | set(sums), number
    for entry in sums.values():
        assert entry.units
        assert {unit.href for unit in entry.units} <= keys
    shown = {element.attributes["href"] for element in page.with_class("n")}
    assert {number.href for number in found} <= shown | set(sums)


def test_no_cell_shows_a_number_without_its_link(page: Reader) -> None:
    cells = [e for e in page.of("td") if {"num", "heat", "score"} & set(e.attributes.get("class", "").split())]
    assert len(cells) > 100
    for cell in cells:
        if any(letter.isdigit() for letter in cell.text):
            linked = [e for e in cell.inside if e.tag == "a" and "n" in e.attributes.get("class", "").split()]
            assert linked or "version" in cell.parents or re.fullmatch(r"\s*\d+\s*", cell.text), cell.text


def test_the_page_says_what_the_tables_say(context: Page, store: Store) -> None:
    tidy = tidy_tables(store)
    (planted,) = context.planted
    rows = {row.link.text: row for row in planted.rows}
    for row in tidy["implant"]:
        shown = rows[row["trojan"]]
        assert (shown.success.value, shown.success.href) == (row["success"], f"#u-{row['key'][:12]}")
        assert shown.success.text == words.percent(row["success"])
    (judged,) = context.judged
    columns = [column.text for group in judged.groups for column in group.columns]
    cells = {
        (row.tool.name, trojan): cell
        for row in judged.rows
        for trojan, cell in zip(columns, row.cells, strict=True)
        if cell.number
    }
    assert {(row["tool"], row["trojan"]) for row in tidy["match"]} == set(cells)
    for row in tidy["match"]:
        number = cells[row["tool"], row["trojan"]].number
        assert number is not None
        assert (number.value, number.href) == (row["value"], f"#u-{row['key'][:12]}")


def test_the_first_figure_shows_what_the_judge_s_table_says(context: Page, page: Reader) -> None:
    (found,), (judged,) = context.synthesis, context.judged
    assert (found.judge, found.chance) == (judged.judge, judged.chance)
    columns = [column.text for group in judged.groups for column in group.columns]
    rows = {row.tool.name: dict(zip(columns, row.cells, strict=True)) for row in judged.rows}
    compared = 0
    for column in found.best:
        for tool, best in zip(found.tools, column.best, strict=True):
            assert best.cell == rows[tool.name][column.link.text]
            compared += 1
    assert compared >= 4
    (glance,) = [e for e in page.elements if e.attributes.get("id") == "glance"]
    assert f"Guessing gives {found.chance}" in glance.text
    assert len([e for e in glance.inside if "under" in e.attributes.get("class", "").split()]) == compared


def test_a_gate_is_named_once_and_says_what_was_asked(context: Page, page: Reader) -> None:
    (planted,) = context.planted
    gates = [(row.link.text, gate) for row in planted.rows for gate in row.gates]
    assert gates
    assert not [gate.name for trojan, gate in gates if gate.name.startswith(f"{trojan}:")]
    shown = " ".join(e.text for e in page.with_class("gates"))
    for _, gate in gates:
        assert f"{gate.name} {gate.measured}, asked {gate.asked}" in shown or f"{gate.name} {gate.asked}" in shown


def test_a_tool_is_shown_against_the_best_floor(context: Page) -> None:
    (part,) = context.attribution
    pearson = part.scores[0]
    assert pearson.measure == "Pearson correlation"
    floors = [row for row in pearson.rows if row.tool.role == "floor"]
    best = max(floors, key=lambda row: row.median.value)
    assert f"The red line is the median of {best.tool.name}" in pearson.note
    for row in pearson.rows:
        (line,) = [e for e in Reader(row.chart).elements if e.attributes.get("class") == "rival"]
        assert line.attributes["x1"] == f"{100 * (best.median.value + 0.5) / 1.5:.2f}%"


def test_zeros_and_ones_are_a_mean_and_not_a_box(context: Page, page: Reader) -> None:
    (part,) = context.attribution
    measures = {scores.measure: scores for scores in part.scores}
    game, pearson = measures["Pointing game"], measures["Pearson correlation"]
    assert "The dot is the mean" in game.note
    assert "the box holds the middle half" in pearson.note
    for row in game.rows:
        (dot,) = Reader(row.chart).with_class("dot")
        assert dot.attributes["cx"] == f"{100 * row.mean.value:.2f}%"
        assert not Reader(row.chart).with_class("box")
    assert all(Reader(row.chart).with_class("box") for row in pearson.rows)
    means = [row.mean.value for row in game.rows if row.median.value == game.rows[0].median.value]
    assert means == sorted(means, reverse=True)
    assert len([e for e in page.of("h4") if "as in Figure 4.2" in e.text]) == 1


def test_an_image_is_left_out_only_where_it_has_no_score(context: Page, store: Store) -> None:
    (part,) = context.attribution
    explained: dict[str, int] = {}
    for unit in store.units("evidence"):
        record = unit.record(Evidence)
        explained[record.tool.name] = explained.get(record.tool.name, 0) + record.explained
    checked = 0
    for scores in part.scores:
        for row in scores.rows:
            missing = explained[row.tool.name] - int(row.images.value)
            assert row.excluded.startswith(f"{missing:,} left out: ") if missing else row.excluded == ""
            checked += 1
    assert checked > 8


def test_every_number_of_a_rate_says_of_how_many(page: Reader, context: Page) -> None:
    (planted,) = context.planted
    cells = [e for e in page.of("td") if e.attributes.get("data-label") in ("success", "clean control")]
    assert len(cells) == 2 * len(planted.rows)
    assert all("n = " in cell.text for cell in cells)


def test_one_reason_is_said_once_with_every_trojan(context: Page) -> None:
    entries = [(entry.label, entry.what, entry.reason) for entry in context.missing.silent]
    assert len(entries) == len(set(entries))
    assert all(entry.links for entry in context.missing.silent)


def test_records_are_listed_by_kind_in_the_order_of_a_run(context: Page, store: Store) -> None:
    kinds = [group.kind for group in context.ran.records]
    assert kinds == [
        kind for kind in ("stamped", "trained", "implant", "evidence", "effect", "verdict", "caption") if kind in kinds
    ]
    listed = [unit.key for group in context.ran.records for unit in group.units]
    assert sorted(listed) == sorted(unit.key for unit in store.units())
    assert all(unit.kind == group.kind for group in context.ran.records for unit in group.units)


def test_what_is_missing_is_said(page: Reader, context: Page) -> None:
    text = " ".join(page.texts)
    assert REFUSAL in text
    assert "the machine has 512 MiB left" in text
    (failed,) = context.missing.failed
    assert failed.label == "cppn_target on fork"
    assert {entry.what for entry in context.missing.silent} >= {"refused", "not scored"}


def test_without_inputs_no_image_of_the_data_is_inside(store: Store, tmp_path: Path, report_html: str) -> None:
    html = write(store, tmp_path / "bare.html", inputs=False).read_text(encoding="utf-8")
    (unit,) = store.units("implant")
    implant = unit.record(Implant)
    private = [case.examples for case in implant.cases] + [case.before for case in implant.cases]
    private += [case.probes.images for case in implant.cases if case.probes]
    addresses = {encode(image, 128) for images in private for image in unit.images(images)}
    assert any(address in report_html for address in addresses)
    assert not any(address in html for address in addresses)
    assert "made without the data" in html
    assert html.count("left out: ") >= 12
    for case in implant.cases:
        assert encode(unit.images(case.truth)[0], 128) in html
    for evidence in store.units("evidence"):
        record = evidence.record(Evidence)
        if record.pictures:
            assert encode(evidence.images(record.pictures)[0], 128) in html


def test_twelve_hundred_pictures_stay_under_the_limit(tmp_path: Path) -> None:
    size = Size(side=64, networks=("emoji-resnet",), made=15)
    html = write(make_crowded(tmp_path / "run", size), tmp_path / "page.html").read_text(encoding="utf-8")
    assert html.count("<img") >= 1_200
    assert len(html.encode()) <= 20_000_000
    assert "more are in the record" not in html


def test_a_trojan_shows_what_was_kept_and_the_thirty_best_of_the_rest(tmp_path: Path) -> None:
    size = Size(side=8, trojans=2, networks=("emoji-resnet",), synthesis=("tabor", "noise"), attribution=(), made=40)
    page = report.build(gather(make_crowded(tmp_path / "run", size)), Album(side=64, inputs=True))
    for gallery in page.trojans[1].galleries:
        kept = [made.kept for made in gallery.made].count(True)
        assert kept > 0
        assert len(gallery.made) == kept + 30
        assert gallery.unshown == 40 - len(gallery.made)
        assert [made.kept for made in gallery.made] == [True] * kept + [False] * 30


def test_only_one_trojan_of_a_network_has_its_kept_findings_twice(tmp_path: Path) -> None:
    page = report.build(gather(make_crowded(tmp_path / "run", Size(side=8, trojans=12))), Album(side=64, inputs=True))
    assert [part.grid.link.text for part in page.synthesis] == ["fork", "smiley_emoji"]
    assert [len(part.others) for part in page.synthesis] == [11, 3]
    anchors = {f"#{trojan.anchor}" for trojan in page.trojans}
    assert {link.href for part in page.synthesis for link in (part.grid.link, *part.others)} == anchors


def test_a_page_over_the_limit_shows_fewer_pictures_and_says_so(
    store: Store, tmp_path: Path, report_html: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "LIMIT", 1_000)
    html = write(store, tmp_path / "small.html").read_text(encoding="utf-8")
    assert html.count("<img") < report_html.count("<img")
    assert "3 more are in the record." in html


def test_an_unfinished_run_has_a_page_too(store: Store, tmp_path: Path) -> None:
    nothing = write(Store(tmp_path / "empty"), tmp_path / "empty.html").read_text(encoding="utf-8")
    assert "no suite" in nothing
    partial = tmp_path / "partial"
    for unit in store.units("implant"):
        target = partial / unit.path.relative_to(store.root)
        target.mkdir(parents=True)
        for file in unit.path.iterdir():
            (target / file.name).write_bytes(file.read_bytes())
    html = write(Store(partial), tmp_path / "partial.html").read_text(encoding="utf-8")
    assert "smiley_emoji" in html
    assert 'id="judged"' not in html


def test_writing_replaces_the_old_page_and_leaves_nothing_else(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "made" / "report.html"
    write(store, out)
    write(store, out)
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_tables_have_captions_and_headings_and_images_words(page: Reader) -> None:
    for table in page.of("table"):
        inside = [element.tag for element in table.inside]
        assert "caption" in inside
        assert "th" in inside
    for heading in page.of("th"):
        assert heading.attributes.get("scope"), heading.attributes
    for image in page.of("img"):
        assert image.attributes.get("alt", "").strip()
        assert image.attributes.get("width") or "dialog" in image.parents
    for drawing in page.with_class("chart"):
        assert drawing.attributes.get("aria-label") or drawing.attributes.get("aria-hidden") == "true"
    for region in page.with_class("scroll"):
        assert (region.attributes["role"], region.attributes["tabindex"]) == ("region", "0")
        assert region.attributes["aria-label"]


def test_headings_go_down_one_step_at_a_time(page: Reader) -> None:
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_a_found_set_has_its_caption_with_its_significance(context: Page, page: Reader, store: Store) -> None:
    said = {
        (trojan.name, one.captioner): one
        for trojan in context.trojans
        for gallery in trojan.galleries
        for one in gallery.captions
    }
    assert len(said) == 4
    named, none = said["smiley_emoji", "encoder"], said["jaguar", "encoder"]
    assert (named.words, named.common) == ("smiley", True)
    assert (none.words, none.common) == ("no common theme", False)
    assert named.number is not None
    assert none.number is not None
    assert (named.number.text, none.number.text) == ("p = .004", "p = .41")
    assert named.note.startswith("3 of 3 pictures fit it better")
    assert "“leopard”" in none.note, "what fits best is named as what it is: not shown"
    assert said["fork", "encoder"].note == "the tool searched no pool that its set could be compared with"
    free = said["smiley_emoji", "blip_llm"]
    assert free.number is None
    assert free.words == "round <yellow> things & faces"
    assert "no significance" in free.note
    shown = " ".join(" ".join(element.text.split()) for element in page.with_class("said"))
    assert "In common, says encoder: smiley (p = .004)" in shown
    assert "In common, says encoder: no common theme (p = .41)" in shown
    assert {entry.name for entry in context.ran.captioners} == {"encoder", "blip_llm"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        *((0.0004, "p < .001"), (0.001, "p = .001"), (0.012, "p = .012"), (0.05, "p = .05"), (0.41, "p = .41")),
        *((0.0996, "p = .1"), (0.999, "p = 1"), (1.0, "p = 1"), (0.5, "p = .5")),
    ],
)
def test_a_significance_is_never_nought(value: float, told: str) -> None:
    assert words.p_value(value) == told
