"""The shape of the package: who may import whom, and who owns which library."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import needle

PACKAGE = Path(needle.__file__).parent

# From left to right: a module imports from groups to its left, and within its own without a
# circle. They are DESIGN.md's groups; each is made of the packages that are named with it.
# - `tokens` is an edge (it reads ranks from disk), and `counting`, of the core, knows only the
#   record of a way to count; so the edge imports the core, never the other way round.
# - `cleaning` mends fetched texts in memory: pure, so core, though an edge alone has use of it.
# - `simulated` decides what simulated models say: pure, so core.
# - `prepare` joins all edges into a run that is ready, and `runner` carries it out.
GROUPS: tuple[tuple[str, frozenset[str]], ...] = (
    ("words", frozenset({"words"})),
    (
        "core",
        frozenset({"contexts", "caching", "asking", "scoring", "statistics", "telling"})
        | {"simulated"},
    ),
    ("edges", frozenset({"edges", "drawing"})),
    ("runs", frozenset({"runs"})),
    ("commands", frozenset({"commands"})),
)
# What stands in no package: the names that `import needle` gives, and `python -m needle`.
ALONE = {"__init__": 0, "__main__": len(GROUPS) - 1}

# Libraries that one module owns, or two where a comment says why.
OWNERS: Mapping[str, frozenset[str]] = {
    "jiter": frozenset({"store"}),  # reads the lines of logs
    # batching names the client's type: endpoint opens it, and retries what is asked of it.
    "openai": frozenset({"endpoint", "posting", "batching"}),
    "tenacity": frozenset({"endpoint", "fetch"}),  # each retries its own requests
    "httpx2": frozenset({"endpoint", "posting", "fetch"}),
    "pandas": frozenset({"tables"}),
    "pyarrow": frozenset({"tables"}),
    "seaborn": frozenset({"maps"}),
    # fonts finds its fonts, maps and legends draw, the others compose figures of them; api names
    # their type
    "matplotlib": frozenset(
        {
            "fonts",
            "canvas",
            "maps",
            "legends",
            "framing",
            "heatmaps",
            "papers",
            "sheets",
            "differences",
        }
        | {"api"}
    ),
    "starlette": frozenset({"simulator"}),
    "uvicorn": frozenset({"simulator"}),
    "tiktoken": frozenset({"tokens"}),
    "tokenizers": frozenset({"tokens"}),
    # the live heatmap, the lines of a sweep, and the tables of a comparison and of strategies
    "rich": frozenset({"progress", "board", "versus", "planning"}),
    "ray": frozenset({"cluster"}),
    "genai_prices": frozenset({"prices"}),
    "opencc": frozenset({"folding"}),
    "yaml": frozenset({"files"}),
    "filelock": frozenset({"store", "fetch"}),
    "click": frozenset(
        {"cli", "cli_asking", "cli_results", "cli_setup", "options", "running", "rescoring"}
        | {"closing"}
        | {"showing", "versus", "reporting", "intake", "listing", "catalogue", "checkup"}
        | {"batch_commands", "sweeping"}
        | {"publishing", "planning"}
    ),
    "dotenv": frozenset({"credentials"}),
}

# What touches the world, and so is no business of words and core.
WORLD = frozenset({"asyncio", "http", "os", "pathlib", "shutil", "signal", "socket", "subprocess"})
WORLD |= {"sys", "tempfile", "threading", "time", "urllib"} | OWNERS.keys() - {"opencc"}


PATHS = {path.stem: path for path in PACKAGE.glob("*/*.py") if path.stem != "__init__"} | {
    name: PACKAGE / f"{name}.py" for name in ALONE
}
PACKAGE_OF = {module: path.parent.name for module, path in PATHS.items() if module not in ALONE}
GROUP_OF = ALONE | {
    module: next(index for index, (_, packages) in enumerate(GROUPS) if package in packages)
    for module, package in PACKAGE_OF.items()
}
PURE = sorted(module for module, group in GROUP_OF.items() if group < 2)


def modules() -> list[str]:
    return sorted(PATHS)


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(PATHS[module].read_text(encoding="utf-8"))


def imports(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the dotted names that a module imports; of needle's own, module by module."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            package, _, inner = str(node.module).partition(".")
            if package == "needle" and "." not in inner:
                names = {alias.name for alias in node.names}
                found |= {f"needle.{inner}.{name}" for name in names & PACKAGE_OF.keys() if inner}
                found |= set() if inner else {"needle..__init__"}
            elif node.module:
                found.add(node.module)
    return found


@cache
def all_imports(module: str) -> set[str]:
    tree = tree_of(module)
    if module == "__init__":  # what it names for type checkers is imported when it is asked for
        tree = ast.Module([node for node in tree.body if not isinstance(node, ast.If)], [])
    return imports(ast.walk(tree))


def own_imports(module: str) -> set[str]:
    return {name.split(".")[2] for name in all_imports(module) if name.startswith("needle.")}


def libraries(module: str) -> set[str]:
    return {name.split(".")[0] for name in all_imports(module)} - {"needle"}


def test_every_package_has_a_group() -> None:
    """Each package of needle stands in one group, and no two modules have one name."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(folders) == sorted(package for _, group in GROUPS for package in group)
    stems = [path.stem for path in PACKAGE.glob("*/*.py") if path.stem != "__init__"]
    assert len(stems) == len(set(stems))
    assert {path.stem for path in PACKAGE.glob("*.py")} == ALONE.keys()


@pytest.mark.parametrize("module", modules())
def test_imports_go_left(module: str) -> None:
    """A module imports only from its own group and those to its left."""
    for other in own_imports(module):
        assert GROUP_OF[other] <= GROUP_OF[module], f"{module} imports {other}"


def test_no_circles() -> None:
    """No module imports itself by way of others, even inside a function."""
    left = {module: own_imports(module) - {module} for module in modules()}
    while free := {module for module, needs in left.items() if not needs & left.keys()}:
        left = {module: needs for module, needs in left.items() if module not in free}
    assert not left, f"these import each other in a circle: {sorted(left)}"


@pytest.mark.parametrize("library", OWNERS)
def test_one_owner(library: str) -> None:
    """A library is imported by its owner alone, and the owner still does."""
    importing = {module for module in modules() if library in libraries(module)}
    assert importing == OWNERS[library]


@pytest.mark.parametrize("module", PURE)
def test_the_core_touches_nothing(module: str) -> None:
    """Words and core import nothing that reads a clock, disk, network or environment."""
    assert not libraries(module) & WORLD
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"open", "print", "input", "datetime.now", "datetime.today"}
            # random.Random(seed) is local; random.choice() and the like are global state.
            assert not called.startswith("random.") or called.startswith("random.Random")
            assert called != "random.Random" or node.args, "a draw without a seed"


def test_help_loads_no_heavy_library() -> None:
    """`needle --help` loads none of the heavy libraries, so that it answers at once."""
    heavy = [
        "httpx2",
        "matplotlib",
        "numpy",
        "opencc",
        "openai",
        "pandas",
        "pydantic",
        "ray",
        "rich",
    ]
    heavy += ["seaborn", "starlette", "tenacity", "tiktoken", "tokenizers", "uvicorn", "yaml"]
    script = (
        "import sys; from needle.commands.cli import main; sys.argv = ['needle', '--help']\n"
        "try: main()\n"
        f"finally: print('LOADED', sorted(set({heavy!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "Usage" in done.stdout
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_no_module_is_too_long() -> None:
    """No module, part of the page or test passes 400 lines: it is split by idea before that."""
    tests = Path(__file__).parent.rglob("*.py")
    for path in (*PATHS.values(), *PACKAGE.glob("page/*"), *tests):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path.name


@pytest.mark.parametrize("package", sorted({*PACKAGE_OF.values()}))
def test_the_page_names_every_module(package: str) -> None:
    """docs/architecture.md has a row for each package, which names all its modules and no other."""
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith(f"| {package} |")]
    named = re.sub(r"\([^()]*\.[^()]*\)|\((?!cli_)[^()]*\)", "", rows[-1][3])
    assert sorted(re.findall(r"\w+", named)) == sorted(
        module for module, home in PACKAGE_OF.items() if home == package
    )
