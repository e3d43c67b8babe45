"""One small run folder and its page, drawn once for every test here that only reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures_run import make_run

from gifthorse.report import build, write
from gifthorse.report.contexts_page import Page
from gifthorse.report.gather import gather
from gifthorse.report.pictures import Album
from gifthorse.store import Store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The small complete run."""
    return make_run(tmp_path_factory.mktemp("report-run"))


@pytest.fixture(scope="session")
def report_path(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its page, as a file."""
    return write(store, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="session")
def report_html(report_path: Path) -> str:
    """Its page, as text."""
    return report_path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def context(store: Store) -> Page:
    """Its page's contexts."""
    return build(gather(store), Album(side=128, inputs=True))
