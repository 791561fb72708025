"""The order of rooms, read from the sources with `ast`: what is shared, what is private, and what points where.

`test_architecture.py` holds the homes of outside libraries and sizes; here is the house itself. A new technique that
forgets a door, a row or its tests is named here.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import pytest
from tree import tree_sources

# Rooms and ground files of methods/core; each imports from those before it only.
ORDER = (
    "errors", "cache", "audio", "frames", "progress", "options", "models", "results", "speech", "alignment",
    "arrays", "statistics", "figures", "corpus", "lenses", "mixing", "explain", "interventions",
)  # fmt: skip
GROUND = ("models",)  # the only home of transformers, so a part of it may serve one technique
MOST_AT_ONE_LEVEL = 8  # files of methods/core itself
FEWEST_USERS = 2
OPTIONS_CLASS = 3  # fields that a class of options has at least


def violations(sources: Mapping[str, str]) -> list[str]:
    """One line for each broken rule in `sources` (path from the root -> text)."""
    trees = {path: ast.parse(text, path) for path, text in sources.items() if path.endswith(".py")}
    graph = _graph(trees)
    rules = (
        _upwards(graph), _unshared(graph), _foreign_parts(graph), _tricks(trees), _twice(trees), _flat(trees),
        _too_late(trees),
    )  # fmt: skip
    return sorted({line for rule in rules for line in rule})


# Modules and what they import


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _graph(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """Path -> the paths of ours that it imports. `from a import b` is the file a/b.py if there is one, else a."""
    files = {_module(path): path for path in trees}
    graph: dict[str, set[str]] = {path: set() for path in trees}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    found = files.get(f"{node.module}.{alias.name}") or files.get(node.module)
                    graph[path] |= {found} if found else set()
    return graph


def _reached(graph: Mapping[str, set[str]], starts: Sequence[str]) -> set[str]:
    seen, waiting = set(starts), list(starts)
    while waiting:
        for path in graph[waiting.pop()] - seen:
            seen.add(path)
            waiting.append(path)
    return seen


def _owner(path: str) -> str | None:
    """The technique that a file of methods, of the tabs, or of the tests belongs to."""
    parts = PurePosixPath(path).with_suffix("").parts
    if parts[0] == "methods" and len(parts) > 1 and parts[1] not in ("core", "__init__"):
        return parts[1]
    return parts[-1] if parts[:2] == ("page", "tabs") else None


def _room(path: str) -> str | None:
    """The room, or the ground file, of methods/core that a file lies in."""
    parts = PurePosixPath(path).with_suffix("").parts
    return parts[2] if parts[:2] == ("methods", "core") and len(parts) > 2 and parts[2] != "__init__" else None


# The rules


def _upwards(graph: Mapping[str, set[str]]) -> Iterator[str]:
    for path, found in graph.items():
        here = _room(path)
        if here and here not in ORDER:
            yield f"{path}: {here} has no place in ORDER"
            continue
        for there in {_room(other) for other in found} - {None, here}:
            if here and there in ORDER and ORDER.index(there) > ORDER.index(here):
                yield f"{path}: {here} imports {there}, which stands above it"


def _unshared(graph: Mapping[str, set[str]]) -> Iterator[str]:
    """A file of core serves two or more: techniques with their tabs, runs over a corpus, the page around the tabs."""
    techniques = {owner for path in graph if path.startswith("methods/") and (owner := _owner(path))}
    reach = {}
    for name in techniques:
        tabs = [path for path in graph if path.startswith(f"page/tabs/{name}")]
        direct = {other for tab in tabs for other in graph[tab] if other.startswith("methods/")}
        own = [path for path in graph if path.startswith("methods/") and _owner(path) == name]
        reach[name] = _reached(graph, [*own, *direct])
    page = [path for path in graph if path.startswith("page/") and not path.startswith("page/tabs/")]
    reach["the page"] = {other for path in page for other in graph[path]}
    for path in graph:
        room = _room(path)
        if room is None or room in GROUND or path.endswith("__init__.py"):
            continue
        users = sorted(name for name, reached in reach.items() if path in reached)
        if len(users) < FEWEST_USERS:
            yield f"{path}: serves {' and '.join(users) or 'no technique'} alone: does it belong there?"


def _foreign_parts(graph: Mapping[str, set[str]]) -> Iterator[str]:
    """A part of a technique is imported by the technique, its tabs, tests, training and benchmarks only."""
    for path, found in graph.items():
        if path.startswith(("tests/", "training/", "benchmarks/", "methods/__main__")):
            continue
        for other in found:
            owner = _owner(other) if other.startswith("methods/") and other.count("/") > 1 else None
            door = other.endswith("__init__.py")
            if owner is None or door or _owner(path) == owner or path.startswith(f"page/tabs/{owner}"):
                continue
            yield f"{path}: imports {other}, a private part of {owner}"


def _tricks(trees: Mapping[str, ast.Module]) -> Iterator[str]:
    for path, tree in trees.items():
        if not path.startswith(("methods/", "page/")):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "locals":
                yield f"{path}: line {node.lineno}: locals() hides what is handed on"
            if isinstance(node, ast.Call) and ast.unparse(node).startswith("getattr(importlib.import_module("):
                yield f"{path}: line {node.lineno}: a table of names is read, not a name made up"
            if isinstance(node, ast.arg) and node.arg == "result" and _says(node.annotation, "Any"):
                yield f"{path}: line {node.lineno}: result: Any; a result has a type"
            if isinstance(node, ast.Attribute) and node.attr == "family" and "core/models/" not in path:
                yield f"{path}: line {node.lineno}: a model's family is for core/models to ask; see `Family`"


def _says(annotation: ast.expr | None, name: str) -> bool:
    return annotation is not None and ast.unparse(annotation) == name


def _twice(trees: Mapping[str, ast.Module]) -> Iterator[str]:
    """The default of an option stands in the signature of `analyse` and nowhere else."""
    options: dict[str, set[str]] = {}
    for path, tree in trees.items():
        for node in tree.body:
            if path.startswith("methods/") and isinstance(node, ast.FunctionDef) and node.name == "analyse":
                options.setdefault(_owner(path) or "", set()).update(each.arg for each in node.args.kwonlyargs)
    for path, tree in trees.items():
        known = options.get(_owner(path) or "", set()) if path.startswith("methods/") else set()
        for node in ast.walk(tree):
            body = node.body if isinstance(node, ast.ClassDef) else []
            fields = [each for each in body if isinstance(each, ast.AnnAssign)]
            if len(fields) < OPTIONS_CLASS:
                continue
            if all(each.target.id in known for each in fields) and any(each.value for each in fields):
                yield f"{path}: line {node.lineno}: {node.name} declares defaults again that `analyse` has"


def _flat(trees: Mapping[str, ast.Module]) -> Iterator[str]:
    files = [path for path in trees if PurePosixPath(path).parent == PurePosixPath("methods/core")]
    if len(files) > MOST_AT_ONE_LEVEL:
        yield f"methods/core: {len(files)} files at one level, more than {MOST_AT_ONE_LEVEL}: which room is theirs?"


def _too_late(trees: Mapping[str, ast.Module]) -> Iterator[str]:
    """What a module sets for those that it imports (where ours are found, threads, telemetry) stands before them."""
    for path, tree in trees.items():
        imported = False
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
                imported |= any(name.split(".")[0] in ("methods", "page", "gradio") for name in names)
            elif imported and re.match(r"(sys\.path|os\.environ)\b", ast.unparse(node)):
                yield f"{path}: line {node.lineno}: set too late, after the import that it is meant for"


# What a new technique must not forget


def forgotten(sources: Mapping[str, str]) -> list[str]:
    """Where a technique of the table of contents is lacking: its tab, its tests, its row in the README."""
    table = ast.parse(sources["methods/__init__.py"])
    names = _keys(table, "TECHNIQUES")
    tabs = _keys(ast.parse(sources["page/tabs/__init__.py"]), "TABS")
    lacking = [f"page/tabs/__init__.py: TABS and TECHNIQUES differ in {name}" for name in {*names} ^ {*tabs}]
    for name in names:
        if not any(re.fullmatch(rf"tests/{name}/test_\w+\.py", path) for path in sources):
            lacking.append(f"tests/{name}: no test of the technique")
        if f"| `{name}` |" not in sources["README.md"]:
            lacking.append(f"README.md: no row for {name}")
    return sorted(lacking)


def _keys(tree: ast.Module, name: str) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and node.target.id == name:
            return [key.value for key in node.value.keys]
    return []


@pytest.fixture(scope="module")
def sources():
    return tree_sources()


def test_the_house_is_in_order(sources):
    assert not violations(sources), "\n" + "\n".join(violations(sources))


def test_no_technique_is_forgotten_anywhere(sources):
    assert not forgotten(sources), "\n" + "\n".join(forgotten(sources))


# The rules themselves, each broken once on purpose

HOUSE = {
    "methods/__init__.py": "",
    "methods/abx/__init__.py": "from methods.core.audio import Clip",
    "methods/abx/figure.py": "",
    "methods/rsa.py": "from methods.core.audio import Clip",
    "methods/core/audio.py": "",
    "page/tabs/abx.py": "from methods.abx import figure",
}


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("methods/core/audio.py", "from methods.core.models import load_model", "audio imports models, which stands"),
        ("methods/core/odd/x.py", "", "odd has no place in ORDER"),
        ("methods/core/speech/x.py", "", "serves no technique alone"),
        ("page/tabs/rsa.py", "from methods.abx import figure", "imports methods/abx/figure.py, a private part of abx"),
        ("methods/rsa.py", "analyse(**locals())", "line 1: locals() hides"),
        ("page/x.py", "getattr(importlib.import_module(name), 'tab')(shell)", "line 1: a table of names"),
        ("methods/rsa.py", "def plot(result: Any): ...", "line 1: result: Any"),
        ("benchmarks/x.py", "from methods import rsa\nsys.path.insert(0, root)", "line 2: set too late"),
        ("app.py", "import gradio\nos.environ.setdefault('A', 'B')", "line 2: set too late"),
        ("methods/rsa.py", "if model.family == 'whisper': ...", "line 1: a model's family"),
        (
            "methods/rsa.py",
            "def analyse(clip, model, *, a=1, b=2, c=3): ...\nclass Asked:\n    a: int\n    b: int = 2\n    c: int",
            "line 2: Asked declares defaults again",
        ),
    ],
)
def test_a_broken_rule_is_named(path, source, complaint):
    planted = HOUSE | {path: source}
    planted |= {"methods/core/models/__init__.py": ""}
    assert any(line.startswith(path) and complaint in line for line in violations(planted)), violations(planted)


def test_a_ninth_file_in_the_hall_is_named():
    hall = {f"methods/core/{name}.py": "" for name in (*ORDER[:6], "results", "__init__", "one_more")}
    assert any("9 files at one level" in line for line in violations(HOUSE | hall))


def test_a_file_for_one_technique_is_named():
    planted = HOUSE | {"methods/rsa.py": "from methods.core.speech import x", "methods/core/speech/x.py": ""}
    assert any("methods/core/speech/x.py: serves rsa alone" in line for line in violations(planted))


def test_a_house_in_order_is_not_complained_about():
    assert violations(HOUSE) == []


def test_what_was_forgotten_is_named():
    planted = {
        "methods/__init__.py": 'TECHNIQUES: dict = {"loudness": ("Group", "Title")}',
        "page/tabs/__init__.py": "TABS: dict = {}",
        "README.md": "",
    }
    assert [line.split(":")[0] for line in forgotten(planted)] == [
        "README.md", "page/tabs/__init__.py", "tests/loudness",
    ]  # fmt: skip
