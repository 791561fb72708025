"""The house rules, read from the sources with `ast`; nothing is imported.

Each outside library has one home, imports run one way (page -> techniques -> core), nothing runs code that came with
a model, and files stay small. A rule that turns out wrong is changed here, in the open, not worked around.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

import pytest
from tree import tree_sources

MODEL_HOMES = ("methods/core/models/*.py",)
SOUND_HOME = ("methods/core/audio/*.py",)
PAGE = ("app.py", "page/*.py")

# library -> its homes in the product; an empty tuple: nowhere
HOMES: dict[str, tuple[str, ...]] = {
    "gradio": PAGE,
    "spaces": ("page/zero_gpu.py",),  # installed on a ZeroGPU Space only
    "transformers": MODEL_HOMES,
    "tokenizers": MODEL_HOMES,
    "safetensors": MODEL_HOMES,
    "huggingface_hub": MODEL_HOMES,
    "soundfile": SOUND_HOME,
    "av": SOUND_HOME,
    "soxr": SOUND_HOME,
    "pocketsphinx": ("methods/core/alignment/*.py", "methods/core/speech/pronunciation.py"),
    "inflect": ("methods/core/speech/numbers.py",),
    "parselmouth": ("methods/core/speech/praat.py",),  # GPL: behind one module that names its licence
    "captum": ("methods/core/explain/gradients.py",),  # imported late: it brings pyplot along
    "torch": ("methods/*.py",),  # the page handles arrays and results, never tensors
    "pyarrow": ("methods/corpus_run/*.py",),
    "filelock": ("methods/corpus_run/*.py",),
    "tqdm": ("methods/corpus_run/*.py",),
    "datasets": ("methods/corpus_run/data_sets.py",),  # imported late: an extra, like the next two
    "fsspec": ("methods/corpus_run/data_sets.py",),
    "distributed": ("methods/corpus_run/engines.py",),  # imported late: most users have no cluster
    "torchaudio": (),  # see requirements.txt
}
# Tests too: pyplot is one global figure for all visitors; pickles run code when they are read.
NOWHERE = ("matplotlib.pyplot", "pylab", "pickle", "dill", "cloudpickle", "shelve", "marshal")

BESIDE = ("corpus_run", "__main__")  # of methods: no techniques, but what runs all of them over a corpus

MAX_FUNCTION = 40  # lines without the docstring
MAX_FILE = 350  # lines
# (path, function) -> why it is better long. Empty is best.
LONG_FUNCTIONS: dict[tuple[str, str], str] = {}
LONG_FILES: dict[str, str] = {}

# Written in pieces, so that this file does not break its own rule.
PLACES = ("/wo" + "rk/", "/tm" + "p/w", "/opt" + "/pypi", "/opt" + "/wheels", "/ro" + "ot/")
HOSTS = ("py" + "pi.org", "python" + "hosted.org", "download.py" + "torch.org", "debian" + ".org", "npm" + "js.org")
IMPORTERS = {"__import__", "import_module", "importlib.import_module"}


def violations(sources: Mapping[str, str]) -> list[str]:
    """One line for each broken rule in `sources` (path from the root -> text): path, line, what and why."""
    trees = {path: ast.parse(text, path) for path, text in sources.items() if path.endswith(".py")}
    found = [f"{path}: {what}" for path, tree in trees.items() for what in _in_python(path, tree)]
    found += [f"{path}: {what}" for path, text in sources.items() for what in _in_text(path, text)]
    return sorted(found + list(_in_contents_table(trees)))


def _in_python(path: str, tree: ast.Module) -> Iterator[str]:
    for line, names in _imports(path, tree):
        yield from (f"line {line}: {what}" for what in chain(_wrong_home(path, names), _wrong_way(path, names)))
    yield from _runs_foreign_code(tree)
    yield from _long_functions(path, tree)


def _in_text(path: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        for place in PLACES:
            # Not inside a longer path or an address: example.org/work/ is nobody's machine.
            if re.search(r"(?<![\w./-])" + re.escape(place), line):
                yield f"line {number}: names a place on one machine ({place})"
        for host in HOSTS:
            if host in line:
                yield f"line {number}: names a package registry ({host}); that is the installer's setting"
    lines = len(text.splitlines())
    if path.endswith(".py") and lines > MAX_FILE and path not in LONG_FILES:
        yield f"{lines} lines, more than {MAX_FILE}: is there a second thing in it that wants a name?"


# Imports


def _imports(path: str, tree: ast.Module) -> Iterator[tuple[int, set[str]]]:
    """Line and every dotted name that an import could mean: `from a import b` is both `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield node.lineno, {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            yield node.lineno, {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in IMPORTERS:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, {first.value}


def _absolute(path: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = path.split("/")[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def _wrong_home(path: str, names: set[str]) -> Iterator[str]:
    for library in NOWHERE:
        if any(_within(name, library) for name in names):
            yield f"{library} is used nowhere"
    if _is_product(path):
        for library, homes in HOMES.items():
            if any(_within(name, library) for name in names) and not any(fnmatch(path, home) for home in homes):
                yield f"{library} lives only in {', '.join(homes) or 'no file'}"


def _wrong_way(path: str, names: set[str]) -> Iterator[str]:
    """Techniques know core and nothing else of ours; core knows only itself; the oracles know nothing of ours."""
    ours = {name for name in names if name.split(".")[0] in {"methods", "page", "app"}}
    if path == "tests/reference.py" and ours:
        yield "the oracles are independent: they import nothing of ours"
    if not path.startswith("methods/") or path == "methods/__init__.py":
        return
    own = ".".join(Path(path).with_suffix("").parts[:2])  # a technique's package knows its own parts
    if own.rpartition(".")[2] in BESIDE:
        own = "methods"  # what runs all of them
    who = "core" if own == "methods.core" else "a technique"
    for name in ours:
        if name.split(".")[0] != "methods":
            yield f"{who} does not know the page"
        # `from methods import core` also names the bare package; alone, `import methods` would reach everything.
        elif not (_within(name, "methods.core") or _within(name, own) or (name == "methods" and len(ours) > 1)):
            yield f"{who} imports nothing of ours but methods.core ({name})"


# Calls that would run what came with a model


def _runs_foreign_code(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "torch" and any(a.name == "load" for a in node.names):
            yield f"line {node.lineno}: call torch.load by its full name, so that its weights_only can be checked"
        for name, value in _settings(node):
            if name in {"trust_remote_code", "allow_pickle"} and not _is(value, False):
                yield f"line {node.lineno}: {name} may only be False"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "torch.load" and not any(n == "weights_only" and _is(v, True) for n, v in _settings(node)):
                yield f"line {node.lineno}: torch.load without weights_only=True runs what is in the file"
            if called == "torch.hub.load":
                yield f"line {node.lineno}: torch.hub.load runs a repository's code"


def _settings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """name=value in a call, and {"name": value} in a dict that may become one."""
    if isinstance(node, ast.Call):
        yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)
    if isinstance(node, ast.Dict):
        yield from ((k.value, v) for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant))


# Sizes and the table of contents


def _long_functions(path: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (path, node.name) not in LONG_FUNCTIONS:
            lines = _function_lines(node)
            if lines > MAX_FUNCTION:
                yield f"line {node.lineno}: {node.name} has {lines} lines without its docstring, over {MAX_FUNCTION}"


def _function_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    docstring = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) is not None else 0
    return node.end_lineno - node.lineno + 1 - docstring


def _in_contents_table(trees: Mapping[str, ast.Module]) -> Iterator[str]:
    """methods/__init__.py lists each technique file once, by hand, and nothing that does not exist."""
    table = "methods/__init__.py"
    files = {Path(p).parts[1].removesuffix(".py") for p in trees if p.startswith("methods/")} - {
        "core",
        "__init__",
        *BESIDE,
    }
    if table not in trees:
        if files:
            yield f"{table}: lacking, though there are techniques: {', '.join(sorted(files))}"
        return
    listed = _techniques(trees[table])
    for name in sorted(files | set(listed)):
        if name not in listed:
            yield f"{table}: methods/{name} is not in TECHNIQUES"
        elif name not in files:
            yield f"{table}: TECHNIQUES names {name}, but there is no such module"
        elif listed.count(name) > 1:
            yield f"{table}: TECHNIQUES names {name} twice"


def _techniques(tree: ast.Module) -> list[str]:
    """Names in TECHNIQUES: strings or modules, alone, as keys of a dict or first in a tuple."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "TECHNIQUES" for target in targets):
            entries = node.value.keys if isinstance(node.value, ast.Dict) else getattr(node.value, "elts", [])
            return [_entry_name(entry) for entry in entries]
    return []


def _entry_name(entry: ast.expr) -> str:
    if isinstance(entry, ast.Tuple | ast.List | ast.Call):
        entry = (entry.args if isinstance(entry, ast.Call) else entry.elts)[0]
    return (entry.value if isinstance(entry, ast.Constant) else ast.unparse(entry)).split(".")[-1]


# Small words


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _is_product(path: str) -> bool:
    return path == "app.py" or path.startswith(("page/", "methods/"))


def _is(value: ast.expr, constant: bool) -> bool:
    return isinstance(value, ast.Constant) and value.value is constant


# The tree


@pytest.fixture(scope="module")
def sources():
    return tree_sources()


def test_the_tree_keeps_the_rules(sources):
    assert not violations(sources), "\n" + "\n".join(violations(sources))


def test_the_whole_tree_is_read(sources):
    assert {"README.md", ".ci/run", "methods/core/errors.py"} <= set(sources)


def test_every_exception_is_still_needed(sources):
    for path in LONG_FILES:
        assert len(sources[path].splitlines()) > MAX_FILE, f"{path} is short enough: take it off the list"
    for path, name in LONG_FUNCTIONS:
        named = [n for n in ast.walk(ast.parse(sources[path])) if isinstance(n, ast.FunctionDef) and n.name == name]
        assert any(_function_lines(n) > MAX_FUNCTION for n in named), f"{name} in {path}: take it off the list"


# The rules themselves, each broken once on purpose

TABLE = {"methods/__init__.py": 'TECHNIQUES = ("attention", "probing")', "methods/probing.py": ""}
LONG = "def f():\n" + "    x = 1\n" * MAX_FUNCTION


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("methods/attention.py", "import gradio as gr", "line 1: gradio lives only in app.py"),
        ("methods/core/frames.py", "import importlib\nimportlib.import_module('gradio')", "line 2: gradio lives only"),
        ("methods/attention.py", "from transformers import WhisperModel", "transformers lives only in"),
        ("methods/core/audio.py", "import safetensors.torch", "safetensors lives only in"),
        ("page/shell.py", "import huggingface_hub", "huggingface_hub lives only in"),
        ("methods/core/models/__init__.py", "import soundfile as sf", "soundfile lives only in methods/core/audio/"),
        ("methods/core/audio.py", "import parselmouth", "parselmouth lives only in methods/core/speech/praat.py"),
        ("methods/core/audio.py", "import torchaudio", "torchaudio lives only in no file"),
        ("page/shell.py", "import torch", "torch lives only in"),
        ("methods/core/frames.py", "from matplotlib import pyplot as plt", "matplotlib.pyplot is used nowhere"),
        ("tests/test_draw.py", "import matplotlib.pyplot as plt", "matplotlib.pyplot is used nowhere"),
        ("methods/attention.py", "from methods import probing", "a technique imports nothing of ours but"),
        ("methods/attention.py", "from .probing import analyse", "(methods.probing)"),
        ("methods/attention/figure.py", "from methods.probing.figure import plot", "(methods.probing.figure)"),
        ("methods/attention.py", "import methods", "(methods)"),
        ("methods/attention.py", "from page.shell import tab", "a technique does not know the page"),
        ("methods/core/models/sites.py", "from methods.attention import Result", "core imports nothing of ours but"),
        ("methods/core/models/sites.py", "from ... import attention", "(methods.attention)"),
        ("methods/core/models/sites.py", "import app", "core does not know the page"),
        ("tests/reference.py", "from methods.core.audio import SAMPLE_RATE", "the oracles are independent"),
        ("methods/core/models/__init__.py", "load(trust_remote_code=flag)", "trust_remote_code may only be False"),
        ("methods/core/cache.py", "options = {'trust_remote_code': True}", "trust_remote_code may only be False"),
        ("tests/test_x.py", "np.load(path, allow_pickle=True)", "allow_pickle may only be False"),
        ("methods/core/cache.py", "torch.load(path, weights_only=False)", "torch.load without weights_only=True"),
        ("methods/core/models/weights.py", "from torch import load", "call torch.load by its full name"),
        ("methods/core/models/weights.py", "torch.hub.load('someone/something', 'model')", "torch.hub.load runs"),
        ("methods/core/frames.py", LONG, f"f has {MAX_FUNCTION + 1} lines without its docstring"),
        ("methods/core/frames.py", "class C:\n" + LONG.replace("\n", "\n    ").replace("def", "    def"), "f has"),
        ("methods/core/frames.py", "\n" * (MAX_FILE + 1), f"{MAX_FILE + 1} lines, more than {MAX_FILE}"),
        ("README.md", "Look in " + PLACES[0] + "main", "names a place on one machine"),
        (".ci/run", "pip install --index-url https://" + HOSTS[0], "names a package registry"),
        ("methods/__init__.py", "TECHNIQUES = ('attention', 'probing', 'lens')", "TECHNIQUES names lens, but"),
        ("methods/__init__.py", "TECHNIQUES = ('probing',)", "methods/attention is not in TECHNIQUES"),
        ("methods/__init__.py", "TECHNIQUES = ('probing', 'attention', 'probing')", "names probing twice"),
    ],
)
def test_a_planted_violation_is_caught(path, source, complaint):
    planted = {"methods/attention.py": "", **TABLE, path: source}
    caught = violations(planted)
    assert caught, "nothing was caught"
    assert any(line.startswith(path) and complaint in line for line in caught), caught


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("page/tabs/attention.py", "import gradio\nfrom methods import attention, TECHNIQUES"),
        ("methods/core/models/hub.py", "from transformers import AutoModel\nAutoModel.f(trust_remote_code=False)"),
        ("methods/core/models/weights.py", "import torch\ntorch.load(path, map_location='cpu', weights_only=True)"),
        ("methods/core/audio/__init__.py", "import av, soundfile, soxr\nfrom ..errors import UserError"),
        ("methods/core/alignment/forced.py", "import pocketsphinx\nfrom methods.core import audio"),
        ("methods/attention/figure.py", "from methods.attention.result import Attention"),
        ("methods/attention.py", "import torch\nfrom methods.core.models import encode\nfrom .core import draw"),
        ("methods/avoid.py", "import avro"),  # a name that only begins like a library
        ("methods/__init__.py", "from methods import attention, probing\nTECHNIQUES = (attention, probing)"),
        ("methods/__init__.py", "TECHNIQUES: dict[str, str] = {'attention': 'Who looks', 'probing': 'What is in'}"),
        ("methods/__init__.py", "TECHNIQUES = [('attention', 1), Entry('probing', group=2)]"),
        ("tests/test_audio.py", "import soundfile, av, gradio, transformers\nfrom methods import attention"),
        ("methods/core/frames.py", 'def f():\n    """' + "Long.\n" * MAX_FUNCTION + '"""'),
        ("README.md", "https://example.org" + PLACES[0] + "index.html"),
    ],
)
def test_what_is_allowed_is_not_caught(path, source):
    clean = {"methods/attention.py": "", **TABLE, path: source}
    if path == "methods/avoid.py":
        clean["methods/__init__.py"] = 'TECHNIQUES = ("attention", "probing", "avoid")'
    assert violations(clean) == []
