"""Search over very many embeddings: how long it takes, what memory it holds, and over four decades of the pool's size.

    .venv/bin/python benchmarks/search.py            prints, and writes benchmarks/results/search.json
    .venv/bin/python benchmarks/search.py --quick    a small pool; writes only with --out

Vectors are made up: clusters of 2,048 non-negative numbers, as a network's penultimate layer gives them, stored as the
pool of thesis 5.2 would be (265,457). Each search is exact and runs in a process of its own, whose peak memory is the
kernel's mark; ``anonymous`` is what of it is not mapped from files, which any other process may have back. ``product``
is a plain float32 product of the same vectors, a step at a time, with nothing chosen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from measuring import keep, seconds, spread  # noqa: E402

from gifthorse.embeddings import Embeddings  # noqa: E402
from gifthorse.neighbours import STEP  # noqa: E402

D, K, SHARD, CLUSTERS = 2_048, 300, 16_384, 400
SIZES = (265, 2_655, 26_546, 265_457)


def made(start: int, rows: int) -> np.ndarray:
    """Clustered vectors ``(rows, 2048)``, not negative."""
    rng = np.random.default_rng([0, abs(start), int(start < 0)])
    centres = np.random.default_rng(1).random((CLUSTERS, D), dtype=np.float32) ** 4
    found: np.ndarray = centres[rng.integers(CLUSTERS, size=rows)]
    found += 0.3 * rng.random((rows, D), dtype=np.float32)
    return found


def queries(count: int) -> np.ndarray:
    """Other members of the same clusters."""
    return made(-count, count)


def filled(root: Path, size: int) -> None:
    """A pool of so many vectors."""
    kept = Embeddings(root, {}, D)
    for start in range(0, size, SHARD):
        rows = min(SHARD, size - start)
        kept.add(str(start), [f"{start + k:09}" for k in range(rows)], made(start, rows))


def searched(root: Path, count: int) -> dict[str, float]:
    """One search, in this process."""
    asked, kept = queries(count), Embeddings(root, {}, D)
    taken = seconds(lambda: kept.search(asked, K))
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "seconds": taken,
        "peak_mib": int(told["VmHWM"].split()[0]) / 1024,
        "anonymous_mib": int(told["RssAnon"].split()[0]) / 1024,
    }


def product(root: Path, count: int) -> float:
    """Seconds of the bare products."""
    asked, rows = torch.from_numpy(queries(count).T.copy()), STEP // (4 * D)

    def work() -> None:
        for path in sorted(root.glob("*[0-9].npy")):
            vectors = np.load(path, mmap_mode="c")
            for start in range(0, len(vectors), rows):
                torch.from_numpy(vectors[start : start + rows]).float() @ asked

    return seconds(work)


def child(root: Path, count: int, threads: int) -> dict[str, float]:
    """One search, in a process of its own."""
    command = [sys.executable, __file__, "--child", str(root), str(count), "--threads", str(threads)]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def measured(root: Path, count: int, rounds: int, threads: int) -> dict[str, Any]:
    """Some searches and bare products, in turns."""
    found, bare = [], []
    for _ in range(rounds):
        found.append(child(root, count, threads))
        bare.append(product(root, count))
    return {
        "vectors": len(Embeddings(root, {}, D)),
        "queries": count,
        "seconds": spread([one["seconds"] for one in found]),
        "product": spread(bare),
        "peak_mib": max(one["peak_mib"] for one in found),
        "anonymous_mib": max(one["anonymous_mib"] for one in found),
    }


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small pool, one round")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/search.json, none with --quick")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    if told.child:
        print(json.dumps(searched(Path(told.child[0]), int(told.child[1]))))
        return
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES[:2] if told.quick else SIZES:
            root = Path(folder) / str(size)
            filled(root, size)
            for count in (10,) if size < SIZES[-1] else (10, 1_000):
                figures.append(measured(root, count, 1 if told.quick else 3, told.threads))
                print(json.dumps(figures[-1]), flush=True)
    keep("search", told, {"figures": figures})


if __name__ == "__main__":
    main()
