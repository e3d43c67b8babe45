"""Names and texts from outside are text on the page, whatever they hold (P33)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hostile import HOSTILE, Poison, make_hostile
from reading import Reader

from gifthorse.report import write
from gifthorse.report.words import visible
from gifthorse.store import Store


@pytest.fixture(scope="module")
def poisoned(store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Poison]:
    root = tmp_path_factory.mktemp("hostile")
    copy, poison = make_hostile(store, root / "run")
    return write(copy, root / "report.html").read_text(encoding="utf-8"), poison


def test_there_are_sixty_of_them() -> None:
    assert len(set(HOSTILE)) == 60


def test_every_one_of_them_reads_as_it_was_written(poisoned: tuple[str, Poison]) -> None:
    html, poison = poisoned
    page = Reader(html)
    seen = "\x00".join(page.texts)
    attributes = "\x00".join(value for element in page.elements for value in element.attributes.values())
    shown = {text for text in poison.given.values() if visible(text) in seen}
    assert {int(text.rpartition(" ")[2]) % len(HOSTILE) for text in shown} == set(range(len(HOSTILE)))
    for name in ("emoji-resnet", "smiley_emoji", "occlusion", "cppn_target", "smiley face", "bullfrog", "emoji3"):
        assert visible(poison.given[name]) in seen, name
    assert visible(poison.given["smiley_emoji"]) in attributes


def test_no_element_and_no_attribute_comes_of_them(poisoned: tuple[str, Poison], report_html: str) -> None:
    page, clean = Reader(poisoned[0]), Reader(report_html)

    def shape(reader: Reader) -> Counter[tuple[str, tuple[str, ...]]]:
        return Counter((element.tag, tuple(sorted(element.attributes))) for element in reader.elements)

    ours, theirs = shape(page), shape(clean)
    assert set(ours) <= set(theirs) | {("span", ("class",)), ("tr", ("class",))}
    for tag in ("script", "style", "img", "svg", "iframe", "a", "button", "form", "dialog", "title", "meta", "link"):
        assert len(page.of(tag)) <= len(clean.of(tag)) + 40, tag
    for tag in ("script", "style", "dialog", "title", "meta", "link", "h1", "h2", "nav", "main"):
        assert len(page.of(tag)) == len(clean.of(tag)), tag
    assert not [name for e in page.elements for name in e.attributes if name.startswith("on")]
    assert {e.attributes["href"][0] for e in page.of("a")} == {"#"}


def test_a_page_of_hostile_names_is_the_same_each_time(
    poisoned: tuple[str, Poison], store: Store, tmp_path: Path
) -> None:
    copy, _ = make_hostile(store, tmp_path / "run")
    assert write(copy, tmp_path / "again.html").read_text(encoding="utf-8") == poisoned[0]
