"""What a pool of natural patches costs: to embed, to search and to try patches out, over four decades of its size.

    .venv/bin/python benchmarks/pools.py            prints, and writes benchmarks/results/pools.json
    .venv/bin/python benchmarks/pools.py --only embedding,screening,decades,index
    .venv/bin/python benchmarks/pools.py --quick    tiny sizes, to see that it works; writes only with --out

Two networks: ``emoji-resnet`` at 64 pixels, and torchvision's ResNet-18 at 224 with random weights; both in bfloat16,
where the machine multiplies it in hardware. All contenders run one after another in every round.

- ``embedding``: a pool is embedded and written, all of it. ``share`` is the time of ``bare``, the module on as many
  images that are ready, over that. From JPEG files, and from tar shards of them, ``bare`` is that plus the time to
  decode them by Pillow in one thread divided by the cores. ``enlarged``: patches that are smaller than the input.
- ``screening``: patches tried out in images, as snafue does. ``one_by_one``: a patch and an image at a time, in the
  precision that is faster for that; of fewer pairs, in seconds for each. ``over_bare``: over the module on as many
  images that are ready.
- ``decades``: seconds to embed pools of five sizes by ``emoji-resnet``, to search them for ten queries, and to screen.
- ``index``: FAISS' IVF-PQ over the largest pool of benchmarks/search.py: time to make it, its recall, and a search.

docs/pools.md is made from the results, by scripts/write-pools.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import statistics
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from attribution import bare, in_turns, ratio  # noqa: E402
from measuring import keep, kept, seconds, spread  # noqa: E402
from search import SIZES, D, filled, queries  # noqa: E402

from gifthorse.classifier import Classifier, bfloat16_is_fast, pin, resolve  # noqa: E402
from gifthorse.effects import Placement, place, put  # noqa: E402
from gifthorse.embeddings import Embeddings  # noqa: E402
from gifthorse.indexing import Index, Indexing  # noqa: E402
from gifthorse.records import Insertion  # noqa: E402
from gifthorse.tools.synthesis.base import Clean, Task  # noqa: E402
from gifthorse.tools.synthesis.natural import gains  # noqa: E402
from gifthorse.zoo import DATA, NETWORKS  # noqa: E402
from gifthorse.zoo.candidates import Candidates  # noqa: E402
from gifthorse.zoo.file_patches import ENOUGH, FolderPatches, TarPatches  # noqa: E402
from gifthorse.zoo.patch_pool import MadePatches, PatchPool  # noqa: E402

K, IMAGES, QUERIES = 300, 50, 10
HALF = "bfloat16" if bfloat16_is_fast("cpu") else "float32"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A network, and how much is asked of it.

    Attributes:
        pictures: embedded, ready.
        files: embedded, from JPEG of ``jpeg`` pixels, width and height.
        smaller: side of patches that are enlarged.
        patches: screened in 50 images each.
        pairs: of a patch and an image that are tried one by one.
        side: of a patch in images.
        rounds: times that all contenders run.
    """

    network: str
    pictures: int
    files: int
    jpeg: tuple[int, int]
    smaller: int
    patches: int
    pairs: int
    side: int
    rounds: int


SETUPS = (
    Setup(network="emoji-resnet", pictures=16_384, files=2_048, jpeg=(256, 256), smaller=32, patches=K, pairs=600,
          side=18, rounds=5),
    Setup(network="resnet18-224", pictures=512, files=512, jpeg=(500, 375), smaller=64, patches=12, pairs=60, side=64,
          rounds=5),
)  # fmt: skip
FEW = {"pictures": 64, "files": 16, "patches": 2, "pairs": 4, "rounds": 1}


@cache
def network(name: str, precision: str) -> Classifier:
    if name == "emoji-resnet":
        made: Classifier = NETWORKS.make(name).load(device="cpu", precision=precision)
        return made
    torch.manual_seed(0)
    module = torchvision.models.resnet18(weights=None)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    names = tuple(map(str, range(1000)))
    return Classifier(
        module, classes=names, size=224, mean=mean, std=std, device="cpu", precision=precision, name="resnet18-224"
    )


# -- embedding --------------------------------------------------------------------------------------------------------


def ready(count: int, side: int, rows: int = 4_096) -> PatchPool:
    """A pool of pictures that are decoded already, the same ones in every part."""
    some = np.random.default_rng(0).integers(0, 256, (min(rows, count), 3, side, side), dtype=np.uint8)

    def make(part: int) -> tuple[list[str], np.ndarray]:
        names = [f"{row:09}" for row in range(part * rows, min((part + 1) * rows, count))]
        return names, some[: len(names)]

    return MadePatches(name="ready", count=count, make=make, pixels=side, rows=rows)


def jpegs(count: int, size: tuple[int, int]) -> list[bytes]:
    """Scenes with noise on them, as JPEG."""
    scenes, rng, found = DATA.make("emoji").draw("test", count, 1).images, np.random.default_rng(0), []
    for scene in scenes:
        large = np.asarray(Image.fromarray(scene.transpose(1, 2, 0)).resize(size, Image.Resampling.BICUBIC), np.int16)
        noisy, file = (large + rng.integers(-12, 13, large.shape)).clip(0, 255).astype(np.uint8), io.BytesIO()
        Image.fromarray(noisy).save(file, "JPEG", quality=90)
        found.append(file.getvalue())
    return found


def laid(root: Path, files: list[bytes]) -> None:
    """The files in a folder, and in a tar file beside it."""
    (root / "folder").mkdir()
    with tarfile.open(root / "all.tar", "w") as archive:
        for number, data in enumerate(files):
            (root / "folder" / f"{number:06}.jpg").write_bytes(data)
            told = tarfile.TarInfo(f"{number:06}.jpg")
            told.size = len(data)
            archive.addfile(told, io.BytesIO(data))


def by_pillow(paths: list[Path], side: int, least: int | None = None) -> None:
    """Decode files to squares, in this thread; no larger than is enough, where ``least`` is given."""
    for path in paths:
        with Image.open(path) as opened:
            if least is not None:
                opened.draft(None, (least, least))
            picture = opened.convert("RGB")
            scale = side / min(picture.size)
            small = picture.resize(tuple(round(scale * n) for n in picture.size), Image.Resampling.BICUBIC)
            np.ascontiguousarray(np.asarray(small.crop((0, 0, side, side))).transpose(2, 0, 1))


def embedding(setup: Setup, threads: int) -> dict[str, Any]:
    """Pools of three kinds, against the bare forwards."""
    net = network(setup.network, HALF)
    half = torch.bfloat16 if HALF == "bfloat16" else torch.float32
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        laid(root, jpegs(setup.files, setup.jpeg))
        paths = sorted((root / "folder").iterdir())
        pools: dict[str, PatchPool] = {
            "ready": ready(setup.pictures, net.size),
            "enlarged": ready(setup.pictures, setup.smaller),
            "files": FolderPatches(folder=root / "folder", pixels=net.size),
            "tar": TarPatches(files=(root / "all.tar",), pixels=net.size),
        }

        def embed(pool: PatchPool) -> Callable[[], None]:
            def work() -> None:
                with tempfile.TemporaryDirectory(dir=root) as fresh:
                    Candidates(pool, Path(fresh)).embed(net)

            return work

        works: dict[str, Callable[[], object]] = {name: embed(pool) for name, pool in pools.items()}
        works["bare"] = bare(net, setup.pictures, dtype=half)
        works["bare_files"] = bare(net, setup.files, dtype=half)
        works["decode"] = lambda: by_pillow(paths, net.size)
        works["decode_less"] = lambda: by_pillow(paths, net.size, ENOUGH * net.size)
        took = in_turns(setup.rounds, works)
    wanted = [a + b / threads for a, b in zip(took["bare_files"], took["decode"], strict=True)]
    less = [a + b / threads for a, b in zip(took["bare_files"], took["decode_less"], strict=True)]
    each = {"ready": setup.pictures, "enlarged": setup.pictures, "bare": setup.pictures, "decode": setup.files}
    return {
        "pictures": setup.pictures,
        "files": setup.files,
        "jpeg": list(setup.jpeg),
        "seconds_each": {name: statistics.median(took[name]) / each.get(name, setup.files) for name in took},
        "share_ready": ratio(took, "bare", "ready"),
        "share_enlarged": ratio(took, "bare", "enlarged"),
        "share_files": spread([a / b for a, b in zip(wanted, took["files"], strict=True)]),
        "share_tar": spread([a / b for a, b in zip(wanted, took["tar"], strict=True)]),
        "share_files_less": spread([a / b for a, b in zip(less, took["files"], strict=True)]),
        "precision": net.precision,
    }


# -- screening --------------------------------------------------------------------------------------------------------


def task(net: Classifier, images: int) -> Task:
    torch.manual_seed(1)
    clean = torch.rand(images, 3, net.size, net.size)
    return Task(classifier=net, target=3, sources=None, clean=Clean(fit=clean, screen=clean), n=1, budget=1, seed=0)


def screening(setup: Setup) -> dict[str, Any]:
    """Patches in images: in batches, one by one, and the bare forwards."""
    net, insertion = network(setup.network, HALF), Insertion(kind="patch", side=setup.side)
    half = torch.bfloat16 if HALF == "bfloat16" else torch.float32
    asked = task(net, IMAGES)
    torch.manual_seed(2)
    patches = torch.rand(setup.patches, 4, setup.smaller, setup.smaller)
    patches[:, 3] = 1
    where = place(insertion, IMAGES, net.size, torch.Generator().manual_seed(0))
    assert where is not None

    def single(precision: str) -> Callable[[], None]:
        one = network(setup.network, precision)

        def work() -> None:
            with torch.no_grad():
                for pair in range(setup.pairs):
                    image, patch = pair % IMAGES, pair % setup.patches
                    there = Placement(where.tops[[image]], where.lefts[[image]])
                    one(put(asked.clean.screen[[image]], patches[[patch]], insertion, there)).softmax(1)

        return work

    def batched() -> None:
        with torch.no_grad():
            gains(asked, patches, insertion, IMAGES)

    rows = setup.patches * IMAGES
    works: dict[str, Callable[[], object]] = {
        "ours": batched,
        "one_by_one_single": single("float32"),
        "one_by_one_half": single(HALF),
        "bare": bare(net, rows, dtype=half),
    }
    took = in_turns(setup.rounds, works)
    alone = [min(a, b) / setup.pairs for a, b in zip(took["one_by_one_single"], took["one_by_one_half"], strict=True)]
    return {
        "patches": setup.patches,
        "images": IMAGES,
        "seconds_each": statistics.median(took["ours"]) / rows,
        "one_by_one_each": spread(alone),
        "one_by_one_over_ours": spread([one / (ours / rows) for one, ours in zip(alone, took["ours"], strict=True)]),
        "over_bare": ratio(took, "ours", "bare"),
        "precision": net.precision,
    }


# -- the size of the pool ---------------------------------------------------------------------------------------------


DECADES = (SIZES[0] // 10, *SIZES)
"""Sizes of pools, from one to another four decades apart."""


def decades(quick: bool) -> list[dict[str, Any]]:
    """Embedding, search and screening for pools of five sizes."""
    net, found = network("emoji-resnet", HALF), []
    patches = torch.rand(K, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    insertion, asked = Insertion(kind="patch", side=18), task(net, IMAGES)
    for size in DECADES[:2] if quick else DECADES:
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            candidates = Candidates(ready(size, net.size), Path(folder))
            embed = seconds(lambda candidates=candidates: candidates.embed(net))
            made = candidates.of(net)
            wanted = np.random.default_rng(1).random((QUERIES, net.head_weight().shape[1]))
            search = [seconds(lambda made=made, wanted=wanted: made.search(wanted, K)) for _ in range(3)]
            screen = seconds(lambda: gains(asked, patches, insertion, IMAGES))
        figures = {"pictures": size, "embed": embed, "search": statistics.median(search), "screen": screen}
        print(figures, flush=True)
        found.append(figures)
    return found


def index(quick: bool) -> dict[str, Any]:
    """An index over the largest pool of benchmarks/search.py."""
    if importlib.util.find_spec("faiss") is None:
        return {"skipped": "the extra faiss is not installed"}
    size, asked = 10_500 if quick else SIZES[-1], queries(QUERIES)
    how = Indexing(cells=16, bytes=8, probes=4) if quick else Indexing()
    with tempfile.TemporaryDirectory() as folder:
        filled(Path(folder) / "e", size)
        pool, made = Embeddings(Path(folder) / "e", {}, D), []
        build = seconds(lambda: made.append(Index.of(pool, how, print)))
        (mine,) = made
        took = in_turns(
            1 if quick else 5,
            {"index": lambda: mine.search(asked, K), "exact": lambda: pool.search(asked, K)},
        )
        file = next((Path(folder) / "e").glob("index-*/index.faiss")).stat().st_size
        others = mine.measured(queries(100))
    return {
        "vectors": size,
        "dimensions": D,
        "build": build,
        "cells": mine.inner.nlist,
        "bytes_each": file / size,
        "recall": vars(mine.recall),
        "recall_of_others": vars(others),
        "seconds": spread(took["index"]),
        "exact_over_index": ratio(took, "exact", "index"),
    }


PARTS = ("embedding", "screening", "decades", "index")


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/pools.json, none with --quick")
    told = parser.parse_args()
    if unknown := set(told.only.split(",")) - set(PARTS):
        sys.exit(f"there is no part {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    pin(resolve("cpu", "float32", told.threads))
    figures = {part: found for part, found in kept("pools", told).items() if part in PARTS}
    works: dict[str, Callable[[Setup], Any]] = {
        "embedding": lambda setup: embedding(setup, told.threads),
        "screening": screening,
    }
    for part in told.only.split(","):
        if part in works:
            figures[part] = {}
            for setup in SETUPS:
                figures[part][setup.network] = works[part](replace(setup, **FEW) if told.quick else setup)
                print(part, setup.network, figures[part][setup.network], flush=True)
        else:
            figures[part] = decades(told.quick) if part == "decades" else index(told.quick)
            print(part, figures[part], flush=True)
        keep("pools", told, figures)


if __name__ == "__main__":
    main()
