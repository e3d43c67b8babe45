"""Pictures of a report at 1280 and 390 pixels, in light and in dark: the top and each section.

    scripts/screenshots RUN_OR_HTML OUTDIR

A run folder is drawn first, into OUTDIR/report.html.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from gifthorse.report import write
from gifthorse.store import Store

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SECTIONS = ("planted", "attribution", "synthesis", "trojans", "judged", "costs", "missing", "ran")
WIDTHS = ((1280, 860), (390, 844))
PATIENCE = 240_000
"""Milliseconds, for a machine that is busy with a run."""
TALLEST = 5_000
"""Pixels of one picture; a longer section is cut off there."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="RUN_OR_HTML")
    parser.add_argument("out", type=Path, metavar="OUTDIR")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    html = given.source
    if html.is_dir():
        html = write(Store(html), given.out / "report.html")
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        for width, height in WIDTHS:
            for theme in ("light", "dark"):
                context = playwright.chromium.launch_persistent_context(
                    f"{profile}/{width}-{theme}",
                    executable_path=CHROMIUM,
                    args=ARGUMENTS,
                    viewport={"width": width, "height": height},
                    color_scheme=theme,
                )
                page = context.new_page()
                page.set_default_timeout(PATIENCE)
                page.goto(html.resolve().as_uri())
                shoot(page, given.out, f"{width}-{theme}")
                context.close()


def shoot(page: Page, out: Path, name: str) -> None:
    """The first screen, and each section that the page has."""
    page.wait_for_function("[...document.images].every(image => image.complete)")
    page.screenshot(path=out / f"{name}-0-top.png")
    width = page.viewport_size["width"] if page.viewport_size else WIDTHS[0][0]
    for number, section in enumerate(SECTIONS, start=1):
        found = page.locator(f"section#{section}")
        box = found.bounding_box() if found.count() else None
        if box is None:
            continue
        # A picture of the whole page would be too tall to paint; a tall window shows one section.
        page.set_viewport_size({"width": width, "height": max(400, min(round(box["height"]), TALLEST))})
        found.evaluate("section => scrollTo({ top: section.offsetTop, behavior: 'instant' })")
        page.screenshot(path=out / f"{name}-{number}-{section}.png")
    print(f"{out}/{name}-*.png")


if __name__ == "__main__":
    main()
