"""Pictures of a report at 1280 and 390 pixels, in light and in dark: the top and each section.

    scripts/screenshots RUN_OR_HTML OUTDIR
    scripts/screenshots RUN_OR_HTML OUTDIR --readme

A run folder is drawn first, into OUTDIR/report.html. With --readme only one picture is made, OUTDIR/readme.png: the
top of the report at 1280 pixels, in light, down to the end of its first figure, in at most 300 kB.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
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
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
PATIENCE = 240_000
"""Milliseconds, for a machine that is busy with a run."""
TALLEST = 5_000
"""Pixels of one picture; a longer section is cut off there."""
HEAVIEST = 300_000
"""Bytes of the README's picture, which every visitor loads."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="RUN_OR_HTML")
    parser.add_argument("out", type=Path, metavar="OUTDIR")
    parser.add_argument("--readme", action="store_true", help="make only the README's picture, OUTDIR/readme.png")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    html = given.source
    if html.is_dir():
        html = write(Store(html), given.out / "report.html")
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        for width, height in WIDTHS[:1] if given.readme else WIDTHS:
            for theme in THEMES[:1] if given.readme else THEMES:
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
                if given.readme:
                    shoot_top(page, given.out / "readme.png")
                else:
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


def shoot_top(page: Page, out: Path) -> None:
    """The top of the report with its first figure, in 256 colours where it would be too heavy otherwise."""
    page.wait_for_function("[...document.images].every(image => image.complete)")
    width, height = WIDTHS[0]
    box = page.locator("#glance").bounding_box() if page.locator("#glance").count() else None
    tall = round(box["y"] + box["height"]) + 12 if box else height
    page.set_viewport_size({"width": width, "height": tall})
    png = page.screenshot(clip={"x": 0, "y": 0, "width": width, "height": tall})
    if len(png) > HEAVIEST:
        small = io.BytesIO()
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        picture.quantize(256, Image.Quantize.MEDIANCUT, kmeans=3).save(small, "PNG", optimize=True)
        png = small.getvalue()
    out.write_bytes(png)
    print(f"{out} ({width} x {tall}, {len(png):,} bytes)")


if __name__ == "__main__":
    main()
