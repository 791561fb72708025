"""Between two steps a run can be stopped: what stands between them is counted in passes, not in seconds."""

import numpy as np
import pytest
from transformers.models.whisper.modeling_whisper import WhisperEncoderLayer

from methods import attention, cue_contribution, paralinguistics, word_evidence
from methods.core.frames import Segment
from methods.core.models import whisper

SAID = {"transcript": "x ab cd abc", "language": "en", "random_seeds": (7,)}
SPOKEN = (("x", 0.0, 0.22), ("ab", 0.22, 0.3), ("cd", 0.5, 0.95), ("abc", 0.95, 1.3))
WORDS = {"segments": tuple(Segment(*word) for word in SPOKEN)}
LAYERS, FRAMES = 2, 1500  # of the tiny model, and of Whisper's window
MOST = 2.0  # passes of the whole window: some 1.2 s for whisper-tiny.en


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (attention, WORDS),
        (cue_contribution, WORDS | {"cue": "ab", "target": "abc"}),
        (word_evidence, WORDS | {"modes": ("silence",), "random_orders": 2}),
        (paralinguistics, {"properties": ("loudness", "noise")}),
    ],
    ids=lambda value: getattr(value, "__name__", "").split(".")[-1],
)
def test_few_passes_lie_between_two_steps(module, options, clip, tiny_model, monkeypatch):
    monkeypatch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)
    read, plain = [], WhisperEncoderLayer.forward

    def counted(self, hidden_states, *args, **kwargs):
        read.append(hidden_states.shape[0] * hidden_states.shape[1])
        return plain(self, hidden_states, *args, **kwargs)

    monkeypatch.setattr(WhisperEncoderLayer, "forward", counted)
    between, steps = {}, module.analyse.in_steps(clip, tiny_model, **SAID, **options)
    said = "before the first"
    for step in steps:
        between[said] = max(between.get(said, 0.0), np.sum(read) / LAYERS / FRAMES)
        read.clear()
        said = step.text
    long = {name: passes for name, passes in between.items() if passes > MOST}
    assert sum(between.values()) >= 1 and not long
