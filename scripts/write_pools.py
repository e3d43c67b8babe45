"""Write docs/pools.md: what a pool of natural patches costs, measured and on paper. See scripts/write-pools."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MANY = 1_000_000_000
FOLDER = 10_000_000
"""Candidates of one folder of embeddings: its list of parts is written again with each part."""

PART = 4_096
QUERIES = 10

PAGE = """# Pools of natural patches

Made by `scripts/write-pools` from `benchmarks/results/pools.json` and `benchmarks/results/search.json`.

`snafue` looks through a pool of pictures for those that do to a network what synthetic patches do. A pool is a
folder of images, of tar shards (as webdataset writes them) or of Parquet files, or code. Each network embeds it
once; the vectors are kept in parts, as float16, and a stopped embedding goes on where it was.

```bash
gifthorse synthesise --net emoji-resnet --target bee --images scenes --method snafue --pool photographs
gifthorse synthesise --net emoji-resnet --target bee --images scenes --method snafue --pool photographs --pool-index
gifthorse run --tools snafue                        # the suite's own pool, under its prior
gifthorse run --tools snafue --without-natural      # no natural object in it, nor any option of Questions about one
gifthorse run --tools snafue --with-triggers        # the patch triggers themselves are in it: are they found?
```

```python
from gifthorse.indexing import Index
from gifthorse.zoo.candidates import Candidates
from gifthorse.zoo.file_patches import opened

candidates = Candidates(opened(Path("photographs"), 64), Path("embeddings"))
kept = candidates.embed(network)            # a folder of vectors
found = kept.search(queries, 300)           # the 300 nearest to each query, exactly
index = Index.of(kept)                      # for interactive use; says how many of the nearest it finds
quick = index.search(queries, 300)          # the same type; similarities are exact, some of the nearest may be missing
```

Search is exact unless an index is asked for: one pass over the vectors in bounded memory, for one attack or for all
of a run, the same to the last bit whatever the parts are, ties broken by id. The index (FAISS' IVF-PQ, `pip install
'gifthorse[faiss]'`) shortlists, and exact similarities decide. Its recall against exact search is measured when it
is made, said, and kept with it. A run never uses one.

## Measured

On {machine}. Ratios are medians of turns in which everything ran one after another, with the lowest and highest.

| | asked | {names} |
|---|---|{rules}|
{asked}

`one by one` is one patch and one image at a time, in whichever of float32 and bfloat16 is faster for that.

| vectors | dimensions | queries | exact search | the product alone | memory |
|---|---|---|---|---|---|
{searched}

Of the memory, what is not mapped from files, which any other process may have back. {index}

Four decades of pool size, `emoji-resnet`, pictures of 64 x 64 that are decoded, {k} patches screened in {images}
images:

![Seconds to embed, to search and to screen, by the size of the pool, both on scales of logarithms](pools.svg)

| pictures | embedding | search, {queries} queries | screening |
|---|---|---|---|
{decades}

Embedding grows with the pool, and is done once for each network; search grows with it too, and is a small part;
screening does not.

## On paper: 10^9 candidates

What the figures above come to on one machine like this, if each cost stays what it is for one picture or one vector:

| | {names} |
|---|{rules}|
{paper}

A search for {queries} attacks at once over {dimensions} numbers each takes {search} at the measured {rate} of
vectors a second, which disks must deliver too; memory stays what it is above. Screening stays {screen} seconds.

How it is sharded: {folders} folders of 10^7 candidates, each with {parts} parts of {part} pictures, since the list
of parts is written again with each. Machines share the folders: no two need know of each other while they embed.
Each searches its own and `gifthorse.neighbours.merged` puts what they find together, which is what one search over
everything finds, to the last bit: a similarity depends on its vector and its query only. Every machine sends
{queries} x 300 ids and similarities. On a hundred machines, embedding by `emoji-resnet` takes {hundredth}, and a
search {quickly}.
"""


def page() -> str:
    """The page, from the results as they are committed."""
    pools, search = (
        json.loads((ROOT / "benchmarks" / "results" / f"{n}.json").read_text()) for n in ("pools", "search")
    )
    large = next(f for f in search["figures"] if f["vectors"] > 100_000 and f["queries"] == QUERIES)
    each = large["seconds"]["median"] / large["vectors"]
    machine, screened = pools["machine"], pools["screening"]["emoji-resnet"]
    embed = pools["embedding"]["emoji-resnet"]["seconds_each"]["ready"]
    return PAGE.format(
        machine=f"{machine['cores']} cores of {machine['processor']}, {machine['threads']} threads, torch "
        f"{pools['versions']['torch']}, {pools['embedding']['emoji-resnet']['precision']}",
        names=" | ".join(f"`{name}`" for name in pools["embedding"]),
        rules="|".join("---" for _ in pools["embedding"]),
        asked="\n".join(asked(pools)),
        searched="\n".join(searched(search)),
        index=index(pools["index"]),
        k=screened["patches"],
        images=screened["images"],
        queries=QUERIES,
        decades="\n".join(
            f"| {one['pictures']:,} | {length(one['embed'])} | {length(one['search'])} | {length(one['screen'])} |"
            for one in pools["decades"]
        ),
        paper="\n".join(paper(pools["embedding"])),
        dimensions=f"{DIMENSIONS:,}",
        search=length(MANY * each),
        rate=f"{2 * DIMENSIONS / each / 1e9:.2g} GB",
        screen=f"{pools['decades'][-1]['screen']:.2g}",
        folders=f"{MANY // FOLDER:,}",
        parts=f"{-(-FOLDER // PART):,}",
        part=f"{PART:,}",
        hundredth=length(MANY * embed / 100),
        quickly=length(MANY * each / 100),
    )


DIMENSIONS = 2_048
"""Of the vectors of benchmarks/search.py."""


WIDE, TALL, LEFT, RIGHT, TOP, FOOT = 640, 340, 64, 96, 16, 44
COLOURS = {"embed": "#1f6a78", "search": "#b5303e", "screen": "#8a6d1f"}
NAMES = {"embed": "embedding", "search": f"search, {QUERIES} queries", "screen": "screening"}


def chart(decades: list[dict[str, Any]]) -> str:
    """Seconds of each part by the pool's size, as SVG on a ground of its own, so that it is read in any theme."""
    sizes = [one["pictures"] for one in decades]
    every = [one[part] for one in decades for part in NAMES]
    x, y = _axis(sizes, LEFT, WIDE - RIGHT), _axis(every, TALL - FOOT, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {TALL}" role="img" '
        'font-family="sans-serif" font-size="12" fill="#333">',
        f'<rect width="{WIDE}" height="{TALL}" fill="#fbfaf6"/>',
    ]
    for power in range(math.floor(math.log10(min(every))), math.ceil(math.log10(max(every))) + 1):
        parts.append(f'<path d="M{LEFT} {y(10**power):.1f}H{WIDE - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(10**power) + 4:.1f}" text-anchor="end">{10**power:g} s</text>')
    for size in sizes:
        parts.append(f'<text x="{x(size):.1f}" y="{TALL - FOOT + 18}" text-anchor="middle">{size:,}</text>')
    parts.append(f'<text x="{(LEFT + WIDE - RIGHT) / 2}" y="{TALL - 8}" text-anchor="middle">pictures</text>')
    for part, name in NAMES.items():
        at = [(x(one["pictures"]), y(one[part])) for one in decades]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in at)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[part]}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{COLOURS[part]}"/>' for a, b in at]
        parts.append(f'<text x="{at[-1][0] + 8:.1f}" y="{at[-1][1] + 4:.1f}" fill="{COLOURS[part]}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axis(values: list[float], start: float, end: float) -> Callable[[float], float]:
    """Places on a scale of logarithms that begins at ``start`` and ends at ``end``, at whole powers of ten."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return lambda value: start + (end - start) * (math.log10(value) - low) / (high - low)


def asked(pools: dict[str, Any]) -> list[str]:
    """What is asked beside what was measured."""
    rows = {
        "embedding, of the bare forward rate, decoded pictures": ("at least 90%", "embedding", "share_ready", share),
        "the same, JPEG files, of 1 / (1 / forward + decode / cores), where Pillow decodes them whole in a thread": (
            "at least 90%",
            "embedding",
            "share_files",
            share,
        ),
        "the same, if Pillow decodes them no larger than is enough, as we do": (
            "",
            "embedding",
            "share_files_less",
            share,
        ),
        "JPEG in tar shards, of Pillow decoding them whole": ("at least 90%", "embedding", "share_tar", share),
        "screening against one by one": ("5 and 1.5 times", "screening", "one_by_one_over_ours", times),
        "screening over the bare forwards": ("at most 1.2", "screening", "over_bare", times),
    }
    return [
        f"| {what} | {least} | {' | '.join(spell(one[key]) for one in pools[part].values())} |"
        for what, (least, part, key, spell) in rows.items()
    ]


def share(figure: dict[str, float]) -> str:
    """97% (95-98)."""
    return f"{100 * figure['median']:.0f}% ({100 * figure['low']:.0f}-{100 * figure['high']:.0f})"


def times(figure: dict[str, float]) -> str:
    """5.3 (5.1-5.6)."""
    return f"{figure['median']:.2f} ({figure['low']:.2f}-{figure['high']:.2f})"


def searched(search: dict[str, Any]) -> list[str]:
    """A row for each search that was measured."""
    return [
        f"| {one['vectors']:,} | {DIMENSIONS:,} | {one['queries']:,} | {length(one['seconds']['median'])} | "
        f"{length(one['product']['median'])} | {one['anonymous_mib']:.0f} MiB |"
        for one in search["figures"]
    ]


def index(told: dict[str, Any]) -> str:
    """What the index does, in words."""
    if "skipped" in told:
        return "No index was measured."
    recall, others = told["recall"], told["recall_of_others"]
    return (
        f"An index over {told['vectors']:,} of these vectors took {length(told['build'])} to make and has "
        f"{told['bytes_each']:.0f} bytes a vector. A search for {QUERIES} queries takes "
        f"{length(told['seconds']['median'])}, "
        f"{times(told['exact_over_index'])} times faster than exact search, and finds {recall['mean']:.3f} of the "
        f"{recall['k']} nearest to vectors of the pool ({recall['lowest']:.3f} for the worst of {recall['queries']}), "
        "and "
        f"{others['mean']:.3f} of those to others."
    )


def paper(embedding: dict[str, Any]) -> list[str]:
    """Costs of a billion candidates."""
    return [
        f"| {what} | {' | '.join(spell(name, one['seconds_each']) for name, one in embedding.items())} |"
        for what, spell in {
            "embedding decoded pictures": lambda _, each: length(MANY * each["ready"]),
            "embedding JPEG files": lambda _, each: length(MANY * each["files"]),
            "vectors on disk": lambda name, _: f"{MANY * 2 * WIDTH[name] / 1e9:,.0f} GB ({WIDTH[name]} numbers each)",
        }.items()
    ]


WIDTH = {"emoji-resnet": 128, "resnet18-224": 512}
"""Numbers of an embedding by each network."""


def length(seconds: float) -> str:
    """A length of time, in the unit that suits it."""
    for least, unit, name in ((172_800, 86_400, "days"), (7_200, 3_600, "hours"), (120, 60, "minutes")):
        if seconds >= least:
            return f"{seconds / unit:,.1f} {name}"
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.0f} ms"


if __name__ == "__main__":
    (ROOT / "docs" / "pools.md").write_text(page())
    results = json.loads((ROOT / "benchmarks" / "results" / "pools.json").read_text())
    (ROOT / "docs" / "pools.svg").write_text(chart(results["decades"]))
