"""The templates' environment, which every page is drawn with."""

from __future__ import annotations

import importlib.resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from gifthorse.report.words import visible


def environment() -> jinja2.Environment:
    """The templates' environment: everything is escaped, and an unknown name is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("gifthorse.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["breakable"] = _breakable
    return made


def sheet() -> Markup:
    """The style sheet that every page holds."""
    return Markup(importlib.resources.files("gifthorse.report").joinpath("templates", "style.css").read_text("utf-8"))


def _finalize(value: Any) -> Any:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return visible(value)


def _breakable(name: str) -> Markup:
    """A name that may break after its underscores, where a column is narrow."""
    return Markup("_<wbr>").join(escape(visible(part)) for part in name.split("_"))
