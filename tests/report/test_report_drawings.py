"""Charts, pictures and words: positions, colours, sizes and spelling."""

from __future__ import annotations

import base64
import dataclasses
import io
import math
import re
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from reading import Reader

from gifthorse.records import Interval
from gifthorse.report import environment, words
from gifthorse.report.charts import Dot, Mark, Span, axis, box, heat_of, interval, legend, plane
from gifthorse.report.pictures import colour, encode, own_scale

NAN = math.nan


def attributes(svg: str, name: str) -> list[dict[str, str]]:
    return [e.attributes for e in Reader(svg).elements if e.attributes.get("class") == name]


def test_an_interval_lies_where_its_numbers_are() -> None:
    svg = interval(Interval(value=0.5, low=0.25, high=0.75, n=9), "half", marks=[Mark(value=0.125, kind="chance")])
    (dot,), (line,), (chance,) = attributes(svg, "dot"), attributes(svg, "range"), attributes(svg, "chance")
    assert dot["cx"] == "50.00%"
    assert (line["x1"], line["x2"]) == ("25.00%", "75.00%")
    assert chance["x1"] == chance["x2"] == "12.50%"
    assert 'role="img" aria-label="half"' in svg


def test_what_was_not_measured_is_not_drawn() -> None:
    svg = interval(Interval(value=NAN, low=NAN, high=NAN, n=0), "nothing")
    assert not attributes(svg, "dot")
    assert not attributes(svg, "range")
    assert attributes(interval(Interval(value=0.5, low=NAN, high=NAN, n=1), "one"), "dot")


@given(st.floats(-1e6, 1e6), st.floats(-10, 10), st.floats(0.001, 10))
def test_a_place_is_never_outside_its_drawing(value: float, low: float, width: float) -> None:
    share = float(Span(low=low, high=low + width).at(value).rstrip("%"))
    assert 0 <= share <= 100


def test_a_box_holds_the_quartiles_of_its_scores() -> None:
    scores = [index / 100 for index in range(101)]
    svg = box([*scores, NAN], "box", span=Span(low=0, high=1), marks=[], tone="floor")
    (rect,), (median,), (whisker,) = attributes(svg, "box"), attributes(svg, "median"), attributes(svg, "whisker")
    assert (rect["x"], rect["width"]) == ("25.00%", "50.00%")
    assert median["x1"] == "50.00%"
    assert (whisker["x1"], whisker["x2"]) == ("5.00%", "95.00%")
    assert len(attributes(svg, "one")) == 101
    assert 'class="chart floor"' in svg
    assert not attributes(box([], "empty", span=Span(low=0, high=1), marks=[], tone="tool"), "box")


def test_labels_are_escaped() -> None:
    hostile = '"><script>alert(1)</script>'
    for svg in (
        interval(Interval(value=0.5, low=0.2, high=0.8, n=3), hostile),
        box([0.5], hostile, span=Span(low=0, high=1), marks=[], tone="tool"),
        axis((0, 1), (hostile, "1")),
        plane(
            [Dot(name=hostile, tone="tool", x=3.0, y=0.5, low=0.4, high=0.6)],
            hostile,
            ticks=(1, 10),
            names=("1", hostile),
            marks=[Mark(value=0.125, kind="chance")],
        ),
    ):
        assert "script" not in {element.tag for element in Reader(svg).elements}
        assert hostile in " ".join([*Reader(svg).texts, Reader(svg).elements[0].attributes["aria-label"]])


def test_a_plane_has_a_dot_a_tool_and_names_that_do_not_cover_each_other() -> None:
    dots = [Dot(name=f"t{i}", tone="tool", x=10.0, y=0.5, low=NAN, high=NAN) for i in range(5)]
    svg = plane(dots, "five", ticks=(1, 100), names=("1 s", "100 s"), marks=[])
    assert [e["cx"] for e in attributes(svg, "dot tool")] == ["50.00%"] * 5
    lines = sorted(float(e["y"]) for e in attributes(svg, "name tool"))
    assert min(np.diff(lines)) >= 14


def test_a_name_in_the_plane_keeps_off_the_intervals_of_others() -> None:
    left = Dot(name="adversarial_patch", tone="tool", x=60.0, y=0.32, low=0.16, high=0.49)
    right = Dot(name="cppn_target", tone="tool", x=240.0, y=0.30, low=0.14, high=0.47)
    svg = plane([left, right], "two", ticks=(1, 1000), names=("1 s", "1,000 s"), marks=[])
    first, second = attributes(svg, "name tool")
    assert first["text-anchor"] == "end"
    assert abs(float(first["y"]) - float(second["y"])) >= 14 or second["text-anchor"] == "start"
    for x, side in ((2.0, "start"), (60.0, "start"), (700.0, "end")):
        alone = plane([dataclasses.replace(left, x=x)], "one", ticks=(1, 1000), names=("1 s", "1,000 s"), marks=[])
        assert attributes(alone, "name tool")[0]["text-anchor"] == side, "it would hang over an edge on a phone"


def test_a_name_that_fits_on_neither_side_stands_over_its_dot_from_an_edge() -> None:
    for x, anchor, edge in ((10.0, "start", "0%"), (60.0, "end", "100%")):
        dot = Dot(name="occlusion@window=0.285@stride=0.125", tone="tool", x=x, y=0.5, low=NAN, high=NAN)
        svg = plane([dot], "one", ticks=(1, 1000), names=("1 s", "1,000 s"), marks=[])
        (told,) = attributes(svg, "name tool")
        assert (told["text-anchor"], told["x"]) == (anchor, edge)
        assert float(told["y"]) < float(attributes(svg, "dot tool")[0]["cy"])


def test_tint_begins_at_chance() -> None:
    assert [heat_of(value, 0.125) for value in (0.0, 0.125, 0.5625, 1.0, NAN)] == ["0.000"] * 2 + [
        "0.500",
        "1.000",
        "0",
    ]
    assert "chance 0.125" in legend(0.125)


def test_zero_is_black_and_the_ends_are_clamped() -> None:
    values = np.array([[-9.0, -1.0, 0.0, 1.0, 9.0, NAN]], np.float32)
    painted = colour(values)
    assert painted.shape == (3, 1, 6)
    assert (painted[:, 0, 2] < 30).all()
    assert (painted[:, 0, 0] == painted[:, 0, 1]).all()
    assert (painted[:, 0, 3] == painted[:, 0, 4]).all()
    assert (painted[:, 0, 5] == painted[:, 0, 2]).all()
    red, _, blue = painted[:, 0, 3].astype(int) - painted[:, 0, 1]
    assert red > 0 > blue


def test_own_scale_is_the_99th_percentile_and_never_zero() -> None:
    values = np.zeros((10, 10), np.float32)
    assert own_scale(values) == 1.0
    values.flat[:5] = -4.0
    assert own_scale(values) == pytest.approx(4.0)
    values[:] = 0
    values[0, 0] = 3.0
    assert own_scale(values) > 0


def test_pictures_are_small_and_say_the_same_each_time() -> None:
    flat = np.zeros((4, 18, 18), np.uint8)
    noisy = np.random.default_rng(0).integers(0, 256, (3, 200, 100), np.uint8)
    assert encode(flat, 128) == encode(flat, 128)
    assert encode(flat, 128).startswith("data:image/webp") or encode(flat, 128).startswith("data:image/png")
    address = encode(noisy, 64)
    assert address.startswith("data:image/webp;base64,")
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert image.size == (32, 64)
    mask = np.where(np.arange(64)[:, None] > 20, 255, 0).astype(np.uint8).repeat(64, 1)[None]
    decoded = Image.open(io.BytesIO(base64.b64decode(encode(mask, 128).partition(",")[2]))).convert("L")
    assert np.abs(np.asarray(decoded).astype(int) - mask[0]).max() <= 8


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (words.percent(0.9583), "95.8%"),
        (words.percent(NAN), "n/a"),
        (words.percent(-0.0004), "0.0%"),
        (words.percent(-0.05), "\N{MINUS SIGN}5.0%"),
        (words.score(-0.054), "−0.05"),
        (words.score(-0.0001), "0.00"),
        (words.between(Interval(value=0.5, low=0.25, high=0.75, n=4), "percent"), "25.0–75.0%"),
        (words.between(Interval(value=0.0, low=-0.1, high=0.1, n=4), "score"), "−0.10 to 0.10"),
        (words.between(Interval(value=0.0, low=NAN, high=NAN, n=1), "score"), ""),
        (words.whole(4000), "4,000"),
        (words.seconds(4.25), "4.2 s"),
        (words.seconds(83.4), "83 s"),
        (words.seconds(124), "2 min 04 s"),
        (words.seconds(3 * 3600 + 62), "3 h 01 min"),
        (words.size(320 << 20), "320 MiB"),
        (words.size(3 << 30), "3.0 GiB"),
        (words.listed(["a", "b", "c"]), "a, b and c"),
        (words.counted(1, "trojan"), "1 trojan"),
        (words.counted(0, "trojan"), "0 trojans"),
        (words.signs(">= 90%"), "≥ 90%"),
        (words.signs("lower bound >= 5 x 4.2%"), "lower bound ≥ 5 × 4.2%"),
        (words.between(Interval(value=0.8, low=-0.2, high=1.355, n=5), "percent"), "0.0–100.0%"),
        (words.loss(0.0), "0"),
        (words.loss(NAN), "n/a"),
        (words.loss(-87.4399), "−87.4"),
        (words.loss(0.0781), "0.0781"),
        (words.loss(12345.6), "12,346"),
        (words.loss(3e-7), "3e−7"),
        (words.loss(-3e-12), "−3e−12"),
        (words.moment("2026-11-24T06:06:47+00:00"), "24 November 2026, 06:06 UTC"),
        (words.moment("2026-11-24T01:30:00+02:00"), "23 November 2026, 23:30 UTC"),
        (words.moment("2026-11-24"), "2026-11-24"),
        (words.moment("not recorded"), "not recorded"),
        (words.machine({"cores": 2, "processor": "AMD EPYC", "system": "Linux"}), "AMD EPYC, 2 cores, Linux"),
        (words.machine({"cores": 1, "memory": "4 GiB"}), "1 core, memory 4 GiB"),
        (words.machine({}), ""),
        (words.measure("pearson"), "Pearson correlation"),
        (words.measure("my_own"), "my_own"),
        (words.unit("my_own"), ""),
        (words.visible("a\x00b\rc\x7f\ud800\x85"), "a␀b␍c␡��"),
        (words.visible("tab\tline\n"), "tab\tline\n"),
    ],
)  # fmt: skip
def test_numbers_and_names_as_people_read_them(given: str, shown: str) -> None:
    assert given == shown


def test_a_name_may_break_after_its_underscores_and_nowhere_passes_unescaped() -> None:
    drawn = environment().from_string("{{ name|breakable }}").render(name="a_<b>_\x00")
    assert drawn == "a_<wbr>&lt;b&gt;_<wbr>␀"


def test_long_data_says_how_much_is_left_out() -> None:
    text = words.data({"long": "x" * 500}, 100)
    assert text.splitlines()[-1] == "... and 415 more characters, in the unit's own unit.json"


def luminance(code: str) -> float:
    parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_every_text_colour_reads_on_every_ground(theme: int) -> None:
    style = resources.files("gifthorse.report").joinpath("templates/style.css").read_text()
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
    full = {name: code if len(code) == 7 else "#" + "".join(c * 2 for c in code[1:]) for name, code in found.items()}
    for text in ("ink", "soft", "accent", "tool", "floor", "ceiling", "good", "bad"):
        for ground in ("paper", "card", "faint"):
            assert contrast(full[text], full[ground]) >= 4.5, (text, ground)
    assert contrast(full["ink"], full["heat"]) >= 4.5
