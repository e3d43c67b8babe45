"""The direction of imports, the budgets of the design, and what is public."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures_output import finish
from fixtures_run import make_run

PACKAGE = Path(__file__).parents[2] / "src" / "gifthorse"

# An import may only point down this list; rooms on one line never import each other.
FLOORS = [
    {"__main__"},
    {"cli"},
    {"jobs"},
    {"suites"},
    {"stages"},
    {"trojans", "tools", "judges", "captioners", "survey", "report"},
    {"tables"},
    {"notebook"},
    {"comparisons"},
    {"effects"},
    {"zoo"},
    {"classifier"},
    {"ground", "counting", "recomputing"},
    {"randomness"},
    {"statistics"},
    {"heat", "printing"},
    {"images", "gates", "checkpoints"},
    {"runner"},
    {"store", "indexing"},
    {"units", "embeddings"},
    {"neighbours"},
    {"claims", "disk"},
    {"registry"},
    {"records"},
    {"errors"},
    {"__init__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def first_party(tree: ast.AST) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, a.name) for a in node.names if a.name.split(".")[0] == "gifthorse"]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gifthorse":
            deep = node.module.count(".") > 0
            found += [(node.lineno, node.module if deep else f"{node.module}.{a.name}") for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    here = room_of(path)
    assert here in FLOOR, f"{here} is a room that the design's list does not have"
    for line, name in first_party(ast.parse(path.read_text())):
        parts = name.split(".")
        there = parts[1] if len(parts) > 1 else "__init__"
        if there not in FLOOR:
            there = "__init__"  # a public name of the package
        if there == here:
            continue
        assert FLOOR[there] > FLOOR[here], f"{path.name}:{line}: {here} imports {name}, which is not below it"


KNOWN = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES
}


def imports_of(path: Path) -> set[str]:
    """The modules of the package that a file names: a name from a package is a module of it, or in its __init__."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in KNOWN else node.module for name in inner}
    return found & set(KNOWN)


def ring(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import one another in a ring, or nothing."""
    done: set[str] = set()

    def follow(name: str, above: list[str]) -> list[str]:
        if name in above:
            return [*above[above.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            if found := follow(other, [*above, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := follow(name, []))), [])


def test_no_module_imports_itself_by_a_ring() -> None:
    assert not ring({name: imports_of(path) for name, path in KNOWN.items()})


def test_a_ring_is_found() -> None:
    assert ring({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d", "b"]
    assert ring({"a": {"a"}}) == ["a", "a"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_budgets(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") < 400, "a file that wants to pass 400 lines wants to be two ideas"
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            named = [a for a in arguments if a.arg not in ("self", "cls")]
            assert len(named) <= 6, f"{node.name} takes {len(named)} arguments: use a frozen dataclass"
            doc = ast.get_docstring(node, clean=False) or ""
            length = (node.end_lineno or 0) - node.lineno + 1 - (doc.count("\n") + 1 if doc else 0)
            assert length < 60, f"{node.name} has {length} lines"
            assert node.returns is not None, f"{node.name} says not what it returns"
            inner = [n for n in ast.walk(node) if isinstance(n, (ast.Import, ast.ImportFrom))]
            assert not first_party(ast.Module(body=list(inner), type_ignores=[])), (
                f"{node.name} imports gifthorse inside"
            )


def test_methods_never_import_one_another() -> None:
    for room in ("tools/attribution", "tools/synthesis", "trojans", "judges", "captioners"):
        folder = PACKAGE / room
        methods = _methods(folder)
        for path in methods:
            for _, name in first_party(ast.parse(path.read_text())):
                other = folder / f"{name.rsplit('.', 1)[-1]}.py"
                assert other not in methods or other == path, f"{path.name} imports the method {other.name}"


def _methods(folder: Path) -> set[Path]:
    """Files that hold a row of a table."""
    from gifthorse.captioners import CAPTIONERS
    from gifthorse.judges import JUDGES
    from gifthorse.tools import TOOLS
    from gifthorse.trojans import TROJANS

    rows = [
        row.where.partition(":")[0] for table in (TOOLS, TROJANS, JUDGES, CAPTIONERS) for row in table.rows.values()
    ]
    return {PACKAGE.parent / f"{module.replace('.', '/')}.py" for module in rows} & set(folder.glob("*.py"))


QUICK = [
    "--version",
    "--help",
    "list",
    "run --help",
    "attribute --help",
    "synthesise --help",
    "copy-paste --help",
    "experiment --help",
    "run --dry-run",
    "run --show-config",
    "run --out RUN",
    "run --out RUN --json",
    "status RUN",
    "status RUN --verify",
    "compare RUN RUN",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = make_run(tmp_path_factory.mktemp("finished") / "run")
    finish(store)
    return store.root


@pytest.mark.parametrize("command", QUICK)
def test_quick_commands_import_no_torch(command: str, finished: Path) -> None:
    arguments = command.replace("RUN", str(finished)).split()
    heavy = {"torch", "captum", "pyarrow", "skimage"}
    if "--out" not in command:
        heavy.add("scipy")  # the summary of a run needs its special functions
    code = (
        "import sys\nfrom gifthorse.cli.app import code_of\nfrom gifthorse.cli.talk import Talk\n"
        f"code = code_of({arguments!r}, Talk())\n"
        f"heavy = sorted({heavy!r} & set(sys.modules))\n"
        "sys.exit(f'imported {heavy}' if heavy else code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if "--out" in command:
        assert "is finished: nothing to do" in done.stderr


def test_public_names_are_sorted_and_documented() -> None:
    package = importlib.import_module("gifthorse")
    assert sorted(package.__all__) == dir(package)
    for name in package.__all__:
        value = getattr(package, name)
        if not isinstance(value, str):
            assert inspect.getdoc(value), f"{name} has no docstring"


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, gifthorse; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
