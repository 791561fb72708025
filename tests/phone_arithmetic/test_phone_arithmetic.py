"""Phone arithmetic over recordings: shares and ranks computed anew, controls, refusals, and the page."""

import io

import numpy as np
import pytest

from methods import phone_arithmetic
from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance, features
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import load_model
from methods.core.progress import finish
from methods.phone_arithmetic.analysis import EXAMPLES, ArithmeticAsked, scene_of
from page.export import downloads
from page.tabs import phone_arithmetic as tab

PHONES = ("b", "d", "k", "g", "p", "t")
ASKED = {"splits": 3, "shuffles": 2, "fewest": 4, "random_seeds": (0,)}
VALUES = {"corpus": "own", "kinds": "consonants", "layer": 48, "number": 0}


def recordings(count=6, seed=0):
    """Each phone once in each recording, a tone of its own in noise."""
    random, made = np.random.default_rng(seed), []
    for number in range(count):
        order, phones, sound = random.permutation(len(PHONES)), [], []
        times = np.arange(1600) / 16_000
        for place, phone in enumerate(order):
            phones.append(Segment(PHONES[phone], place / 10, (place + 1) / 10))
            sound.append(np.sin(2 * np.pi * (300 + 250 * phone) * times))
        samples = 0.1 * (np.concatenate(sound) + random.normal(size=len(PHONES) * 1600))
        made.append(Utterance(Clip(samples.astype(np.float32), f"toy {number}"), "ann", phones=tuple(phones)))
    return Corpus("toy", tuple(made))


@pytest.fixture(scope="module")
def model():
    return load_model("hama-ctc")


@pytest.fixture(scope="module")
def result(model):
    return phone_arithmetic.analyse(recordings(), model, **ASKED)


def token_means(corpus, model, layer):
    """(recording, phone) -> its mean state, frame by frame."""
    places = finish(features.of_model(corpus, model))
    found = {}
    for number, utterance in enumerate(corpus.utterances):
        states = places.layers[layer][places.offsets[number] : places.offsets[number + 1]].astype(float)
        for phone in utterance.phones:
            inside = [
                i for i, t in enumerate(places.grids[number].times) if phone.start - 1e-9 <= t < phone.end - 1e-9
            ]
            found[number, phone.label] = states[inside].mean(0)
    return found


def slow_place(query, answers, names):
    """Which place the answer of plus, minus, given, answer has among all phones but the first three."""
    plus, minus, given, answer = names
    centre = np.mean(list(query.values()), 0)
    wanted = query[plus] - query[minus] + query[given] - centre
    near = {}
    for phone in set(PHONES) - {plus, minus, given}:
        other = answers[phone] - centre
        near[phone] = wanted @ other / np.linalg.norm(wanted) / np.linalg.norm(other)
    return 1 + sum(value > near[answer] for value in near.values())


@pytest.mark.parametrize("layer", [0, 3])
def test_shares_and_places_are_those_of_a_slow_search(result, model, layer):
    asked = ArithmeticAsked("consonants", 4, 3, 2, "clip", True, (0,), 0)
    tokens, places = token_means(recordings(), model, layer), []
    for half in scene_of(recordings(), asked).halves:
        means = [
            {p: np.mean([tokens[n, p] for n in np.flatnonzero(side)], 0) for p in PHONES} for side in (half, ~half)
        ]
        for query, answers in (means, means[::-1]):
            names = [[result.phones[p] for p in each] for each in result.analogies]
            places.append([slow_place(query, answers, each) for each in names])
    np.testing.assert_allclose(result.ranks[layer], np.mean(places, 0))
    np.testing.assert_allclose(result.right[layer], (np.array(places) == 1).mean(0))


def test_what_a_result_holds(result):
    sums = len(result.analogies)
    assert result.right.shape == (len(result.layers), sums)
    assert result.planes.shape == (len(result.layers), sums, len(PHONES) + 1, 2)
    assert result.candidates == 3
    assert result.chance == pytest.approx(1 / 3)
    assert ((result.low <= result.found) & (result.found <= result.high)).all()
    assert result.shuffled.shape == (2, len(result.layers))
    assert result.controls.random_found.shape == (1, len(result.layers))
    assert 0 <= result.controls.mfcc_found <= 1
    assert result.utterance.shape == (len(PHONES), EXAMPLES)
    assert (result.end > result.start).all()
    assert "d − t + p = b" in [result.written(number) for number in range(sums)]
    table = result.table()
    assert len(table) == len(result.layers) * sums
    arrays = np.load(io.BytesIO(downloads.npz(result)), allow_pickle=False)
    assert all(arrays[name].dtype != object for name in arrays.files)
    assert phone_arithmetic.plot(result, layer=1)
    assert table["chance"].iloc[0] == result.chance
    assert table["right"].mean() == pytest.approx(result.right.mean())
    assert table["random_0_found"].iloc[0] == result.controls.random_found[0, 0]


def test_the_page_shows_what_there_is(result):
    values = tab.fitted(result, VALUES)
    assert values["layer"] == len(result.layers) - 1
    assert result.written(values["number"] - 1) == "d − t + p = b"
    found, consistent, grid, plane, table = tab.drawn(result, values)
    assert "<svg" in found
    assert "<svg" in consistent
    assert "<svg" in plane
    assert len(grid["rows"][0]["rows"]) == len(result.kinds)
    assert "d − t + p = b" in table
    assert {tab._short(kind) for kind in result.kinds} == {
        "alve/labi",
        "alve/vela",
        "labi/vela",
        "voicing",
    }
    heard = tab.pressed(result, recordings(), 0, 1)
    assert heard.count("<audio") == 4
    assert "<svg" in heard
    assert "chance 0.33" in tab.status_line(result, values)


def test_refusals(model):
    few = Corpus("few", recordings(3).utterances)
    with pytest.raises(UserError, match="it takes 4"):
        phone_arithmetic.analyse(few, model, **(ASKED | {"fewest": 2}))
    with pytest.raises(UserError, match="no two pairs differ"):
        phone_arithmetic.analyse(recordings(), model, **(ASKED | {"kinds": "vowels"}))
