"""Ten thousand recordings cost ten thousand times one: counted, not timed (`benchmarks/runs.py` has the seconds)."""

import cProfile
import weakref
from functools import partial

import pandas as pd
import pytest
from corpus_run import doubles

from methods.corpus_run import Ask, one_table, run


@pytest.fixture
def asked(monkeypatch, tiny_model):
    doubles.register(monkeypatch)
    return (Ask("loudness", tiny_model.id),)


def rows(out):
    return pd.read_parquet(out / "loudness.parquet")


def test_the_work_for_a_clip_does_not_grow_with_their_number(asked, tmp_path):
    """Calls of functions, which no busy machine changes: in a run and in one that finds all done."""
    counts = []
    for count in (10, 20, 40, 80):  # the first pays for what is made once
        folder = doubles.recordings(tmp_path / f"{count}", {f"{n:03d}": 0.1 + n / 1000 for n in range(count)}, 0.01)
        counts.append([calls(partial(run, asked, str(folder), tmp_path / f"out{count}")) for _ in range(2)])
    for least, middle, most in zip(*counts[1:], strict=True):
        assert (most - middle) / 40 <= 1.1 * (middle - least) / 20, counts
    run_each, restart_each = ((b - a) / 40 for a, b in zip(*counts[2:], strict=True))
    assert run_each < 2600 and restart_each < 1600, counts  # twice what it was when this was written; 26,000 once


def calls(work):
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())


def test_no_outcome_is_held_once_it_is_written(asked, corpus, out):
    """Memory stays flat: of all that were measured one is there, while the next one is made."""
    held = []

    def watched(outcomes, _count):
        for outcome in outcomes:
            assert sum(each() is not None for each in held) <= 1
            held.append(weakref.ref(outcome))
            yield outcome
            del outcome

    assert run(asked, str(corpus), out, watch=watched).measured == len(held) == 3


def test_a_table_whose_parts_are_the_same_is_not_written_again(asked, corpus, out, monkeypatch):
    run(asked, str(corpus), out)
    monkeypatch.setattr(one_table, "_write", lambda *_: pytest.fail("written again"))
    assert run(asked, str(corpus), out).known == 3


def test_a_table_is_put_together_in_groups(asked, corpus, out, monkeypatch):
    monkeypatch.setattr(one_table, "ROWS", 4)
    monkeypatch.setattr(one_table, "TOGETHER", 1)
    run(asked, str(corpus), out)
    run((Ask("loudness", asked[0].model, {"fail": "b"}),), str(corpus), out)  # a row without numbers among them
    assert len(rows(out)) == 6 + 5 and rows(out).level.isna().sum() == 1
