"""Both lenses: the last layer is the model's own answer, places are times of this clip, agreement is an alignment."""

import difflib
import io
from dataclasses import replace

import numpy as np
import pytest
import transformers
from tiny_wav2vec2 import tiny_config, tiny_network

from methods import two_lenses
from methods.core import alignment, models
from methods.core.errors import UserError
from methods.core.frames import AlignmentError
from methods.core.lenses import ctc, decoder
from methods.core.models import load_model
from page.examples import EXAMPLES
from page.session import Session
from page.tabs import two_lenses as two_lenses_tab

TINY, HAMA = "openai/whisper-tiny.en", "hama-ctc"
WEASELS = EXAMPLES["en_f_weasels"]


@pytest.fixture(scope="module")
def both():
    words = WEASELS.tiers()["words"]
    with pytest.MonkeyPatch.context() as patch:
        # Layers that loop then end after twice the tokens of the transcript; all that is asked of them is to be wrong.
        patch.setattr(two_lenses, "SHORTEST_CAP", 0)
        return two_lenses.analyse(WEASELS.clip(), load_model(TINY), segments=words, random_seeds=(0,))


def test_the_last_layer_writes_the_models_own_words_at_their_own_times(both):
    own = alignment.words(WEASELS.clip(), load_model(TINY))
    found, right = both.found("words", len(both.layers) - 1)
    assert [(s.label, s.start, s.end) for s in found] == [(s.label, s.start, s.end) for s in own]
    assert right.all() and both.word_errors[-1] == 0 and both.symbol_errors[-1] == 0


def test_symbols_are_there_before_words(both):
    assert both.symbol_errors[3] < 0.3 and both.word_errors[3] > 0.8
    assert both.symbol_errors[0] > 0.7
    (twin,) = both.random
    assert twin.symbol_errors.min() > 0.7 and twin.word_errors.min() > 0.8


def test_everything_lies_within_the_clip_in_order_and_apart(both):
    for kind in both.lenses:
        for layer in range(len(both.layers)):
            found, _ = both.found(kind, layer)
            edges = np.array([(s.start, s.end) for s in found]).reshape(-1, 2)
            assert (np.diff(edges, axis=1) > 0).all() and (edges[1:, 0] >= edges[:-1, 1] - 1e-9).all()
            assert not len(edges) or (edges[0, 0] >= 0 and edges[-1, 1] <= WEASELS.clip().seconds + 1e-9)


def test_a_model_with_a_ctc_head_alone_shows_what_it_reads():
    clip, model = WEASELS.clip(), load_model(HAMA)
    result = two_lenses.analyse(clip, model, random_seeds=())
    assert result.lenses == ("symbols",) and result.word_errors is None
    marks = ctc.read(clip, model).marks
    found, _ = result.found("symbols", len(result.layers) - 1)
    assert [(s.label, s.start, s.end) for s in found] == [(m.label, m.start, m.end) for m in marks]


def test_agreement_keeps_the_longest_common_subsequence_where_nothing_is_substituted():
    meant, said = list("abcdef"), list("xabdf")
    # With insertions and deletions alone the fewest edits are a longest common subsequence, here by the library.
    matcher = difflib.SequenceMatcher(a=meant, b=said, autojunk=False)
    kept = {block.b + i for block in matcher.get_matching_blocks() for i in range(block.size)}
    assert [i in kept for i in range(len(said))] == two_lenses.agreeing(meant, said)
    assert two_lenses.agreeing("ab", "") == [] and two_lenses.agreeing("", "ab") == [False, False]


def test_a_model_without_a_head_shows_words_alone(clip, tiny_model, segments):
    result = two_lenses.analyse(clip, tiny_model, segments=segments, language="en", random_seeds=(0, 1))
    assert result.lenses == ("words",) and len(result.random) == 2 and result.head == ""
    heard = models.transcribe(clip, tiny_model, language="en")
    assert result.layers == models.encode(clip, tiny_model).layer_names and heard.text is not None
    table = result.table()
    assert set(table["weights"]) <= {"trained", "random 0", "random 1"}
    two_lenses.plot(result).savefig(io.BytesIO(), format="svg")
    line = two_lenses_tab.status_line(result, {"shown": "symbols"})
    assert "words alone" in line
    assert two_lenses_tab.chosen(result, {"shown": "symbols"}) == ("words",)


def test_words_without_a_place_count_as_errors_all_the_same(clip, tiny_model, monkeypatch):
    options = {"language": "en", "random_seeds": ()}
    # Its words have higher numbers than <|notimestamps|>, which in a real vocabulary only time stamps have.
    model = replace(tiny_model, decoding=replace(tiny_model.decoding, no_timestamps=63))
    tokens = models.transcribe(clip, model, text="ab cd").tokens
    wrote = [decoder.Written(tokens[:n], True) for n in (3, 3, len(tokens))]
    monkeypatch.setattr(decoder, "greedy", lambda *_: wrote)
    placed = two_lenses.analyse(clip, model, **options)
    assert placed.label.tolist() == ["ab", "ab", "ab", "cd"] and not placed.unplaced.any()

    def too_many(*_):
        raise AlignmentError("more words than frames")

    monkeypatch.setattr(alignment, "words_in_states", too_many)
    lost = two_lenses.analyse(clip, model, **options)
    np.testing.assert_array_equal(lost.word_errors, placed.word_errors)
    np.testing.assert_array_equal(lost.unplaced, np.bincount(placed.layer, minlength=len(placed.layers)))
    assert not len(lost.label)
    assert "counted as errors, not drawn" in two_lenses_tab.status_line(lost, {"shown": "both"})


def test_phones_that_are_not_there_are_asked_for(clip, tiny_model, segments):
    session = Session(clip, None, words=segments)
    with pytest.raises(UserError, match="no phones yet"):
        two_lenses_tab._steps(session, tiny_model, "phones", {"unit": "phones"})


def test_a_model_with_neither_is_refused(clip, tmp_path):
    tiny_network(tiny_config("hubert")).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=16_000, do_normalize=True).save_pretrained(tmp_path)
    model = load_model(str(tmp_path))
    with pytest.raises(UserError, match="neither a CTC head nor a decoder"):
        two_lenses.analyse(clip, model, random_seeds=())


def test_the_page_has_a_row_per_lens_and_layer(both):
    values = {"shown": "both", "unit": "phones"}
    plot, symbols, words = two_lenses_tab.drawn(both, values)
    # What is said, five layers of two lenses, and both for the random encoder.
    assert [row["kind"] for row in plot["rows"]] == ["segments"] * 13
    assert plot["rows"][1]["label"].endswith("symbols") and "<svg" in symbols and "<svg" in words
    alone = two_lenses_tab.sound_view(both, {"shown": "words", "unit": "phones"})
    assert len(alone["rows"]) == 7
    two_lenses.plot(both).savefig(io.BytesIO(), format="svg")
