"""Three small recordings, and a folder for what is found in them."""

import pytest
from corpus_run import doubles


@pytest.fixture
def corpus(tmp_path):
    return doubles.recordings(tmp_path / "corpus", {"a": 0.1, "b": 0.2, "c": 0.4})


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"
