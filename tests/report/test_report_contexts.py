"""The contract between builders and templates: documented dataclasses, all of them used, and nothing else known."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator
from typing import Any

import jinja2
import pytest
from jinja2 import meta, nodes
from markupsafe import Markup

from gifthorse.report import (
    contexts,
    contexts_experiment,
    contexts_found,
    contexts_maps,
    contexts_own,
    contexts_page,
    draw,
    environment,
)
from gifthorse.report.contexts_page import Page

CONTEXTS = sorted(
    {
        cls
        for module in (contexts, contexts_experiment, contexts_found, contexts_maps, contexts_own, contexts_page)
        for cls in vars(module).values()
        if isinstance(cls, type) and dataclasses.is_dataclass(cls)
    },
    key=lambda cls: cls.__name__,
)
TEMPLATES = sorted(name for name in environment().list_templates() if name.endswith(".j2"))
OF_JINJA = {"index", "index0", "first", "last", "nextitem", "previtem", "at"}


def sources() -> Iterator[tuple[str, nodes.Template]]:
    loader = environment().loader
    assert loader is not None
    for name in TEMPLATES:
        yield name, environment().parse(loader.get_source(environment(), name)[0])


@pytest.mark.parametrize("cls", CONTEXTS, ids=lambda cls: cls.__name__)
def test_every_field_is_documented_and_every_documented_field_is_there(cls: type[Any]) -> None:
    doc = cls.__doc__ or ""
    documented = re.findall(r"^\s{4,8}(\w+): \S", doc.partition("Attributes:")[2], re.MULTILINE)
    assert documented == [field.name for field in dataclasses.fields(cls)] or sorted(documented) == sorted(
        field.name for field in dataclasses.fields(cls)
    )
    assert cls.__dataclass_params__.frozen


def test_templates_know_the_page_s_fields_and_no_other_names() -> None:
    names = {name for _, tree in sources() for name in meta.find_undeclared_variables(tree)}
    # the page of one's own maps is one context, under one name
    assert names == {field.name for field in dataclasses.fields(Page)} | {"page"}


def test_templates_read_every_field_and_only_fields() -> None:
    read = {node.attr for _, tree in sources() for node in tree.find_all(nodes.Getattr)}
    fields = {field.name for cls in CONTEXTS if cls is not Page for field in dataclasses.fields(cls)}
    assert read - fields <= OF_JINJA
    assert fields - read == set()


def test_real_contexts_are_the_documented_ones(context: Page) -> None:
    check(context, Page)


def check(value: Any, hint: Any) -> None:
    """Raises where a value is not of its field's type, all the way down."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        fitting = [a for a in arguments if type(value) is a or (a is type(None) and value is None)]
        assert fitting, (value, hint)
        check(value, fitting[0])
    elif origin is tuple:
        assert isinstance(value, tuple)
        parts = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        for item, part in zip(value, parts, strict=True):
            check(item, part)
    elif dataclasses.is_dataclass(hint):
        assert type(value) is hint
        for name, part in typing.get_type_hints(hint).items():
            check(getattr(value, name), part)
    elif hint is float:
        assert isinstance(value, (float, int))
    elif hint is not type(None):
        assert type(value) is hint, (value, hint)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        environment().from_string("{{ nothing.here }}").render()


def test_text_is_escaped_and_only_markup_passes() -> None:
    drawn = environment().from_string("{{ a }}{{ b }}<i title='{{ a }}'>").render(a="<b>&'", b=Markup("<hr>"))
    assert drawn == "&lt;b&gt;&amp;&#39;<hr><i title='&lt;b&gt;&amp;&#39;'>"


def test_drawing_twice_gives_the_same(context: Page) -> None:
    assert draw(context) == draw(context)
