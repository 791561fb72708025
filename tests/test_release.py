"""What is installed, tested and released is what the files say, each of them the same."""

import re

import pytest
from tree import tree_sources

import methods


@pytest.fixture(scope="module")
def sources():
    return tree_sources()


def test_the_space_installs_the_gradio_that_is_pinned(sources):
    version = re.search(r"^sdk_version: (\S+)$", sources["README.md"], re.MULTILINE)[1]
    assert f"\ngradio=={version} " in sources["requirements.txt"]


def test_ci_runs_the_command_of_the_readme(sources):
    command = sources[".ci/run"].rstrip().splitlines()[-1]
    assert "pytest" in command
    assert command in sources["README.md"].splitlines()


def test_a_release_has_one_version(sources):
    """What a result says of the software is what its citation, its package and its changelog say."""
    written = {
        "pyproject.toml": r'^version = "(\S+)"$',
        "CITATION.cff": r"^version: (\S+)$",
        "CHANGELOG.md": r"^## (\d\S+) - \d{4}-\d\d-\d\d$",
    }
    found = {path: re.search(pattern, sources[path], re.MULTILINE)[1] for path, pattern in written.items()}
    assert set(found.values()) == {methods.__version__}, found
    released = re.search(rf"^## {re.escape(methods.__version__)} - (\S+)$", sources["CHANGELOG.md"], re.MULTILINE)[1]
    assert f"date-released: {released}" in sources["CITATION.cff"]
