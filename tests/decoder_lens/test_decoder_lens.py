"""The decoder lens: the top layer is the model itself, error rates are right, and examples behave as they must."""

import dataclasses
import itertools
import re

import numpy as np
import pytest
import torch

from methods import decoder_lens
from methods.core import models
from methods.core.audio import Clip, load_clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.lenses import decoder
from methods.core.models import load_model
from methods.core.speech import edits
from page.tabs import decoder_lens as decoder_lens_tab
from tiny import tiny_whisper

# The same float32 sums in another order: errors of some eps (1.2e-7) of logits of order 10 to 30, through few layers.
ROUNDING = 5e-5
WEASELS = "examples_audio/cc-by-sa-3.0/en_f_weasels.wav"


def analyse(clip, model, **options):
    return decoder_lens.analyse(clip, model, **{"language": "en", "random_seeds": (0, 1), **options})


@pytest.fixture(scope="module")
def tiny_result(clip, tiny_model):
    return analyse(clip, tiny_model, transcript="ab cd")


# The stream and the decoder on it


def test_the_norm_of_the_raw_last_stream_is_what_the_model_passes_on(clip, tiny_model):
    raw = decoder.streams(clip, tiny_model)
    states = models.encoder_states(clip, tiny_model)
    assert raw.shape == (3, 1500, 16)
    assert torch.equal(decoder.readable(tiny_model, raw)[-1], states.output[0])
    assert torch.equal(raw[-1, : len(states.raw_last)], states.raw_last)
    assert torch.equal(raw[:-1, : states.hidden.shape[1]], states.hidden[:-1])
    assert decoder.readable(tiny_model, raw, norm=False) is raw


def test_the_top_layer_is_the_model(clip, tiny_model):
    forced = models.transcribe(clip, tiny_model, text="ab cd", language="en")
    result = analyse(clip, tiny_model, transcript="ab cd", random_seeds=())
    np.testing.assert_allclose(result.logprobs[-1], forced.logprobs, atol=ROUNDING)
    np.testing.assert_array_equal(result.decoder_logprobs[-1], forced.logprobs)
    assert result.no_speech[-1] == pytest.approx(forced.no_speech, rel=1e-5)


def test_every_layer_writes_what_generate_writes(clip, tiny_model):
    """Against transformers' own loop, one layer at a time."""
    heard = models.transcribe(clip, tiny_model, language="en")
    states = decoder.readable(tiny_model, decoder.streams(clip, tiny_model))
    for ours, state in zip(decoder.greedy(tiny_model, states, heard.prompt, 12), states, strict=True):
        assert ours.tokens == generated(tiny_model, state, heard.prompt, 12)


@pytest.mark.parametrize("right", [0, 3, 12])
def test_a_guessed_text_does_not_change_what_is_written(clip, tiny_model, right):
    """A guess that is right for so many tokens, alone and in a batch whose rows want different texts."""
    heard = models.transcribe(clip, tiny_model, language="en")
    states = decoder.readable(tiny_model, decoder.streams(clip, tiny_model))
    plain = decoder.greedy(tiny_model, states, heard.prompt, 12)
    own = plain[-1].tokens
    guess = (*own[:right], *((token + 1) % 50 for token in own[right:]))
    assert decoder.greedy(tiny_model, states, heard.prompt, 12, guess) == plain
    assert decoder.greedy(tiny_model, states[-1:], heard.prompt, 12, guess) == plain[-1:]


def generated(model, state, prompt, longest):
    from transformers.modeling_outputs import BaseModelOutput

    with torch.inference_mode():
        ids = model.network.generate(
            encoder_outputs=BaseModelOutput(state[None]),
            decoder_input_ids=torch.tensor([prompt]),
            max_new_tokens=longest,
            do_sample=False,
            num_beams=1,
            suppress_tokens=list(model.decoding.suppressed) or None,
            begin_suppress_tokens=list(model.decoding.suppressed_first) or None,
            return_timestamps=False,
        )[0].tolist()
    tokens = ids[len(prompt) :] if tuple(ids[: len(prompt)]) == tuple(prompt) else ids
    return tuple(tokens[: tokens.index(model.decoding.end)] if model.decoding.end in tokens else tokens)


def test_the_reader_is_the_decoder():
    """In float64 against transformers' decoder: in one go, and token by token after rows have left."""
    network = tiny_whisper(seed=3, layers=3, heads=4, dim=32, ffn=48, double=True)
    states = torch.randn(4, 1500, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ids = torch.tensor([[1, 5, 9, 4, 22, 7]] * 4)
    ids[:, 4:] += torch.arange(4)[:, None]
    with torch.no_grad():
        expected = network.model.decoder(ids, encoder_hidden_states=states, use_cache=False).last_hidden_state
        whole = decoder.LayerReader(network, states).read(ids)
        reader = decoder.LayerReader(network, states)
        first = reader.read(ids[:, :4])
        reader.keep([1, 3])
        later = torch.cat([reader.read(ids[[1, 3], i : i + 1]) for i in (4, 5)], 1)
    # float64 sums of 32 and of 1,500 terms of order 1.
    torch.testing.assert_close(whole, expected, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(torch.cat([first[[1, 3]], later], 1), expected[[1, 3]], rtol=1e-9, atol=1e-11)


def test_logit_lens_by_hand(clip, tiny_model):
    text = models.transcribe(clip, tiny_model, text="ab cd", language="en")
    readout = decoder.logit_lens(clip, tiny_model, text.prompt, text.tokens)
    hidden = models.decoder_states(clip, tiny_model, text.ids).hidden[1]
    vectors = hidden.double().numpy()
    norm = tiny_model.network.model.decoder.layer_norm
    centred = vectors - vectors.mean(-1, keepdims=True)
    normed = centred / np.sqrt(vectors.var(-1, keepdims=True) + norm.eps) * norm.weight.numpy() + norm.bias.numpy()
    scores = normed @ tiny_model.network.proj_out.weight.double().numpy().T
    logprobs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    wanted = (*text.tokens, tiny_model.decoding.end)
    rows = range(len(text.prompt) - 1, len(text.ids))
    # float32 LayerNorm and a sum of 16 products of order 1: 1e-6 of logits of order 10.
    expected = [logprobs[row, token] for row, token in zip(rows, wanted, strict=True)]
    np.testing.assert_allclose(readout.logprobs[1], expected, atol=2e-5)
    np.testing.assert_array_equal(readout.best[1], scores[list(rows)].argmax(-1))


def test_knows_from():
    top = np.array([[1, 0, 1, 0], [0, 0, 1, 0], [1, 1, 1, 0]], bool)
    assert decoder.knows_from(top).tolist() == [2, 2, 0, -1]


# Comparing


def fewest_edits(meant, said):
    """By trying every way: the definition, without any table."""
    if not meant or not said:
        return len(meant) + len(said)
    return min(
        fewest_edits(meant[1:], said[1:]) + (meant[0] != said[0]),
        fewest_edits(meant[1:], said) + 1,
        fewest_edits(meant, said[1:]) + 1,
    )


def test_edits_are_the_fewest_and_lead_from_one_to_the_other():
    sequences = [s for n in range(4) for s in itertools.product("ab", repeat=n)] + [tuple("abcab"), tuple("cabba")]
    for meant, said in itertools.product(sequences, repeat=2):
        found = edits.edits(meant, said)
        assert sum(edit.kind != "correct" for edit in found) == fewest_edits(meant, said)
        assert tuple(edit.meant for edit in found if edit.meant is not None) == meant
        assert tuple(edit.said for edit in found if edit.said is not None) == said
        for edit in found:
            kinds = {(True, False): "deleted", (False, True): "inserted"}
            same = "correct" if edit.meant == edit.said else "substituted"
            assert edit.kind == kinds.get((edit.said is None, edit.meant is None), same)


@pytest.mark.parametrize(
    ("meant", "said", "rate"),
    [
        ("She had your dark suit", "she had your dark suit.", 0),
        ("she had your dark suit", "she had a dark suit", 1 / 5),
        ("she had", "she really had", 1 / 2),
        ("she had your", "", 1),
        ("no", "no no no", 2),
        ("", "no", 1),  # an empty reference counts as one word
        ("ill-disposed", "ill disposed", 0),
        ("it's", "its", 1),
        ("'quoted'", "quoted", 0),
        ("sauvegardé", "sauvegarde", 1),
    ],
)
def test_word_error_rate_by_hand(meant, said, rate):
    assert edits.error_rate(edits.plain_words(meant), edits.plain_words(said)) == pytest.approx(rate)


def test_repetition_by_hand():
    assert edits.repetition([1, 2, 3, 4, 5]) == 0
    assert edits.repetition([7] * 12) == pytest.approx(1 - 1 / 10)
    assert edits.repetition([1, 2]) == 0
    assert edits.repetition([1, 2, 1, 2, 1, 2]) == pytest.approx(1 - 2 / 4)


# The result


def test_shapes_and_baselines(tiny_result):
    tokens = len(tiny_result.tokens)
    assert tiny_result.tokens[-1] == "(end)"
    assert tiny_result.logprobs.shape == tiny_result.controls.silence_logprobs.shape == (3, tokens)
    assert tiny_result.controls.random_logprobs.shape == (2, 3, tokens)
    assert tiny_result.decoder_logprobs.shape == (3, tokens)
    assert not np.allclose(tiny_result.controls.random_logprobs[0], tiny_result.controls.random_logprobs[1])
    assert not tiny_result.logprobs.flags.writeable
    assert tiny_result.reference == tiny_result.text == "ab cd"


def test_table_and_plot(tiny_result):
    table = tiny_result.table()
    assert len(table) == tiny_result.logprobs.size + tiny_result.decoder_logprobs.size
    np.testing.assert_array_equal(
        table["random_1_logprob"][: tiny_result.logprobs.size], tiny_result.controls.random_logprobs[1].ravel()
    )
    figure = decoder_lens.plot(tiny_result)
    np.testing.assert_array_equal(figure.axes[1].collections[0].get_array(), tiny_result.logprobs)


def test_silence_is_the_silent_clip(clip, tiny_model, tiny_result):
    silent = analyse(Clip(np.zeros_like(clip.samples), "silent"), tiny_model, transcript="ab cd", random_seeds=())
    np.testing.assert_array_equal(silent.logprobs, tiny_result.controls.silence_logprobs)


def test_words_in_time(clip, tiny_model):
    cut = (Segment("ab", 0.1, 0.4), Segment("cd", 0.5, 0.9))
    result = analyse(clip, tiny_model, transcript="ab cd", segments=cut, random_seeds=())
    assert result.words == ("ab", "cd") and result.word_of_token.tolist()[0] == 0 and result.word_of_token[-1] == 1
    np.testing.assert_allclose(result.word_logprobs().sum(-1), result.logprobs[:, :-1].sum(-1))
    assert analyse(clip, tiny_model, transcript="ab cd", segments=cut[:1], random_seeds=()).words == ()


def test_a_reference_that_was_not_given(clip, tiny_model):
    with pytest.raises(UserError, match="No reference"):
        analyse(clip, tiny_model, random_seeds=()).error_rates("reference")


def test_a_model_without_a_decoder(clip):
    with pytest.raises(UserError, match="no text decoder"):
        decoder_lens.analyse(clip, load_model("hama-ctc"))


@pytest.fixture(scope="module")
def weasels():
    return analyse(load_clip(WEASELS), load_model("openai/whisper-tiny.en"), language=None, random_seeds=(0,))


@pytest.mark.weights
def test_real_speech_emerges_at_the_top(weasels):
    heard = models.transcribe(load_clip(WEASELS), load_model("openai/whisper-tiny.en"))
    assert weasels.texts[-1] == weasels.final == heard.text
    np.testing.assert_allclose(weasels.logprobs[-1], heard.logprobs, atol=ROUNDING)
    np.testing.assert_array_equal(weasels.decoder_logprobs[-1], heard.logprobs)
    assert weasels.error_rates()[-1] == 0 and (weasels.error_rates()[:-1] >= 0.5).all()
    means = weasels.logprobs.mean(-1)
    assert means.argmax() == 4 and means[3] == means[:4].max()  # the order that we saw: flat, then a rise at 3 and 4
    # Above every baseline at the top by more than 5 nats a token; below, as near to them as to nothing.
    assert means[-1] > weasels.controls.silence_logprobs.mean(-1).max() + 5
    assert means[-1] > weasels.controls.random_logprobs.mean(-1).max() + 5
    assert weasels.ended[-1] and weasels.alarms(4) == ()
    # Without any order or detail the text is lost; with its frames at other places it is all but as likely (-0.5).
    assert means[-1] > weasels.controls.mean_logprobs.mean(-1).max() + 5
    assert means[-1] - 1 < weasels.controls.shuffled_logprobs[-1].mean() < means[-1]


@pytest.mark.weights
def test_early_layers_ring_alarms(weasels):
    assert {"repeats itself", "never ended; cut"} <= set(weasels.alarms(0))  # it writes only commas
    assert "much shorter than the final text" in weasels.alarms(1)


@pytest.mark.weights
def test_the_decoder_learns_the_tokens_on_the_way_up(weasels):
    means = weasels.decoder_logprobs.mean(-1)
    assert (np.diff(means) > 0).all()
    assert (weasels.decoder_first >= 1).all() and weasels.decoder_first.max() == 4
    # Embedding and unembedding are one matrix: what was just read is all that the embedding shows.
    assert weasels.decoder_best[0][1:] == weasels.tokens[:-1]
    assert weasels.decoder_best[-1][1:] == weasels.tokens[1:]


@pytest.mark.weights
def test_without_the_norm_the_last_layer_cannot_be_read(weasels):
    bare = analyse(
        load_clip(WEASELS), load_model("openai/whisper-tiny.en"), language=None, norm=False, random_seeds=()
    )
    assert bare.error_rates()[-1] > 0.5
    assert bare.logprobs[-1].mean() < weasels.logprobs[-1].mean() - 2
    assert bare.final == weasels.final


# On the page


def test_the_page_marks_words_and_escapes_text(tiny_result):
    texts = ("so <script>alert(1)</script>", "we have eaten", "We've eaten, <b>all</b> of it")
    result = dataclasses.replace(tiny_result, texts=texts, final="We have eaten all", reference=None)
    table = decoder_lens_tab.text_table(result, {"against": "reference"})  # not given: the final text instead
    assert "<script>" not in table and "<b>" not in table and "&lt;script&gt;" in table
    assert "title='deleted'>all</span>" in table
    value = decoder_lens_tab.maps(tiny_result)
    assert [row["kind"] for row in value["rows"]] == ["grid", "grid"]


def test_every_word_written_is_marked_once(tiny_result):
    result = dataclasses.replace(
        tiny_result, texts=("ill-disposed young, man", "", "... no"), final="an ill disposed man"
    )
    kinds = [
        re.findall(r"title='(\w+)'>([^<]+)<", "".join(decoder_lens_tab._marked(result, i, "final"))) for i in range(3)
    ]
    assert kinds[0] == [("deleted", "an"), ("correct", "ill-disposed"), ("inserted", "young,"), ("correct", "man")]
    assert [kind for kind, _ in kinds[1]] == ["deleted"] * 4
    assert kinds[2][-1] == ("substituted", "no")
