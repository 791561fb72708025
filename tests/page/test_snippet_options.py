"""The printed script asks for what was asked for: every option of `analyse` that differs from its default is in it."""

import dataclasses
import importlib
import inspect
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from first_shown import first_shown

from methods import TECHNIQUES, attention, decoder_lens, head_roles, spectrogram_occlusion, value_zeroing
from methods.abx import tokens
from methods.attribution import options as attribution_options
from methods.causal_tracing import analysis as tracing
from methods.core import arrays, options
from methods.core import corpus as corpora
from methods.core.alignment.textgrid import read_textgrid
from methods.core.audio import load_clip
from methods.core.frames import Segment
from methods.core.models import load_model
from methods.corpus_run import plan
from methods.corpus_run.command import _parser
from methods.projection import points
from page.examples import EXAMPLES, FOLDER
from page.export import downloads, snippets
from page.session import by_attention, from_example

CLIP = "en_f_weasels"
TEXT = {"transcript": "ab cd", "language": "en"}
# Whisper by a tiny random one, CTC by hama. Everything that can be other than its default is.
ASKED = {
    "attention": {**TEXT, "stacks": ("cross",), "random_seeds": (1,)},
    "attention_norm": {**TEXT, "stacks": ("cross",), "random_seeds": (1,)},
    "value_zeroing": {**TEXT, "stacks": ("cross",), "ablation": "mean", "random_seeds": (1,)},
    "context_mixing": {**TEXT, "stack": "cross", "random_seeds": (1,)},
    "head_roles": {**TEXT, "opened": (2, 1), "random_seeds": (1,)},
    "decoder_lens": {**TEXT, "reference": "ab", "norm": False, "random_seeds": (1,)},
    "ctc_lens": {"unit": "symbols", "reference": "W IY", "random_seeds": (1,)},  # its language does nothing
    "two_lenses": {"language": "en", "random_seeds": (1,)},
    "word_evidence": {**TEXT, "mode": "cut", "margins": "published", "window": "clip", "modes": ("cut", "mean"),
                      "random_seeds": (1,), "random_orders": 3, "seed": 5},
    "paralinguistics": {**TEXT, "properties": ("loudness", "F1"), "interval": ("b", 0.22, 0.3), "window": "clip",
                        "random_seeds": (1,)},
    "spectrogram_occlusion": {**TEXT, "masks": 30, "patches_per_second": (10.0,), "share": 0.4, "neutral": "padding",
                              "window": "full", "seed": 3, "points": 4, "random_maps": 1, "random_seeds": (1,),
                              "time_limit": 900.0},
    "phoneme_saliency": {**TEXT, "kind": "word", "wanted": "ab", "occurrence": 1, "method": "input x gradient",
                         "steps": 9, "pooling": "sum", "instead": "mean", "window": "clip", "random_seeds": (1,),
                         "draws": 3, "seed": 4, "time_limit": 900.0},
    "asr_explanation": {"frame": 0.07, "threshold": 0.9, "formula": "Zoltar", "mutants": 20, "causal_budget": 20,
                        "window": "full", "seed": 2},
    "attribution": {**TEXT, "target": "word", "wanted": "ab", "occurrence": 1, "window": "clip", "method": "occlusion",
                    "replacement": "pink noise", "steps": 7, "samples": 9, "seed": 2, "share": 0.2, "orders": 3,
                    "compared": ("occlusion",), "modes": ("cut",), "random_seeds": (1,), "time_limit": 100.0},
    "cue_contribution": {**TEXT, "cue": "ab", "target": "cd", "stacks": ("encoder",), "prompt": False, "draws": 3,
                         "draw_seed": 1, "random_seeds": (1,), "cue_occurrence": 1, "target_occurrence": 1,
                         "silenced": 1},
    "word_confidence": {**TEXT, "random_seeds": (1,)},
    "causal_tracing": {**TEXT, "target": "word", "word": "ab", "occurrence": 1, "corruption": "splice", "snr": 3.0,
                       "changed": "b", "changed_occurrence": 1, "spliced": "c", "side": "decoder",
                       "site": "cross-attention", "direction": "disturb", "columns": "windows", "width": 0.2,
                       "window": "clip", "places": 3, "noise_seeds": (5,), "random_seeds": (1,), "seed": 2},
    "head_ablation": {**TEXT, "fill": "mean", "off": ("cross 1.1",), "draws": 3, "orders": 2, "random_seeds": (1,),
                      "seed": 2},
    "continuum": {"experiment": "morph", "first": 2, "second": 3, "count": 3, "a": "iy", "b": "ih",
                  "random_seeds": ()},
}  # fmt: skip
BY_HAMA = {"ctc_lens", "two_lenses", "asr_explanation", "continuum", "paralinguistics", "word_evidence"}
NO_DECODER = {"transcript", "language"}
# Techniques whose options are one dataclass that goes into the provenance whole.
WHOLE = {
    "projection": points.PointsAsked, "abx": tokens.AbxAsked, "attribution": attribution_options.Options,
    **dict.fromkeys(("probing", "cka", "discrete_units", "erasure"), "_Asked"),
    **dict.fromkeys(("rsa", "cca"), "_Options"), "phone_arithmetic": "ArithmeticAsked",
}  # fmt: skip


@pytest.mark.parametrize("technique", ASKED)
def test_the_script_gives_every_option_back(technique, clip, tiny_model, segments, monkeypatch):
    module, asked = importlib.import_module(f"methods.{technique}"), dict(ASKED[technique])
    model = load_model("hama-ctc") if technique in BY_HAMA else tiny_model
    if technique in BY_HAMA:
        asked = {name: value for name, value in asked.items() if name not in NO_DECODER}
        clip, segments = from_example(CLIP).clip, from_example(CLIP).words[:4]
    said = segments
    if technique in ("cue_contribution", "attribution"):
        said = (Segment("ab", 0.0, 0.5), Segment("cd", 0.6, 1.2))
    taken = inspect.signature(module.analyse).parameters
    given = {"segments": said} if "segments" in taken else {}
    monkeypatch.setattr(options, "finish", first_shown)
    monkeypatch.setattr(tracing, "LEAST_GAP", -np.inf)  # a random network may lose nothing
    result = module.analyse(clip, model, **given, **asked)
    written = snippets._arguments(technique, result.provenance["options"])
    exec(f"made = dict({', '.join(written)})", {"segments": said}, names := {})
    made = names["made"]
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in made.items()}
    assert {name: plain.get(name) for name in asked} == asked
    assert set(made) <= set(taken)
    assert ("segments" in made) == ("segments" in given)
    code = snippets.snippet(result, technique, from_example(CLIP), {})
    compile(code, technique, "exec")
    line = command_asked(code)
    own = options.own_options(module.analyse)
    chosen = {name: asked[name] for name in asked if name in own}
    assert {name: line.options.get(name, own[name].default) for name in chosen} == chosen
    assert line.forced == ("transcript" in asked and "transcript" in taken)
    kept = np.load(io.BytesIO(downloads.npz(result)), allow_pickle=False)
    assert [name for name in kept.files if np.asarray(kept[name]).dtype == object] == []


def command_asked(code):
    """What the command of a script asks for, read by the command line itself."""
    (line,) = [line for line in code.splitlines() if line.startswith("# python -m methods run")]
    parsed = _parser().parse_args(shlex.split(line)[4:])
    assert parsed.corpus == "YOUR_FOLDER"
    (ask,) = plan.asks(parsed.technique, parsed.model, parsed.option, parsed.units, parsed.forced)
    return ask


@pytest.mark.parametrize(
    "text",
    ["two words", "it's", 'say "no"', "7", "null", "a,b", "1e5", '"', "a\nimport os", "é ü", "-x", "a=b", "$HOME `x`"],
)
def test_a_text_survives_the_command_line(text, clip, tiny_model, segments):
    result = decoder_lens.analyse(clip, tiny_model, reference=text, random_seeds=())
    code = snippets.snippet(result, "decoder_lens", from_example(CLIP), {})
    ask = command_asked(code)
    assert ask.options["reference"] == text and ask.options["random_seeds"] == ()
    compile(code, "snippet", "exec")


@pytest.mark.parametrize("technique", plan.clip_techniques())
def test_every_technique_over_clips_prints_a_command_that_can_be_read(technique):
    taken = options.own_options(importlib.import_module(f"methods.{technique}").analyse)
    asked = {name: "a b" if each.default is each.empty else each.default for name, each in taken.items()}
    listed = {name: list(value) if isinstance(value, tuple) else value for name, value in asked.items()}
    made = SimpleNamespace(provenance={"model": "some/model", "options": listed})
    ask = command_asked(snippets._command(made, technique, from_example(CLIP)))
    assert {name: ask.options.get(name, taken[name].default) for name in taken} == asked


def test_the_command_cuts_clips_as_the_page_did(clip, tiny_model, segments):
    session, mine = from_example(CLIP), tuple(segments)
    result = attention.analyse(clip, tiny_model, segments=mine, stacks=("encoder",), random_seeds=())
    for changed, units in (
        ({"words": mine}, "words"),
        ({"words": (), "phones": mine}, "phones"),
        ({"words": mine, "timing": by_attention(tiny_model)}, "own"),
        ({"words": None}, "own"),
    ):
        code = snippets.snippet(result, "attention", dataclasses.replace(session, **{"phones": (), **changed}), {})
        assert command_asked(code).units == units
    heads = head_roles.analyse(clip, tiny_model, random_seeds=())
    assert command_asked(snippets.snippet(heads, "head_roles", session, {})).units == "own"


@pytest.mark.parametrize("technique", WHOLE)
def test_no_option_is_lost_on_its_way(technique):
    module, kept = importlib.import_module(f"methods.{technique}"), WHOLE[technique]
    work = importlib.import_module(f"methods.{technique}.analysis")
    kept = getattr(work, kept) if isinstance(kept, str) else kept
    fields = {field.name for field in dataclasses.fields(kept)}
    taken = set(list(inspect.signature(module.analyse).parameters)[2:])
    assert taken - {"segments"} == fields
    assert all(field.default is dataclasses.MISSING for field in dataclasses.fields(kept)), "declared once, in analyse"


def test_every_line_of_import_that_a_script_prints_can_be_run():
    text = Path(snippets.__file__).read_text(encoding="utf-8")
    printed = [line for line in re.findall(r"from methods\S* import [\w ]+", text) if "technique" not in line]
    assert {*snippets.IMPORTS[2:]} <= {*printed} and len(printed) > len(snippets.IMPORTS[2:])
    exec("\n".join([*printed, *snippets.IMPORTS]), {})


def test_a_script_runs_in_any_folder_and_says_where_where_it_cannot(tmp_path, monkeypatch):
    session = from_example(CLIP)
    monkeypatch.chdir(tmp_path)
    result = value_zeroing.analyse(
        session.clip, load_model("hama-ctc"), segments=session.words, stacks=("encoder",), random_seeds=()
    )
    code = snippets.snippet(result, "value_zeroing", session, {"layer": 1})
    exec(code, names := {})
    np.testing.assert_array_equal(names["result"].encoder, result.encoder)
    assert {path.name for path in tmp_path.iterdir()} == {"value_zeroing.csv", "value_zeroing.svg"}
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    alone = subprocess.run([sys.executable, "-I", "script.py"], capture_output=True, text=True, check=False)
    assert snippets.WHERE in alone.stderr  # Python prints the line that failed, and with it where to run it


def test_every_technique_is_looked_at():
    """Those left over are read by eye: their options are few and are listed one by one."""
    left = {"acoustic_probing", "encoding_probe", "live_probes", "phone_check", "phone_focus"}
    assert set(TECHNIQUES) - set(ASKED) - set(WHOLE) == left


def test_twins_that_are_no_whole_results_are_stacked_too():
    impacts = np.arange(6.0).reshape(3, 2)
    kept = arrays._stacked((spectrogram_occlusion.Twin(4, impacts), spectrogram_occlusion.Twin(7, -impacts)))
    np.testing.assert_array_equal(kept["random_seeds"], [4, 7])
    np.testing.assert_array_equal(kept["random_impacts"], [impacts, -impacts])


def corpus_lines(corpus, session, options=None):
    origin = {"corpus": corpus.name, "corpus_sha256": corpus.sha256}
    beside, _ = snippets._beside(options or {}, session)
    names = {"corpora": corpora, "load_clip": load_clip, "read_textgrid": read_textgrid, "examples": FOLDER}
    code = snippets._corpus(origin, session) + beside
    return code, names


def test_the_clip_above_as_a_corpus_is_found_again():
    session = from_example(CLIP)
    corpus = corpora.of_clip(session.clip, session.words, session.phones)
    code, names = corpus_lines(corpus, session, {"clip_sha256": session.clip.sha256})
    exec(code, names)
    assert names["corpus"].sha256 == corpus.sha256
    assert names["clip"].sha256 == session.clip.sha256


def test_words_that_no_bundled_textgrid_holds_are_the_visitors_to_bring():
    without = next(key for key, example in EXAMPLES.items() if not example.tiers())
    for key, words in ((without, (Segment("oui", 0.1, 0.4),)), (CLIP, (Segment("other", 0.1, 0.4),))):
        session = from_example(key)
        code, _ = corpus_lines(corpora.of_clip(session.clip, words), session)
        assert "YOUR_RECORDING.TextGrid" in code
        assert EXAMPLES[key].file in code
