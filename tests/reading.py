"""Reads a page the way a browser does, as far as tests need it: elements, attributes and the text between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"wbr", "meta", "link", "img", "br", "line", "circle", "rect", "path", "input"})


@dataclass
class Element:
    """One element with the text that is directly or further inside it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    parents: tuple[str, ...] = ()
    inside: list[Element] = field(default_factory=list)


class Reader(HTMLParser):
    """Collects every element and every stretch of text outside of style and script."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.texts: list[str] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        parents = tuple(element.tag for element in self._open)
        element = Element(tag, {name: value or "" for name, value in attrs}, parents=parents)
        for parent in self._open:
            parent.inside.append(element)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        last = self._open.pop()
        if last.tag != tag:
            raise AssertionError(f"</{tag}> ends <{last.tag}>, at line {self.getpos()[0]}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1].tag in ("style", "script"):
            self._open[-1].text += data
            return
        self.texts.append(data)
        for element in self._open:
            element.text += data

    def of(self, tag: str) -> list[Element]:
        """Every element of a tag."""
        return [element for element in self.elements if element.tag == tag]

    def with_class(self, name: str) -> list[Element]:
        """Every element of a class."""
        return [element for element in self.elements if name in element.attributes.get("class", "").split()]
