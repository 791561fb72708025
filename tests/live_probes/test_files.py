"""The ready-made probes that come with the app: whole, and reading a prompt that they have not seen."""

import numpy as np
import pytest

from methods import live_probes
from methods.core.corpus import bundled
from methods.core.models import load_model
from methods.core.speech import phonology
from methods.live_probes import probe_set
from methods.live_probes.probe_set import FILES


@pytest.mark.parametrize("identifier", FILES)
def test_the_files_are_whole(identifier):
    probes = probe_set._read(identifier)
    assert probes.layers[0] == "MFCC" and len(probes.card["weights_sha256"]) == 64
    assert set(probes.classes["phone"]) - {"sil"} <= phonology.PHONES
    for target in live_probes.TARGETS:
        outputs = len(probes.classes.get(target, "1"))
        for layer in range(len(probes.layers)):
            for prefix in ("", "random/"):
                values = probes.weights[f"{prefix}{target}/{layer}"]
                assert values.shape[1] == outputs and np.isfinite(values).all()
        for side in live_probes.SIDES:
            scored = [[number, score] for asked, number, score in probes.card[side] if asked == target]
            assert [number for number, _ in scored] == list(range(len(probes.layers)))
            assert all(score <= 1 for _, score in scored)
    held = np.array([score for asked, _, score in probes.card["trained"] if asked == "phone"])
    chance = np.array([score for asked, _, score in probes.card["random"] if asked == "phone"])
    assert held.max() > held[0] + 0.1 and (held[1:] > chance[1:]).all()  # above MFCC, and above random weights


@pytest.mark.weights
def test_they_read_a_prompt():
    model, prompts = load_model("openai/whisper-tiny.en"), bundled("prompts")
    utterance = prompts.utterances[0]
    result = live_probes.analyse(utterance.clip, model, phones=utterance.phones)
    # Trained on this very recording, among others, with states of this very window: above what is held out.
    held = np.array([score for asked, _, score in result.card["trained"] if asked == "phone"])
    assert (result.right("phone")[1:] > held[1:] - 0.05).all()
    assert result.right("voicing").min() > 0.7
    voiced = np.isfinite(result.measured_f0)
    assert np.corrcoef(result.f0[1, voiced], result.measured_f0[voiced])[0, 1] > 0.9
    said = np.array(result.phones)[result.random_phone[1:].argmax(-1)]
    assert (said == np.array(result.labels)).mean() < result.right("phone")[1:].min()
