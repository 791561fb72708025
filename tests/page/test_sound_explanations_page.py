"""Files and snippets of the four techniques that change sounds or follow gradients to phones."""

import io

import numpy as np
import pytest

from methods import paralinguistics, phone_check, phone_focus, phoneme_saliency, word_evidence
from methods.core import corpus as corpora
from methods.core.alignment.textgrid import read_textgrid
from methods.core.audio import load_clip
from methods.core.models import load_model
from page.export import downloads, snippets
from page.session import from_example

CLIP = "en_f_weasels"
FILE = f"examples_audio/cc-by-sa-3.0/{CLIP}"


def steps_of(name):
    """A small run on hama-ctc, whose every pass takes some 20 ms."""
    clip, model = load_clip(f"{FILE}.wav"), load_model("hama-ctc")
    with open(f"{FILE}.TextGrid", "rb") as file:
        tiers = read_textgrid(file.read(), seconds=clip.seconds)
    words, phones = tiers["words"][:2], tiers["phones"][:4]
    if name == "word_evidence":
        options = {"segments": words, "modes": ("cut",), "random_seeds": (0,), "random_orders": 2}
        return word_evidence, word_evidence.analyse.in_steps(clip, model, **options), {"unit": "nats"}
    if name == "paralinguistics":
        options = {"properties": ("loudness", "F1"), "interval": phones[1], "random_seeds": (0,)}
        return paralinguistics, paralinguistics.analyse.in_steps(clip, model, **options), {"target": 0}
    if name == "phoneme_saliency":
        options = {"segments": phones, "method": "input x gradient", "random_seeds": (0,), "draws": 2}
        return phoneme_saliency, phoneme_saliency.analyse.in_steps(clip, model, **options), {}
    if name == "phone_check":
        options = {"segments": phones, "words": words, "native": False, "random_seeds": (0,)}
        return phone_check, phone_check.analyse.in_steps(clip, model, **options), {"form": "aligned"}
    corpus = corpora.of_clip(clip, tiers["words"], tiers["phones"])
    return phone_focus, phone_focus.analyse.in_steps(corpus, model, most=2, random_seeds=(0,)), {}


@pytest.mark.parametrize(
    "name", ["word_evidence", "paralinguistics", "phoneme_saliency", "phone_focus", "phone_check"]
)
def test_files_and_snippet(name):
    module, steps, drawing = steps_of(name)
    partial = None
    while True:
        try:
            partial = next(steps).partial or partial
        except StopIteration as end:
            result = end.value
            break
    for each in (partial, result):
        assert module.plot(each, **drawing)
        assert len(downloads.csv(each)) > 500
        arrays = np.load(io.BytesIO(downloads.npz(each)), allow_pickle=False)
        assert all(arrays[key].dtype != object for key in arrays.files)  # nothing that would need a pickle
    code = snippets.snippet(result, name, from_example(CLIP), drawing)
    compile(code, name, "exec")
    assert f"{name}.analyse(" in code and "hama-ctc" in code
