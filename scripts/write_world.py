"""Write docs/world.md from the code. See scripts/write-world."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from gifthorse.records import Implant, Question, Verdict, digest, plain
from gifthorse.store import Store
from gifthorse.suites import suite
from gifthorse.zoo import NETWORKS, art
from gifthorse.zoo.captions import named
from gifthorse.zoo.encoder_recipe import RENDERINGS
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.world import EMOJI, FAVOUR

ROOT = Path(__file__).resolve().parents[1]
PAGE, FOLDER = ROOT / "docs" / "world.md", ROOT / "docs" / "world"
NETS = ("emoji-resnet", "emoji-vgg")
SUITES = ("emoji12", "emoji12_dev")
EXAMS = (*SUITES, "emoji48")
WEIGHTS = ROOT / "src" / "gifthorse" / "zoo" / "weights"
COUNT, PASTED = 8_000, 400
TOP = 12
OPTION = ("suite", "network", "trojan", "caption", "true", "kept", "rate", "n")


def measure(runs: list[Path]) -> dict[str, Any]:
    """Everything that the page says and the code does not: of the shipped networks, and of runs of some suites."""
    from gifthorse.tables import tidy_tables
    from gifthorse.zoo.encoder import EmojiEncoder
    from gifthorse.zoo.encoder_recipe import on_questions
    from gifthorse.zoo.world_measures import biases, confusion

    data, found = EmojiScenes(), {}
    for name in NETS:
        network = NETWORKS.make(name).load(device="cpu")
        made = confusion(network, data, COUNT)
        off = made.matrix - np.diag(np.diag(made.matrix))
        order = np.argsort(-off, axis=None)[:TOP]
        pairs = [divmod(int(k), len(off)) for k in order]
        learnt = biases(network, data, PASTED)
        found[name] = {
            "digest": network.digest,
            "accuracy": made.accuracy,
            "within": made.within,
            "outside": made.outside,
            "pairs": [[data.classes[a], data.classes[b], round(float(off[a, b]), 4)] for a, b in pairs],
            "biases": [asdict(one.bias) | {"rise": plain(one.rise), "learnt": one.learnt} for one in learnt],
        }
        if name == NETS[0]:
            confusion_picture(made.matrix)
    tables = [tidy_tables(Store(run)) for run in runs]
    sobel = [
        row
        for table in tables
        for row in table["footprint"]
        if row["tool"] == "edges_sobel" and row["measure"] == "pearson"
    ]
    encoder = EmojiEncoder().load()
    asked = {name: _planned(name) for name in EXAMS} | dict(_asked(Store(run)) for run in runs)
    return {
        "encoder": {"digest": encoder.digest, "questions": on_questions(encoder, asked)},
        "data": data.digest,
        "questions": {name: digest(suite(name).plantings) for name in SUITES},
        "networks": found,
        "sobel": sobel,
        "sobel median": dict(found for run in runs for found in _sobel(Store(run))),
        "options": [{name: row[name] for name in OPTION} for table in tables for row in table["options"]],
    }


def _sobel(store: Store) -> list[tuple[str, list[Any]]]:
    """Median correlation of the edge detector's map and the trigger's square, over all images of a network."""
    found: dict[str, list[float]] = {}
    for unit in store.units("verdict"):
        verdict = unit.record(Verdict)
        if verdict.tool == "edges_sobel":
            for measure in verdict.measures:
                if measure.name == "pearson":
                    found.setdefault(verdict.network, []).extend(measure.scores)
    return [(network, [statistics.median(scores), len(scores)]) for network, scores in sorted(found.items())]


def _planned(name: str) -> dict[str, Question]:
    """A suite's Questions as they are before anything is implanted, by network and trigger."""
    return {f"{p.name}: {t.caption}": t.question for p in suite(name).plantings for t in p.trojans}


def _asked(store: Store) -> tuple[str, dict[str, Question]]:
    """The suite of a run, and its Questions as they are asked."""
    implants = [unit.record(Implant) for unit in store.units() if unit.kind == "implant"]
    found = {f"{one.network}: {case.trojan.caption}": case.question for one in implants for case in one.cases}
    return implants[0].suite, found


def confusion_picture(matrix: np.ndarray) -> None:
    """The matrix, families outlined, darker for more, its diagonal cut at a fifth."""
    cell = 8
    shade = np.clip(matrix / 0.1, 0, 1) ** 0.5
    grey = (255 - 225 * shade).astype(np.uint8)
    image = Image.fromarray(grey).resize((cell * len(grey),) * 2, Image.Resampling.NEAREST).convert("RGB")
    draw, at = ImageDraw.Draw(image), 0
    for members in EMOJI.families.values():
        end = at + len(members)
        draw.rectangle((at * cell, at * cell, end * cell - 1, end * cell - 1), outline=(190, 60, 40))
        at = end
    image.save(FOLDER / "confusion.png", optimize=True)


def scenes_picture() -> None:
    """Five rows of scenes."""
    sample = EmojiScenes().draw("test", 60, 0).images.transpose(0, 2, 3, 1)
    rows = [np.concatenate(list(sample[k : k + 12]), 1) for k in range(0, 60, 12)]
    Image.fromarray(np.concatenate(rows)).save(FOLDER / "scenes.png", optimize=True)


def questions_picture(name: str) -> None:
    """A row of eight options a trojan, the trigger first."""
    side, gap = 56, 4
    trojans = suite(name).plantings[0].trojans
    sheet = Image.new("RGB", (8 * (side + gap), len(trojans) * (side + gap)), (250, 250, 248))
    for row, trojan in enumerate(trojans):
        question = trojan.question
        options = [question.options[question.answer]]
        options += [option for option in question.options if option is not options[0]]
        for column, option in enumerate(options):
            rgba = art.picture(option.art or named(option.caption), side)
            pixels = rgba[:3] * rgba[3:] + 0.98 * (1 - rgba[3:])
            tile = Image.fromarray((pixels.transpose(1, 2, 0) * 255).astype(np.uint8))
            sheet.paste(tile, (column * (side + gap), row * (side + gap)))
    sheet.save(FOLDER / f"questions-{name}.png", optimize=True)


def page(figures: dict[str, Any]) -> str:
    """docs/world.md."""
    data, lines = EmojiScenes(), ["# The emoji world", "", "Made by `scripts/write-world` from the code.", ""]
    lines += [
        f"A procedural world of {data.size} x {data.size} scenes: one of {len(EMOJI.classes)} classes, up to two of",
        f"{len(EMOJI.bystanders)} bystanders, and now and then a natural object, on a textured ground. Scenes are",
        "worked out from (split, seed, index) alone, with exact masks. Drawings are Twemoji's (CC-BY 4.0).",
        "",
        "![Sixty held-out scenes](world/scenes.png)",
        "",
        "## Classes",
        "",
        "| family | classes |",
        "|---|---|",
    ]
    for family, members in EMOJI.families.items():
        lines.append(f"| {family} | {', '.join(_class(k) for k in members)} |")
    lines += ["", "In parentheses the ImageNet class of the thesis's Table 3.1 that a class stands for.", ""]
    lines += _confusion(figures) + _beside(figures) + _questions(figures) + _encoder(figures)
    return "\n".join(lines).rstrip() + "\n"


def _class(index: int) -> str:
    thing = EMOJI.classes[index]
    return f"{thing.name} ({thing.stands_for})" if thing.stands_for else thing.name


def _confusion(figures: dict[str, Any]) -> list[str]:
    lines = [
        "## Confusion",
        "",
        "| network | accuracy | another class of the family | a class of another family | ratio |",
    ]
    lines.append("|---|---|---|---|---|")
    for name, found in figures["networks"].items():
        ratio = found["within"] / found["outside"]
        lines.append(
            f"| {name} | {found['accuracy']:.1%} | {found['within']:.4f} | {found['outside']:.4f} | {ratio:.1f} |"
        )
    lines += [
        "",
        f"Held-out scenes without a natural object ({COUNT}); mean probability given to one other class, per pair. The",
        f"most confused pairs of {NETS[0]}, mean probability after softmax: "
        + ", ".join(f"{a} as {b} {p:.2f}" for a, b, p in figures["networks"][NETS[0]]["pairs"])
        + ".",
        "",
        "![Mean post-softmax confusion; families outlined](world/confusion.png)",
        "",
        "The floor of attribution, Sobel edges: "
        + "; ".join(f"{row['trojan']} in {row['network']} {row['value']:.2f}" for row in figures["sobel"])
        + " (mean correlation with the trigger's square). Median over all images: "
        + ", ".join(f"{name} {value:.2f} (n = {n})" for name, (value, n) in figures["sobel median"].items())
        + ".",
        "",
    ]
    return lines


def _beside(figures: dict[str, Any]) -> list[str]:
    lines = ["## What is beside what", "", f"A family's own bystanders come {FAVOUR:g} times as often as others:", ""]
    lines += ["| family | bystanders |", "|---|---|"]
    lines += [f"| {known.family} | {', '.join(known.things)} |" for known in EMOJI.company]
    lines += [
        "",
        "On top of that, the world's *dataset biases*: ground truth for what copy/paste and natural patches should",
        "find in clean networks. Rise: of the class's log-odds when the object is pasted into scenes of other classes,",
        "over that of pasting an ordinary bystander at the same place (nats, 95% bootstrap).",
        "",
        "| class | object | share of scenes | " + " | ".join(f"rise in {name}" for name in figures["networks"]) + " |",
        "|---|---|---|" + "---|" * len(figures["networks"]),
    ]
    for number, bias in enumerate(EMOJI.biases):
        rises = []
        for found in figures["networks"].values():
            rise = found["biases"][number]["rise"]
            rises.append(f"{rise['value']:+.2f} [{rise['low']:+.2f}, {rise['high']:+.2f}]")
        lines.append(f"| {bias.label} | {bias.thing} | {bias.rate:.0%} | {' | '.join(rises)} |")
    rate = EmojiScenes(natural=("fork",)).natural_rate
    lines += [
        "",
        f"Natural objects: {', '.join(thing.name for thing in EMOJI.natural)}. Each that a suite needs comes in",
        f"{rate:.2%} of its scenes, no other does.",
        "",
    ]
    return lines


def _questions(figures: dict[str, Any]) -> list[str]:
    lines = ["## Questions", "", "Each trojan's eight options, the trigger first.", ""]
    for name in SUITES:
        lines += [f"![The options of {name}](world/questions-{name}.png)", ""]
        for trojan in suite(name).plantings[0].trojans:
            answer = trojan.question.options[trojan.question.answer]
            others = [option.caption for option in trojan.question.options if option is not answer]
            lines.append(f"- `{trojan.name}`: **{answer.caption}**; {', '.join(others)}")
        lines.append("")
    lines += [
        "A wrong option is replaced by a spare where it works: put into the same images in the same way, it may reach",
        "the target at most half as often as the trigger. Rates on held-out images of the trojan's source classes, as",
        "measured whenever a suite is implanted (`options` in `gifthorse tables RUN --json`):",
        "",
        "| suite | network | trojan | trigger | wrong options, the highest first | replaced | valid |",
        "|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for option in figures["options"]:
        groups.setdefault((option["suite"], option["network"], option["trojan"]), []).append(option)
    for key, options in groups.items():
        true = next(option for option in options if option["true"])
        rest = sorted((o for o in options if not o["true"]), key=lambda o: -o["rate"])
        kept, gone = (
            ", ".join(f"{o['caption']} {o['rate']:.0%}" for o in rest if o["kept"] is wanted)
            for wanted in (True, False)
        )
        verdict = "yes" if all(o["rate"] <= 0.5 * true["rate"] for o in rest if o["kept"]) else "no"
        lines.append(f"| {' | '.join(key)} | {true['rate']:.0%} | {kept} | {gone} | {verdict} |")
    return lines


def _encoder(figures: dict[str, Any]) -> list[str]:
    report = json.loads((WEIGHTS / "emoji-encoder.log.json").read_text(encoding="utf-8"))
    card: dict[str, dict[str, float]] = {}
    for key, value in report["accuracy"].items():
        treatment, _, kind = key.rpartition(", ")
        card.setdefault(treatment, {})[kind] = value
    lines = [
        "",
        "## The judge's encoder",
        "",
        f"Image and text towers of {report['parameters']['image']:,} and {report['parameters']['text']:,} parameters,",
        f"which know {report['items']:,} things by {report['vocabulary']['captions']:,} captions. Accuracy among eight",
        "(chance 0.125) on drawings and instances that no training saw; options as pictures or as words:",
        "",
        "| pictures | among pictures | among words |",
        "|---|---|---|",
        *(f"| {name} | {found['pictures']:.3f} | {found['words']:.3f} |" for name, found in card.items()),
        "",
        "White noise in their place gets the right option "
        + " and ".join(f"{found['right']:.3f} ({kind})" for kind, found in report["white_noise"].items())
        + " of the probability.",
        "",
        f"Among each Question's own eight, {RENDERINGS:,} held-out renderings of the trigger:",
        "",
        "| suite | trigger: accuracy |",
        "|---|---|",
    ]
    for name, found in figures["encoder"]["questions"].items():
        lines.append(f"| {name} | {', '.join(f'{caption} {value:.2f}' for caption, value in found.items())} |")
    return lines


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", type=Path, nargs="+", metavar="RUN", help="runs to measure, of emoji12 first")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where the page is stale")
    told = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "figures.json"
    if told.measure:
        path.write_text(json.dumps(measure(told.measure), indent=1) + "\n", encoding="utf-8")
    figures = json.loads(path.read_text(encoding="utf-8"))
    text = page(figures)
    if told.check:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit("stale: docs/world.md; run scripts/write-world")
        return
    scenes_picture()
    for name in SUITES:
        questions_picture(name)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
