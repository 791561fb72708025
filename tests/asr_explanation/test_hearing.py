"""A model listening to changed versions of a clip: batches, refusals, and stopping where a text cannot pass."""

import dataclasses
from itertools import product

import numpy as np
import pytest

from methods.asr_explanation import result, sufficient_frames
from methods.asr_explanation.transcriber import Transcriber
from methods.core import models
from methods.core.audio import Clip, load_clip
from methods.core.errors import UserError
from methods.core.explain import perturb
from methods.core.models import load_model
from methods.core.speech import edits


def test_whisper_hears_versions_in_a_batch_as_it_hears_them_alone(clip, tiny_model):
    listener = Transcriber(clip, tiny_model, "en", "full")
    sounds = [np.asarray(clip.samples), np.asarray(clip.samples) * (np.arange(len(clip.samples)) > 6000)]
    alone = [models.transcribe(Clip(sound, "x"), tiny_model, language="en").text for sound in sounds]
    shared = [edits.plain_words(text) for text in alone]
    # The listener cuts a text at twice the length of the clip's own; a random network never ends by itself.
    for ours, theirs in zip(listener.heard(sounds), shared, strict=True):
        assert ours[:1] == theirs[:1] or not ours


@pytest.mark.parametrize("seed", range(6))
def test_the_fewest_errors_are_those_of_the_best_continuation(seed):
    """All 1 + 3 + … + 3^4 continuations in three symbols; longer ones only add errors to three meant symbols."""
    random = np.random.default_rng(seed)
    meant, beginning = random.choice(list("abc"), 3).tolist(), random.choice(list("abc"), 1 + seed % 4).tolist()
    endings = [ending for length in range(5) for ending in product("abc", repeat=length)]
    best = min(3 * edits.error_rate(meant, [*beginning, *ending]) for ending in endings)
    assert edits.fewest_errors(meant, beginning) == pytest.approx(best)


@pytest.mark.parametrize("least", [0.5, 1.0])
def test_what_passes_is_what_passes_when_it_is_heard_to_its_end(least):
    clip, model = (
        load_clip("examples_audio/cc-by-sa-3.0/en_f_minimal_b_p_d_t.wav"),
        load_model("openai/whisper-tiny.en"),
    )
    listener, frames = Transcriber(clip, model), perturb.windows(clip.seconds, 0.07)
    kept = sufficient_frames.mutants(len(frames), 6, 3)
    sounds = [result.kept_sound(clip, frames, row) for row in kept]
    whole = [listener.likeness(said) >= least for said in listener.heard(sounds)]
    assert listener.passing(sounds, least) == whole
    assert [listener.passing([sound], least)[0] for sound in sounds[:4]] == whole[:4]
    assert len(set(whole)) == 2 or least == 1.0


def test_a_model_that_writes_nothing_is_refused(clip, tiny_model):
    with pytest.raises(UserError, match="writes nothing down"):
        Transcriber(clip, dataclasses.replace(tiny_model, decoding=None))
