"""The page in Debian's chromium: nothing outside is asked for, nothing fails, and it works by mouse and by keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import make_hostile

from gifthorse.records import Hit, Hunted, Images
from gifthorse.report import hunted, write
from gifthorse.store import Store

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

PATIENCE = 240_000
"""Milliseconds, for a machine that is busy with other tests."""

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the browser tests need playwright (pip install playwright)"
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="the browser tests need /usr/bin/chromium (apt-get install chromium)"
    ),
]


@dataclass
class Visit:
    """An open page, with everything that it said and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield launched
        launched.close()


def until(page: Any, expression: str) -> None:
    """Wait for something: asked from outside, since the page's own policy forbids the browser to evaluate text."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        time.sleep(0.05)
    raise AssertionError(f"never became true: {expression}")


def visit(browser: Any, path: Path, **settings: Any) -> Visit:
    """Opens the file from disk without a network, and notes what happens."""
    context = browser.new_context(offline=True, reduced_motion="reduce", **settings)
    made = Visit(page=context.new_page())
    made.page.set_default_timeout(PATIENCE)
    made.page.on("console", lambda message: made.said.append(f"{message.type}: {message.text}"))
    made.page.on("pageerror", lambda error: made.said.append(f"error: {error}"))
    made.page.on("request", lambda request: made.asked.append(request.url))
    made.page.goto(path.resolve().as_uri())
    until(made.page, "[...document.images].every(image => image.complete)")
    return made


@pytest.fixture
def opened(browser: Any, report_path: Path) -> Iterator[Visit]:
    made = visit(browser, report_path, viewport={"width": 1280, "height": 860})
    yield made
    made.page.context.close()


def test_it_says_nothing_and_asks_for_nothing(opened: Visit, report_path: Path) -> None:
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [report_path.resolve().as_uri()]


def test_every_image_loads(opened: Visit) -> None:
    widths = opened.page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) > 60
    assert min(widths) > 0


def test_tables_sort_by_click_and_by_key(opened: Visit) -> None:
    page = opened.page
    table = page.locator("#costs table.sortable").first
    heading = table.locator("th[data-column='0']")
    names = "rows => rows.map(row => row.cells[0].dataset.sort)"
    rows = table.locator("tbody tr")
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    down = rows.evaluate_all(names)
    assert down == sorted(down, reverse=True)
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert rows.evaluate_all(names) == down[::-1]
    numbers = table.locator("th[data-column='5'] button")
    numbers.focus()
    page.keyboard.press("Space")
    values = rows.evaluate_all("rows => rows.map(row => Number(row.cells[5].dataset.sort))")
    assert values == sorted(values, reverse=True)
    assert heading.get_attribute("aria-sort") is None


def test_every_sortable_column_is_the_one_under_its_heading(opened: Visit) -> None:
    wrong = opened.page.evaluate(
        """[...document.querySelectorAll("table.sortable")].flatMap((table) => {
          const row = table.tBodies[0].rows[0];
          return [...table.querySelectorAll("th[data-column]")].filter((heading) => {
            const cell = row.cells[Number(heading.dataset.column)].getBoundingClientRect();
            const box = heading.getBoundingClientRect();
            return Math.abs(cell.left + cell.width / 2 - box.left - box.width / 2) > 3;
          }).map((heading) => heading.textContent);
        })"""
    )
    assert wrong == []


def test_a_number_opens_its_record(opened: Visit) -> None:
    page = opened.page
    link = page.locator("#planted table a.n").first
    target = link.get_attribute("href")
    link.click()
    until(page, f"document.querySelector('{target}').open")  # the page hears of its new address a moment later
    assert page.evaluate(f"document.querySelector('{target}').parentElement.closest('details').open") is True
    until(page, f"document.querySelector('{target}').getBoundingClientRect().y < 860")
    mean = page.locator("#judged a.n").last
    mean.click()
    entry = page.evaluate("location.hash")
    page.locator(f"{entry}").wait_for(state="visible")


def test_pictures_open_larger_by_click_and_by_key(opened: Visit) -> None:
    page = opened.page
    strip = page.locator(".strip[data-zoom]").first
    strip.locator("img").nth(1).click()
    dialog = page.locator("dialog")
    assert dialog.is_visible()
    first = dialog.locator("p").text_content()
    page.keyboard.press("ArrowRight")
    assert dialog.locator("p").text_content() != first
    page.keyboard.press("ArrowLeft")
    assert dialog.locator("p").text_content() == first
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    strip.focus()
    page.keyboard.press("Enter")
    assert dialog.is_visible()
    assert dialog.locator("img").evaluate("image => image.naturalWidth") > 0


def test_the_first_key_skips_to_the_report(opened: Visit) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_hangs_over_the_edge(browser: Any, report_path: Path, width: int) -> None:
    made = visit(browser, report_path, viewport={"width": width, "height": 844})
    made.page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
    assert made.page.evaluate("document.documentElement.scrollWidth") <= width
    made.page.context.close()


def test_long_remarks_break_on_a_phone(browser: Any, report_path: Path) -> None:
    """What a tool found out about its own work may be long: of a real run it hung over the edge."""
    made = visit(browser, report_path, viewport={"width": 390, "height": 844})
    outside = "nodes.filter(node => !node.closest('table'))"
    lengthen = f"nodes => {outside}.map(node => node.textContent = 'five made, five kept; '.repeat(9))"
    assert made.page.eval_on_selector_all(".badge", lengthen)
    made.page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
    assert made.page.evaluate("document.documentElement.scrollWidth") <= 390
    made.page.context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_of_an_experiment_is_read_on_a_phone(browser: Any, tmp_path: Path, width: int) -> None:
    hit = Hit(name="a", hits=3, fooled=3, confidence=0.3)
    told = Hunted(
        source="bee", target="fly", n=10, before=0, natural=(hit,), crops=(hit,), synthetic=(hit,), dropped=0,
        alike=0.5, near=0.5, published=0.3,
        pictures=Images(sha256="", file="", count=0, channels=4, height=1, width=1),
    )  # fmt: skip
    pictures = np.full((1, 4, 8, 8), 200, np.uint8)
    pair = hunted.Pair(hunted=told, pictures=pictures, shown=("a badger",), kind="misgeneralisation", why="")
    saying = hunted.Saying(title="Pairs", facts={"pairs": "one"}, counts=(1, 300), phases={"search": 1.0})
    (tmp_path / "page.html").write_text(hunted.draw([pair] * 40, saying))
    made = visit(browser, tmp_path / "page.html", viewport={"width": width, "height": 844})
    assert (made.said, len(made.asked)) == ([], 1)
    assert made.page.evaluate("document.documentElement.scrollWidth") <= width
    ends = """heads => heads.map(head => {
        const range = document.createRange(); range.selectNodeContents(head);
        return range.getBoundingClientRect().right - head.nextElementSibling.getBoundingClientRect().left; })"""
    assert max(made.page.eval_on_selector_all("tbody th", ends)) <= 0, "names of rows end before their figures"
    made.page.context.close()


def test_a_table_that_goes_on_to_the_right_says_so(browser: Any, report_path: Path) -> None:
    made = visit(browser, report_path, viewport={"width": 390, "height": 844})
    region = made.page.locator("#judged .scroll").first
    assert region.evaluate("region => region.scrollWidth > region.clientWidth")
    assert "more" in region.get_attribute("class").split()
    region.evaluate("region => region.scrollTo(region.scrollWidth, 0)")
    until(made.page, "!document.querySelector('#judged .scroll').classList.contains('more')")
    assert "more" not in made.page.locator("#planted .scroll").first.get_attribute("class").split()
    made.page.context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_tables_of_words_and_numbers_are_seen_whole(browser: Any, report_path: Path, width: int) -> None:
    made = visit(browser, report_path, viewport={"width": width, "height": 844})
    over = "regions => regions.map(region => region.scrollWidth - region.clientWidth)"
    assert max(made.page.locator("#planted .scroll, #costs .scroll, #missing .scroll").evaluate_all(over)) <= 1
    label = "cell => getComputedStyle(cell, '::before').content"
    shown = made.page.locator("#planted td[data-label='success']").first.evaluate(label)
    assert shown == ('"success"' if width == 390 else "none")
    names = made.page.locator("#planted .scroll").first.locator("tbody th a")
    orders = []
    for _ in range(2):
        made.page.locator("#planted th button").first.click()
        orders.append(names.all_text_contents())
    assert orders == [sorted(orders[0], reverse=True), sorted(orders[0])]
    made.page.context.close()


def test_hostile_names_change_nothing(browser: Any, store: Store, tmp_path: Path) -> None:
    copy, _ = make_hostile(store, tmp_path / "run")
    made = visit(browser, write(copy, tmp_path / "report.html"), viewport={"width": 390, "height": 844})
    made.page.on("dialog", lambda dialog: made.said.append(f"dialog: {dialog.message}"))
    made.page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
    assert made.said == []
    assert [url for url in made.asked if not url.startswith(("data:", "file:"))] == []
    assert made.page.evaluate("document.scripts.length") == 1
    assert made.page.evaluate("document.documentElement.scrollWidth") <= 390
    made.page.context.close()


LUMINANCE = """(element) => {
  // color-mix() gives "color(srgb 0.9 0.9 0.9)", everything else "rgb(230, 230, 230)".
  const parts = (colour) => {
    const scale = colour.startsWith("color(") ? 1 : 255;
    return (colour.match(/[\\d.]+/g) || []).map((part, place) => Number(part) / (place < 3 ? scale : 1));
  };
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  let ground = element;
  while (ground && (parts(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement;
  const [a, b] = [getComputedStyle(element).color, getComputedStyle(ground || document.body).backgroundColor]
    .map((colour) => light(parts(colour))).sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_reads_in_both_themes(browser: Any, report_path: Path, theme: str) -> None:
    made = visit(browser, report_path, color_scheme=theme, viewport={"width": 1280, "height": 860})
    ground = made.page.evaluate("getComputedStyle(document.body).backgroundColor")
    level = sum(int(part) for part in ground.removeprefix("rgb(").rstrip(")").split(",")[:3]) / 3
    assert level > 230 if theme == "light" else level < 50
    texts = made.page.locator(
        "h1, h2, h3, h4, p, li, dt, dd, summary, caption span, th, td, a, .badge, .ci, figcaption"
    )
    ratios = texts.evaluate_all(f"elements => elements.map({LUMINANCE})")
    assert len(ratios) > 500
    assert min(ratios) >= 4.5
    made.page.context.close()


def test_print_has_no_furniture_and_black_ink(opened: Visit) -> None:
    page = opened.page
    page.emulate_media(media="print")
    assert not page.locator("nav.contents").is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('#attribution details')].every((node) => node.open)")
    assert not page.evaluate("[...document.querySelectorAll('#ran details, #trojans details')].some((n) => n.open)")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.evaluate("[...document.querySelectorAll('#attribution details')].every((node) => node.open)")
    assert len(page.pdf()) > 10_000


def test_it_reads_without_its_script(browser: Any, report_path: Path) -> None:
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(report_path.resolve().as_uri())
    assert page.locator("#judged table").first.is_visible()
    assert page.locator("th button").count() == 0
    page.locator("#attribution summary").first.click()
    assert page.locator("#attribution details").first.get_attribute("open") is not None
    context.close()


CHECKS = """() => {
  const wrong = [];
  const named = (element) => (element.getAttribute("aria-label") || element.textContent || element.title || "").trim()
    || element.querySelector("img[alt]");
  for (const element of document.querySelectorAll("a, button, summary, [role=region], [role=img], [role=group]"))
    if (!named(element)) wrong.push(`no name: ${element.outerHTML.slice(0, 120)}`);
  for (const image of document.querySelectorAll("img")) if (!image.alt.trim()) wrong.push("no alt");
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption) wrong.push("no caption");
    for (const heading of table.querySelectorAll("th"))
      if (!heading.scope) wrong.push(`no scope: ${heading.textContent}`);
  }
  for (const id of document.querySelectorAll("[aria-labelledby]"))
    if (!document.getElementById(id.getAttribute("aria-labelledby"))) wrong.push("labelled by nothing");
  if (!document.documentElement.lang) wrong.push("no language");
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  if (document.querySelectorAll("[tabindex]:not([tabindex='0']):not([tabindex='-1'])").length) wrong.push("tab order");
  return wrong;
}"""


def test_names_alternatives_and_order_are_there(opened: Visit) -> None:
    assert opened.page.evaluate(CHECKS) == []
