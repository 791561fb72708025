"""What is on a plot is in its files: every array of a result, and of its random-weights twins, whatever its shape."""

import io
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from methods.core.results import read_only
from page.export import downloads


@dataclass(frozen=True, eq=False)
class Part:
    share: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Result:
    curve: np.ndarray  # (layers,)
    maps: np.ndarray  # (layers, times)
    times: np.ndarray  # (times,) the same for every network
    found: tuple[str, ...]  # as many as the network happens to find
    part: Part
    accuracy: np.ndarray | None
    said: tuple[str, ...]
    random: tuple["Result", ...]
    provenance: dict[str, Any]


def result(seed, found=("a",), accuracy=None):
    rng = np.random.default_rng(seed)
    times = read_only([0.1, 0.2, 0.3])
    part = Part(read_only(rng.random(4)), ("x", "y"))
    accuracy = None if accuracy is None else read_only(accuracy)
    origin = {"options": {"seed": seed}}
    return Result(
        read_only(rng.random(2)), read_only(rng.random((2, 3))), times, found, part, accuracy, (), (), origin
    )


def saved(of):
    with np.load(io.BytesIO(downloads.npz(of)), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_curves_of_the_twins_are_kept_as_well_as_their_maps():
    twins = tuple(result(seed, accuracy=[0.5, 0.6]) for seed in (4, 7))
    kept = saved(replace(result(0, accuracy=[0.8, 0.9]), random=twins))
    np.testing.assert_array_equal(kept["random_seeds"], [4, 7])
    for name in ("curve", "maps", "accuracy"):
        np.testing.assert_array_equal(kept[f"random_{name}"], [getattr(twin, name) for twin in twins])
    np.testing.assert_array_equal(kept["random_part_share"], [twin.part.share for twin in twins])
    assert json.loads(str(kept["provenance"])) == {"options": {"seed": 0}}


def test_what_is_the_same_in_a_twin_is_not_repeated():
    kept = saved(replace(result(0), random=(result(4), result(7))))
    assert not {"random_times", "random_part_names", "random_found", "random_said", "random_random"} & set(kept)
    np.testing.assert_array_equal(kept["times"], [0.1, 0.2, 0.3])


def test_uneven_twins_come_seed_by_seed():
    kept = saved(replace(result(0), random=(result(4, ("a", "b")), result(7, ("c",), accuracy=[0.1, 0.2]))))
    assert kept["random_4_found"].tolist() == ["a", "b"]
    assert kept["random_7_found"].tolist() == ["c"]
    np.testing.assert_array_equal(kept["random_7_accuracy"], [0.1, 0.2])
    assert "random_4_accuracy" not in kept


@pytest.mark.parametrize("found", [(), ("a",)])
def test_names_stay_names_where_there_are_none(found):
    assert saved(result(0, found))["found"].dtype.kind == "U"


def test_parts_of_one_kind_come_as_one_array_where_they_can():
    parts = (Part(read_only([1.0, 2.0]), ("a",)), Part(read_only([3.0, 4.0]), ("b", "c")))
    kept = saved(replace(result(0), part=parts))
    np.testing.assert_array_equal(kept["part_share"], [[1, 2], [3, 4]])
    assert kept["part_0_names"].tolist() == ["a"] and kept["part_1_names"].tolist() == ["b", "c"]
    assert "part_names" not in kept
