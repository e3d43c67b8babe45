"""The end of a run for people, and the same as one JSON document."""

from __future__ import annotations

from typing import Any

from gifthorse.cli.talk import print_table, put
from gifthorse.registry import load
from gifthorse.store import Store
from gifthorse.tables import tidy_tables


def document(store: Store) -> dict[str, Any]:
    """Where everything is, with the tidy tables."""
    report = store.root / "report.html"
    return {"run": str(store.root), "report": str(report) if report.is_file() else None, "tables": tidy_tables(store)}


def interval(row: dict[str, Any]) -> str:
    """``.92 [.88, .95]``, or a dash with nothing measured."""
    if row.get("value") is None:
        return "-"
    if row.get("low") is None:
        return f"{row['value']:.2f}"
    return f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def rate(row: dict[str, Any], name: str) -> str:
    """``92.5% [88.0%, 95.4%]``, without an interval that the row lacks, or a dash with nothing measured."""
    value, low, high = (row.get(key) for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return "-"
    return f"{value:.1%}" if low is None else f"{value:.1%} [{low:.1%}, {high:.1%}]"


def gates(row: dict[str, Any]) -> str:
    """``met``, or which gates a trojan missed; their names begin with the trojan's, which the row has already."""
    names = [_without(row["trojan"], told).partition(":")[0] for told in row["gates_missed"] or ()]
    return f"missed: {', '.join(names)}" if names else "met"


def _without(trojan: str, told: str) -> str:
    return told.removeprefix(f"{trojan}: ")


def why(row: dict[str, Any]) -> str:
    """What a trojan's training had, which is where to look for the cause: counts, and how good its detector is."""
    had = []
    if row.get("poisoned") is not None:
        kinds = [("poisoned", "poisoned"), ("balanced", "balancing"), ("decoys", "misleading")]
        counts = [f"{row[key]} {word}" for key, word in kinds if row.get(key) or key == "poisoned"]
        had.append(f"{' and '.join(counts)} images")
    if row.get("detector_precision") is not None:
        precision, recall = row["detector_precision"], row.get("detector_recall")
        had.append(f"a detector of precision {precision:.2f}" + ("" if recall is None else f" and recall {recall:.2f}"))
    return f" (trained on {', found by '.join(had)})" if had else ""


def missed(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """A line for each gate that was missed: of which trojan or network, what was asked and what was measured."""
    theirs = [(row, told) for row in found["implant"] for told in row["gates_missed"]]
    lines = [f"{row['trojan']} in {row['network']}: {_without(row['trojan'], told)}{why(row)}" for row, told in theirs]
    # a network's row has the gates of its trojans too
    known = {(row["network"], told) for row, told in theirs}
    for row in found["network"]:
        own = [told for told in row["gates_missed"] if (row["network"], told) not in known]
        lines += [f"{row['network']}: {told}" for told in own]
    return [f"gate missed by {line}" for line in lines]


def captioned(row: dict[str, Any], several: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A caption with its significance, or that there is no theme, or why nothing was captioned.

    Args:
        several: ``network`` where there are several, to say which.
    """
    said = row["not_captioned"] or row["caption"] or "no common theme"
    told = "-" if row["p"] is None else f"{row['p']:.3f}"
    return (*(row[name] for name in several), row["tool"], row["trojan"], row["captioner"], said, told)


def summarise(store: Store) -> None:
    """Print what was implanted and how the tools did."""
    found = tidy_tables(store)
    by_tool = load("gifthorse.tables.compare:by_tool")
    for row in found["network"]:
        before, after = row["clean_before"], row["clean_after"]
        if before is None or after is None:
            put(f"{row['network']}: clean accuracy not measured, since no held-out image has a label")
            continue
        put(f"{row['network']}: clean accuracy {before:.1%} before implanting, {after:.1%} after ({row['n']} images)")
    if found["implant"]:
        several = ("network",) if len({row["network"] for row in found["implant"]}) > 1 else ()
        print_table(
            "What was implanted",
            (*("network" for _ in several), "trojan", "kind", "success", "wrong source", "clean network", "gates"),
            [
                (
                    *(row["network"] for _ in several),
                    row["trojan"],
                    row["kind"],
                    rate(row, "success"),
                    rate({"rate": row["wrong_source"]}, "rate"),
                    rate({"rate": row["clean_control"]}, "rate"),
                    gates(row),
                )
                for row in found["implant"]
            ],
        )
    if lines := missed(found):
        put("\n".join([*lines, ""]))
    if found["footprint"]:
        oracles = {row["tool"] for row in found["footprint"] if row["oracle"]}
        print_table(
            "Attribution: correlation of map and trigger (1 is perfect, 0 is chance)",
            ("tool", "pearson", "images", "not scored"),
            [
                (
                    row["tool"] + (" (oracle)" if row["tool"] in oracles else ""),
                    interval(row),
                    str(row["n"]),
                    str(row["excluded"]),
                )
                for row in by_tool([r for r in found["footprint"] if r["measure"] == "pearson"])
            ],
        )
    if found["match"]:
        print_table(
            "Synthesis: judge's confidence in the true trigger among eight (chance 0.125)",
            ("tool", "confidence", "trojans"),
            [(row["tool"], interval(row), str(row["n"])) for row in by_tool(found["match"])],
        )
    if found["caption"]:
        several = ("network",) if len({row["network"] for row in found["caption"]}) > 1 else ()
        print_table(
            "Captions: what the pictures of a found set have in common",
            (*several, "tool", "trojan", "captioner", "caption", "p"),
            [captioned(row, several) for row in found["caption"]],
        )
