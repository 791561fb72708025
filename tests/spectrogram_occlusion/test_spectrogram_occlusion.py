"""Spectrogram occlusion: impacts against the model itself, the laws of the measure, and the tab."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from scipy import special, stats
from snapshot import save_whisper

from methods import spectrogram_occlusion
from methods.core import models
from methods.core.audio import Clip, clip_from_samples, load_clip
from methods.core.errors import UserError
from methods.core.explain.rereading import Rereader
from methods.core.frames import Segment
from methods.core.models import load_model, whisper
from methods.core.progress import finish
from methods.spectrogram_occlusion import analysis, masks
from methods.spectrogram_occlusion.masks import Masks
from page.tabs import spectrogram_occlusion as spectrogram_occlusion_tab
from tiny import tiny_whisper

# The same float32 sums in another order: errors of some eps (1.2e-7) of logits of order 10 to 30, through few layers;
# a divergence of some nats inherits them.
ROUNDING = 2e-4
OPTIONS = {"language": "en", "masks": 24, "patches_per_second": (8.0, 16.0), "points": 3, "random_maps": 2}


@pytest.fixture(scope="module")
def result(clip, tiny_model):
    return spectrogram_occlusion.analyse(clip, tiny_model, transcript="ab cd", random_seeds=(0, 1), **OPTIONS)


# With a model


def test_impacts_are_the_divergences_of_the_model_itself(clip, tiny_model):
    """Against transformers' own forward pass over the 30 s window and SciPy's relative entropy."""
    options = {**OPTIONS, "masks": 24, "window": "full", "random_maps": 0, "points": 1}
    got = spectrogram_occlusion.analyse(clip, tiny_model, transcript="ab cd", random_seeds=(), **options)
    text = models.transcribe(clip, tiny_model, text="ab cd", language="en")
    ids, first = torch.tensor([text.prompt + text.tokens]), len(text.prompt) - 1
    features = whisper.features(tiny_model, clip.samples)
    own = got.log_mel.shape[1]

    def probabilities(mel):
        with torch.no_grad():
            logits = tiny_model.network(input_features=mel, decoder_input_ids=ids).logits[0, first:]
        return logits.double().softmax(-1).numpy()

    whole = probabilities(features)
    neutral = float(features[0, :, :own].mean())
    for number in (0, 1, 10, 23):
        mel = features.clone()
        mel[0, :, :own][torch.from_numpy(got.masks.cells(number))] = neutral
        expected = special.rel_entr(whole, probabilities(mel)).sum(-1)
        np.testing.assert_allclose(got.impacts[number], expected, atol=ROUNDING, rtol=1e-3)


def test_no_mask_does_no_harm_and_no_score_is_negative(result, clip, tiny_model):
    reader = Rereader(clip, tiny_model, models.transcribe(clip, tiny_model, text="ab cd", language="en"))
    patches = np.zeros((1, 80, 2 * reader.own), int)
    nothing = Masks(patches, (np.zeros((3, 1), bool),))
    (impacts,) = analysis._impacts(reader, nothing, 0.0)
    assert np.abs(impacts).max() < ROUNDING
    assert (result.impacts >= 0).all()
    assert (result.relevance(0) >= 0).all()


def test_a_decoder_that_ignores_the_sound_has_no_map(clip, tmp_path):
    network = tiny_whisper(seed=1)
    for block in network.model.decoder.layers:
        torch.nn.init.zeros_(block.encoder_attn.out_proj.weight)
    model = load_model(str(save_whisper(network, tmp_path)))
    got = spectrogram_occlusion.analyse(clip, model, transcript="ab cd", random_seeds=(), **OPTIONS)
    assert np.abs(got.relevance(0)).max() < ROUNDING
    assert (got.map() == 0).all()
    assert np.isnan(got.size()[0])
    assert "–" in spectrogram_occlusion_tab.checks(got, {"what": "sentence", "top": 20})
    assert np.nanmax(got.text_impacts) > 0.01  # it does read its own text


def test_hiding_a_token_harms_only_later_ones(result):
    tokens = len(result.tokens) - 1
    earlier = np.tril(np.ones((tokens + 1, tokens), bool), -1)
    assert np.isfinite(result.text_impacts[earlier]).all()
    assert np.isnan(result.text_impacts[~earlier]).all()


def test_levels_are_means_of_standardised_tokens(result):
    expected = np.mean([result.scores("token", token) for token in result.tokens_of("word", 1)], axis=0)
    np.testing.assert_allclose(result.scores("word", 1), expected)
    np.testing.assert_allclose(result.scores("token", 0), stats.zscore(result.impacts[:, 0]), rtol=1e-8)
    assert result.words == ("ab", "cd")
    assert result.tokens[-1] == "(end)"


def test_deletion_and_insertion_meet_at_the_ends(result):
    """Nothing hidden: what is heard, hence 1. All hidden is the same as nothing shown, and no more cells change it."""
    for made in result.trials:
        trial = made.trial
        assert trial.deletion[0] == trial.insertion[-1] == 1.0
        assert trial.deletion[-1] == trial.insertion[0]
        np.testing.assert_allclose(made.logprobs[:, [0, -1]][0], made.logprobs[:, [-1, 0]][1], atol=ROUNDING)
    assert len(result.trials) == 2 + 2
    assert set(result.verdict.summary()) >= {"deletion_area", "insertion_area"}


def test_texts_are_what_is_written_of_the_masked_spectrograms(result, clip, tiny_model):
    """By hand, for one step: hide the best cells, decode, compare."""
    reader = Rereader(clip, tiny_model, models.transcribe(clip, tiny_model, text="ab cd", language="en"))
    made, values = result.trials[0], result.map()
    count = int(made.trial.taken[1])
    assert count == round(values.size / 3)
    best = np.zeros(values.size, bool)
    best[np.argsort(-values.ravel(), kind="stable")[:count]] = True
    for texts, hidden in zip(made.texts, (best, ~best), strict=True):
        mel = reader.mel.clone()
        mel[torch.from_numpy(hidden.reshape(values.shape))] = result.neutral
        assert texts[1] == reader.texts(reader.states(mel[None]))[0].strip()
        assert len(texts) == 3 + 1
    assert made.texts[0][0] == made.texts[1][-1] == result.heard.strip()


def test_size_stands_beside_chance(result):
    own, chance = result.size("word", 1)
    assert own == masks.compactness(result.map("word", 1))
    assert chance.shape == (20,) and chance.std() > 0
    dealt = masks.shuffled(result.scores("word", 1), 2, 7)
    assert chance[7] == masks.compactness(masks.relevance(result.masks, dealt))


def test_what_is_played_is_read_again(result, clip, tiny_model):
    reader = Rereader(clip, tiny_model, models.transcribe(clip, tiny_model, text="ab cd", language="en"))
    assert len(result.heard_sounds) == 3 + 1
    without, only = result.sounds(1)
    assert len(without.samples) == len(only.samples) == len(clip.samples)
    # The two masks are each other's rest and the filter is linear: together they are the clip. float32 transforms.
    np.testing.assert_allclose(without.samples + only.samples, clip.samples, atol=1e-5)
    for sound, text in zip((without, only), result.heard_sounds[1], strict=True):
        assert text == reader.texts(reader.states(reader.mels([sound.samples])))[0].strip()
    np.testing.assert_allclose(result.sounds(0)[0].samples, clip.samples, atol=1e-5)
    assert np.abs(result.sounds(0)[1].samples).max() < 1e-5


def test_same_seed_same_numbers_and_a_stopped_run_is_its_beginning(result, clip, tiny_model):
    short = {**OPTIONS, "points": 1, "random_maps": 0, "transcript": "ab cd"}
    steps = spectrogram_occlusion.analyse.in_steps(clip, tiny_model, random_seeds=(), **{**short, "masks": 48})
    partial = None
    while partial is None:
        partial = next(steps).partial
    assert len(partial.impacts) == len(partial.masks) == 16 and partial.convergence()[0].tolist() == [16]
    whole = finish(steps)
    np.testing.assert_array_equal(partial.impacts, whole.impacts[:16])
    third = spectrogram_occlusion.analyse(clip, tiny_model, random_seeds=(1,), **short)
    np.testing.assert_array_equal(third.impacts, result.impacts)
    np.testing.assert_array_equal(third.random[0].impacts, result.random[1].impacts)


def test_result_is_frozen_with_a_table_and_an_origin(result):
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.text = ""
    assert not result.impacts.flags.writeable
    table = result.table()
    assert len(table) == result.log_mel.size
    np.testing.assert_array_equal(table["word_2_cd"], result.map("word", 1).ravel())
    assert result.provenance["options"]["masks"] == 24
    assert result.provenance["options"]["random_seeds"] == [0, 1]


def test_what_cannot_be_done_is_said(clip, tiny_model):
    silent = Clip(np.zeros(16_000, np.float32), "silence")
    with pytest.raises(UserError, match="This clip is silent"):
        spectrogram_occlusion.analyse(silent, tiny_model, **OPTIONS)
    with pytest.raises(UserError, match="“masks” cannot be 3; give a number from 24"):
        spectrogram_occlusion.analyse(clip, tiny_model, masks=3)
    with pytest.raises(UserError, match=r"24 masks and all checks .* limit of 0 s; ask for fewer masks"):
        spectrogram_occlusion.analyse(clip, tiny_model, transcript="ab", **OPTIONS, time_limit=0.001)
    with pytest.raises(UserError, match="choose a Whisper model"):
        spectrogram_occlusion.analyse(clip, dataclasses.replace(tiny_model, decoding=None))


def test_the_shortest_clip(tiny_model):
    shortest = clip_from_samples(0.1 * np.random.default_rng(1).normal(size=1600), 16_000)
    got = spectrogram_occlusion.analyse(shortest, tiny_model, transcript="ab", random_seeds=(), **OPTIONS)
    assert np.isfinite(got.map()).all()


# The tab


def test_the_tab_draws_every_stage(result, clip, tiny_model):
    values = {"what": "2", "top": 20, "masks": 300, "chance": 5, "neutral": "mean", "window": "clip"}
    bare = dataclasses.replace(result, trials=(), random=(), text_impacts=None)
    for stage in (bare, result):
        plot, *curves = spectrogram_occlusion_tab.drawn(stage, values)
        assert plot["seconds"] == clip.seconds
        assert len(curves) == 6
        assert "“cd”" in spectrogram_occlusion_tab.status_line(stage, values)
    assert "computed" not in spectrogram_occlusion_tab.status_line(bare, values)  # the shell says it for all tabs
    waiting = spectrogram_occlusion_tab.drawn(bare, values)[-2:]  # each says what comes
    assert all("after the masks" in each for each in waiting) and waiting[0] != waiting[1]
    hostile = dataclasses.replace(result, heard_sounds=(("<b>", "<i>"),) * 4, words=("<u>", "<u>"))
    page = "".join(spectrogram_occlusion_tab.drawn(hostile, values)[-3:])
    assert not {"<b>", "<i>", "<u>"} & set(re.findall("<.>", page))
    assert "Without the sentence map&#x27;s best 33% of the cells" in page
    assert "map for “&lt;u&gt;”" in page


def test_status_and_table_name_the_draws(result):
    values = {"what": "sentence", "top": 20}
    assert spectrogram_occlusion_tab.status_line(result, values).count("against 2 chance maps") == sum(
        np.isfinite(result.verdict.z(f"{side}_area")) for side in ("deletion", "insertion")
    )
    table = spectrogram_occlusion_tab.checks(result, values)
    own, chance = result.size()
    assert f"<td style='min-width:5em'>{own:.2f}</td>" in table
    assert f"{chance.mean():.2f} ± {chance.std(ddof=1):.2f} (20 maps)" in table
    assert table.count("(2 maps)") == 2
    z = result.verdict.z("insertion_area")
    assert f"<td style='min-width:5em'>{z:.1f}</td>" in table or np.isnan(z)


def test_a_word_that_this_clip_has_not_becomes_the_sentence(result):
    values = {"what": "7", "top": 1e9}
    assert spectrogram_occlusion_tab.fitted(result, values) == {"what": "sentence", "top": 100.0}
    assert spectrogram_occlusion_tab.plot_options(result, {"what": "1", "top": 5}) == {"level": "word", "number": 0}


def test_hostile_labels_reach_the_figure_as_text(result):
    import io

    hostile = dataclasses.replace(result, words=("$\\frac{", "<script>"), spoken=(Segment("<b>", 0.0, 0.5),))
    spectrogram_occlusion.plot(hostile, level="word", number=0).savefig(io.BytesIO(), format="svg")


# Real weights


def test_a_word_rests_on_its_own_time():
    """“saved” is the last word of “Your message has been saved” (from 1.5 s on in its alignment)."""
    clip, model = load_clip("examples_audio/cc-by-sa-3.0/en_f_statement.wav"), load_model("openai/whisper-tiny.en")
    steps = spectrogram_occlusion.analyse.in_steps(
        clip, model, masks=24, patches_per_second=(8.0,), random_seeds=(), points=1, random_maps=0
    )
    partial = None
    while partial is None or len(partial.impacts) < 24:  # no further: the controls need nothing more of real weights
        partial = next(steps).partial or partial
    over_time = partial.map("word", 4).mean(0)
    late = np.arange(len(over_time)) * 0.01 >= 1.45
    assert partial.words[4] == "saved"
    assert over_time[late].mean() > over_time[~late].mean() + 0.05
