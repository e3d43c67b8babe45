"""Whether fresh suites can be planted without a hand on them: which seeds meet their gates, and what missed.

    .venv/bin/python benchmarks/fresh_suites.py                       seeds 70 to 79, written to benchmarks/results/
    .venv/bin/python benchmarks/fresh_suites.py --seeds 3-5 --jobs 2   some of them, two at a time, a thread each

Each seed is one ``gifthorse implant``; a folder that is there already is not computed again.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from gifthorse.jobs.asked import versions  # noqa: E402
from gifthorse.jobs.run import machine  # noqa: E402
from gifthorse.store import Store  # noqa: E402
from gifthorse.tables import tidy_tables  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "fresh_suites.json"
FIGURES = ("trojan", "kind", "scope", "success", "wrong_source", "clean_control", "gates_met", "gates_missed")


def planted(seed: int, work: Path, threads: int) -> dict[str, Any]:
    """Plant one suite, and what its tables say."""
    out, start = work / f"seed-{seed}", time.perf_counter()
    command = [sys.executable, "-m", "gifthorse", "implant", "--suite", f"emoji-random:{seed}", "--out", str(out)]
    command += ["--threads", str(threads), "--workers", "1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"seed {seed} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    tables = tidy_tables(Store(out))
    (network,) = tables["network"]
    costs = [row["seconds"] for row in tables["cost"] if row["unit"] in ("stamped", "trained", "implant")]
    found = {
        "seed": seed,
        "met": network["gates_met"],
        "missed": network["gates_missed"],
        "clean_before": network["clean_before"],
        "clean_after": network["clean_after"],
        "seconds": round(sum(costs), 1),
        "trojans": [{name: row[name] for name in FIGURES} for row in tables["implant"]],
        "replaced": [
            f"{row['caption']} for {row['trojan']}, {row['rate']:.0%}" for row in tables["options"] if not row["kept"]
        ],
    }
    print(f"seed {seed}: {'met' if found['met'] else found['missed']}, {time.perf_counter() - start:.0f} s", flush=True)
    return found


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="70-79", help="first and last (those below 70 were looked at)")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--threads", type=int, default=2, help="of each")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "fresh-suites")
    told = parser.parse_args()
    first, _, last = told.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    with ThreadPoolExecutor(told.jobs) as pool:
        found = list(pool.map(lambda seed: planted(seed, told.work, told.threads), seeds))
    result = {
        "machine": machine() | {"python": platform.python_version()},
        "versions": versions(),
        "met": sum(one["met"] for one in found),
        "of": len(found),
        "seeds": found,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{result['met']} of {result['of']} suites met every gate")


if __name__ == "__main__":
    main()
