"""Options of `analyse`: what is not of their kind, not among what there is, or out of reach gets one sentence.

Every technique is asked without a clip and without a model: nonsense must be told before anything is read.
"""

import dataclasses
import importlib
import inspect
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from methods import TECHNIQUES, attention, probing
from methods.core import corpus as corpora
from methods.core import models
from methods.core.alignment import words
from methods.core.alignment.textgrid import read_textgrid, write_textgrid
from methods.core.audio import clip_from_samples, load_clip
from methods.core.corpus import articulation
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.options import EVERYWHERE, check_options, described, fits, is_number, literals
from page.export.api_options import limits_of

NAMES = (
    "projection", "probing", "acoustic_probing", "encoding_probe", "live_probes", "rsa", "cka", "cca", "abx",
    "discrete_units", "ctc_lens", "decoder_lens", "two_lenses", "continuum", "word_evidence", "paralinguistics",
    "spectrogram_occlusion", "asr_explanation", "phone_focus", "phone_check", "phone_arithmetic",
)  # fmt: skip
MODULES = {name: importlib.import_module(f"methods.{name}") for name in NAMES}
OPTIONS = [
    pytest.param(module, name, each.annotation, id=f"{technique}.{name}")
    for technique, module in MODULES.items()
    for name, each in list(inspect.signature(module.analyse).parameters.items())[2:]
]
# No option of any technique is one of these, alone or in a list.
NONSENSE = (math.nan, math.inf, -math.inf, 1 + 1j, {"a": 1}, {1}, b"x", object(), [[1]], [None], "no such name" * 9)


def refused(module, **options):
    """The sentence with which a technique refuses, before it has read anything."""
    with pytest.raises(UserError) as told:
        next(getattr(module.analyse, "in_steps", None)(None, None, **options))
    return str(told.value)


def limit_of(module, name, kind):
    return literals(kind) or getattr(module, "SENSE", {}).get(name, EVERYWHERE.get(name))


@pytest.mark.parametrize(("module", "name", "kind"), OPTIONS)
def test_nonsense_is_told_in_one_sentence(module, name, kind):
    free_text = fits("no such name", kind) and limit_of(module, name, kind) is None
    for value in NONSENSE[:-1] if free_text else NONSENSE:
        sentence = refused(module, **{name: value})
        assert name in sentence, (value, sentence)
        assert len(sentence) < 350


@pytest.mark.parametrize(("module", "name", "kind"), OPTIONS)
def test_a_text_is_no_number_and_a_number_is_no_text(module, name, kind):
    for value in (7, 0.5, True, "7"):
        if not fits(value, kind) and not fits([value], kind):
            assert f"“{name}”" in refused(module, **{name: value})


@pytest.mark.parametrize(("module", "name", "kind"), OPTIONS)
def test_numbers_have_a_least_that_the_api_keeps_to(module, name, kind):
    """What the API allows, Python allows; what is below or above both is refused."""
    several = fits([1], kind) or fits([1.5], kind)
    if not (several or fits(1, kind)):
        return
    least, most = limit_of(module, name, kind)
    low, high = limits_of(module.__name__.rsplit(".", 1)[-1], name)
    assert least <= low < high <= most
    for value in (least - 1, -1) if most == math.inf else (least - 1, -1, most + 1):
        sentence = refused(module, **{name: [value] if several else value})
        assert f"“{name}” cannot be {value}; give a number" in sentence


@pytest.mark.parametrize(("module", "name", "kind"), OPTIONS)
def test_names_that_are_not_there_are_told_with_those_that_are(module, name, kind):
    limit = limit_of(module, name, kind)
    if limit is None or is_number(next(iter(limit))):
        return
    several = fits([next(iter(limit))], kind)
    sentence = refused(module, **{name: ["music"] if several else "music"})
    assert sentence.startswith(f"There is no “music” for “{name}”; choose one of ")
    assert all(known in sentence for known in limit)
    if several:
        twice = [next(iter(limit))] * 2
        assert f"“{name}” names {twice[0]} twice" in refused(module, **{name: twice})


@pytest.mark.parametrize(("module", "name", "kind"), OPTIONS)
def test_every_default_makes_sense(module, name, kind):
    default = inspect.signature(module.analyse).parameters[name].default
    check_options(module.analyse, {name: default}, getattr(module, "SENSE", {}))
    assert described(kind)


def test_what_a_technique_says_makes_sense_is_about_its_own_options():
    for name in TECHNIQUES:
        module = importlib.import_module(f"methods.{name}")
        assert set(getattr(module, "SENSE", {})) <= set(inspect.signature(module.analyse).parameters)


def example(clip, model, *, count: int = 1, share: float = 0.5, on: bool = True, mode: Literal["a", "b"] = "a",
            layers: Sequence[int] | None = None, part: Segment | tuple[str, float, float] | None = None,
            seeds: Sequence[int] = ()):  # fmt: skip
    """A technique's `analyse`, as far as its options go."""


@pytest.mark.parametrize(
    "options",
    [
        {"count": np.int64(3)},
        {"share": 1, "on": np.bool_(False)},
        {"share": np.float32(0.5)},
        {"layers": range(3)},
        {"layers": np.array([0, 2])},
        {"layers": None, "mode": "b"},
        {"part": ("a", 0, 0.5)},
        {"part": Segment("a", 0.0, 0.5)},
        {"seeds": ()},
    ],
)
def test_what_means_the_same_is_taken(options):
    check_options(example, options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"count": 3.0}, "The option “count” cannot be float 3.0; it is a whole number."),
        ({"count": True}, "The option “count” cannot be bool True; it is a whole number."),
        ({"count": None}, "The option “count” cannot be nothing; it is a whole number."),
        ({"count": 10**400}, "The option “count” cannot be 10000000000000000000; give a number from 1 to 9."),
        ({"share": math.nan}, "The option “share” cannot be float nan; it is a number."),
        ({"on": "no"}, "The option “on” cannot be str 'no'; it is true or false."),
        ({"mode": ["a"]}, "The option “mode” cannot be list ['a']; it is one of a, b."),
        ({"mode": "c"}, "There is no “c” for “mode”; choose one of a, b."),
        ({"layers": 2}, "The option “layers” cannot be int 2; it is a list, each a whole number or nothing."),
        ({"layers": [2, 2]}, "The option “layers” names 2 twice, which would count it twice; name each once."),
        ({"layers": [-1]}, "The option “layers” cannot be -1; give a number of at least 0."),
        ({"part": ("a", 0.0)}, "The option “part” cannot be tuple ('a', 0.0); it is a Segment or a list of 3 or nothing."),  # noqa: E501
    ],
)  # fmt: skip
def test_sentences(options, sentence):
    with pytest.raises(UserError) as told:
        check_options(example, options, {"count": (1, 9)})
    assert str(told.value) == sentence


def test_an_option_that_does_not_exist_is_a_bug_of_ours():
    with pytest.raises(KeyError, match="colour"):
        check_options(example, {"colour": 1})


def test_what_has_to_be_made_first_is_said(clip, tiny_model):
    for given, said in (
        (("x.wav", tiny_model), "given as clip is “x.wav”, .*load_clip"),
        ((Path("x.wav"), tiny_model), "given as clip is “x.wav”, .*load_clip"),
        ((clip.samples, tiny_model), r"given as clip is samples, .*clip_from_samples\(samples, rate\)"),
        ((clip, "openai/whisper-tiny.en"), "given as model is “openai/whisper-tiny.en”, .*load_model"),
    ):
        with pytest.raises(UserError, match=said):
            attention.analyse(*given)
    with pytest.raises(UserError, match=r"given as corpus is “prompts”, .*bundled\("):
        probing.analyse("prompts", tiny_model)


def test_a_result_is_one_line(clip, tiny_model, segments):
    result = attention.analyse(clip, tiny_model, segments=segments, stacks=("encoder",), random_seeds=())
    assert repr(result).startswith(f"Attention({tiny_model.id!r}, 'glide': random [0], labels [4]")
    assert "encoder (2, 2, 4, 4)" in repr(result) and "\n" not in repr(result)
    assert ", not complete: " in repr(dataclasses.replace(result, complete=False))


def test_what_was_changed_over_or_left_out_is_a_sentence(clip, tiny_model):
    corpus = corpora.bundled("prompts")
    for technique, given, told in (
        (attention, (tiny_model, clip), "as clip is of the type SpeechModel"),
        (attention, (clip, clip), "as model is of the type Clip"),
        (attention, (None, tiny_model), "as clip is nothing"),
        (attention, (corpus, tiny_model), "as clip is of the type Corpus"),
        (probing, (clip, tiny_model), "as corpus is of the type Clip"),
        (probing, (corpus, 3), "as model is of the type int"),
    ):
        with pytest.raises(UserError, match=f"What was given {told}, which has to be made into one first"):
            technique.analyse(*given)


def test_functions_outside_the_techniques_say_the_same(clip, tiny_model):
    calls = [
        (models.random_twin, (None, 0), "model is nothing"),
        (corpora.of_clip, (3, ()), "clip is of the type int"),
    ]
    for function in (words, models.encode, models.transcribe):
        calls.append((function, (clip, tiny_model.id), "model is “.*load_model"))
        calls.append((function, ("my.wav", tiny_model), "clip is “my.wav”.*load_clip"))
    for function, given, told in calls:
        with pytest.raises(UserError, match=f"What was given as {told}"):
            function(*given)


DOORS = (load_clip, models.load_model, corpora.read_folder, corpora.read_zip, corpora.from_hub, articulation.read_zip)


@pytest.mark.parametrize("door", DOORS)
def test_paths_are_paths_and_nothing_else_is_one(door):
    """A wrong type is the programmer's: Python's own sentence, and never an attribute that something lacks."""
    for wrong in (None, 3, [], {}, float("nan")):
        with pytest.raises(TypeError, match=r"expected str, bytes or os.PathLike object, not"):
            door(wrong)
    for lost in ("", Path("nowhere/at all"), "a\0b"):
        with pytest.raises(UserError):
            door(lost)


def test_a_textgrid_is_read_from_its_content():
    with pytest.raises(TypeError, match=r"content is asked for \(path.read_bytes\(\)\), not a \w+Path"):
        read_textgrid(Path("a.TextGrid"))
    with pytest.raises(UserError, match=r"Its content is asked for, not its path"):
        read_textgrid("a.TextGrid")


def test_a_folder_of_a_model_may_be_a_path(tiny_model):
    assert models.load_model(Path(tiny_model.id)) is models.load_model(tiny_model.id)


def test_labels_are_texts_and_times_numbers():
    for label in (None, 3, float("nan"), b"a"):
        with pytest.raises(UserError, match="is no label"):
            Segment(label, 0, 1)
    for times in ((None, 1), ("", 1), (0, "x"), (0, [])):
        with pytest.raises(UserError, match="of “a” is no number"):
            Segment("a", *times)
    for seconds in (float("nan"), float("inf")):
        with pytest.raises(UserError, match="cannot last"):
            write_textgrid({"words": (Segment("a", 0, 1),)}, seconds)
    with pytest.raises(TypeError, match="rate is a number of Hz"):
        clip_from_samples(np.zeros(16_000), "16 kHz")
