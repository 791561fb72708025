"""What is not done as it was asked is said on screen: nothing is replaced in silence."""

import dataclasses
import inspect
from types import SimpleNamespace

import numpy as np
import pytest
from spoken import spoken

from methods import abx, ctc_lens, decoder_lens, discrete_units, projection
from methods.core.frames import Segment
from methods.core.models import load_model
from methods.projection import embedding, points
from page.session import Session
from page.tabs import abx as abx_tab
from page.tabs import continuum, paralinguistics
from page.tabs import ctc_lens as ctc_lens_tab
from page.tabs import decoder_lens as decoder_lens_tab
from page.tabs import discrete_units as discrete_units_tab
from page.tabs import projection as projection_tab


@pytest.fixture(scope="module")
def corpus():
    return spoken(6, 4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "tsne", "perplexity": 50.0}, "perplexity 13.0, for 50 is too much for 40 points"),
        ({"method": "umap", "neighbours": 900}, "39 neighbours, for there are no 900 beside each of 40 points"),
        ({"method": "pca", "perplexity": 50.0, "neighbours": 900}, None),
        ({"method": "tsne", "perplexity": 5.0}, None),
    ],
)
def test_a_neighbourhood_that_was_cut_down(options, said):
    taken = inspect.signature(projection.analyse).parameters.values()
    defaults = {option.name: option.default for option in taken if option.default is not option.empty}
    found = points.notes(SimpleNamespace(items=range(40)), points.PointsAsked(**defaults | options))
    assert found == ((said,) if said else ())


def test_a_map_that_is_not_the_one_asked_for(corpus, tiny_model):
    options = {"method": "umap", "neighbours": 900, "most": 40, "random_seeds": ()}
    result = projection.analyse(corpus, tiny_model, **options)
    line = projection_tab.status_line(result, projection_tab.fitted(result, {"layer": 0, "of": "trained"}))
    assert result.notes[0] in line
    assert "there are no 900 beside each" in line
    assert "not there" not in line
    wanted = projection_tab.fitted(result, {"layer": 0, "of": "random"})
    assert "not there (yet): this is the trained model's" in projection_tab.status_line(result, wanted)


def test_the_largest_perplexity_is_one_that_scikit_learn_takes():
    """A third of the other points: the neighbours that t-SNE looks at are at most all of them."""
    assert embedding.most_perplexity(31) == 10


def test_a_symbol_that_is_not_there_and_a_lens_that_was_not_trained(clip):
    result = ctc_lens.analyse(clip, load_model("hama-ctc"), random_seeds=())
    asked = {"layer": 2, "lens": "tuned", "unit": "phones", "symbol": "<b>", "blank": "keep", "against": "top"}
    line = ctc_lens_tab.status_line(result, values := ctc_lens_tab.fitted(result, asked))
    assert f"“&lt;b&gt;” is no symbol of this head: {values['symbol']} is followed" in line
    assert "no head per layer here: the raw lens is shown" in line
    assert "words or phones are not known" in line
    known = ctc_lens_tab.fitted(result, asked | {"symbol": result.symbols[1], "lens": "raw"})
    line = ctc_lens_tab.status_line(result, known)
    assert "no symbol" not in line
    assert "raw lens" not in line


def test_why_there_is_no_map_over_time(clip, tiny_model):
    cut = (Segment("ab", 0.1, 0.4), Segment("cd", 0.5, 0.9))
    timed = decoder_lens.analyse(clip, tiny_model, transcript="ab cd", segments=cut, random_seeds=())
    told = []
    for count in (0, 1):
        options = timed.provenance["options"] | {"segments": timed.provenance["options"]["segments"][:count]}
        less = dataclasses.replace(timed, words=(), provenance=timed.provenance | {"options": options})
        told.append(decoder_lens_tab.status_line(less, {}))
    assert "no map over time: its words could not be placed" in told[0]
    assert "no map over time: 1 word has times and the text has 2" in told[1]
    assert "no map" not in decoder_lens_tab.status_line(timed, {})


def test_a_table_of_some_categories_says_so(corpus, tiny_model, monkeypatch):
    result = abx.analyse(corpus, tiny_model, modes=("any",), random_seeds=())
    values = {"shown": "any", "layer": 0}
    assert "ABX error of every pair;" in str(abx_tab.table(result, values))
    monkeypatch.setattr(abx_tab, "MOST_SHOWN", 3)
    told = str(abx_tab.table(result, values))
    assert f"ABX error of the 3 most confused of {len(result.classes)} categories;" in told


def test_phones_without_a_neighbour_are_none_to_compare(corpus, tiny_model):
    result = discrete_units.analyse(corpus, tiny_model, units=5, random_seeds=())
    lost = dataclasses.replace(result, divergence=np.full_like(result.divergence, np.nan))
    assert discrete_units_tab.nearest(lost, 0).endswith("none to compare.")
    assert "inf" not in discrete_units_tab.nearest(result, 0)


@pytest.mark.parametrize("value", [None, "", "9", "-1", "x", []])
def test_an_emptied_list_of_places_begins_anew(clip, segments, value):
    session = Session(clip, None, words=segments)
    value = str(value) if isinstance(value, list) else value
    assert paralinguistics._intervals(session, "words", value)[0]["value"] == "1"
    first, second = continuum._segment_lists(session, "words", value, value)
    assert (first["value"], second["value"]) == ("1", "2")
    assert paralinguistics._intervals(session, "words", "3")[0]["value"] == "3"
    assert continuum._segment_lists(session, "words", "4", "3")[0]["value"] == "4"
