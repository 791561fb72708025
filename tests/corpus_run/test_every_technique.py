"""Every technique that analyses a clip: through the command, from `describe` to a table, means and a figure."""

import ast

import numpy as np
import pandas as pd
import pytest
import soundfile
from tree import ROOT

from methods import TECHNIQUES, technique
from methods.core.audio import load_clip
from methods.core.errors import UserError
from methods.core.options import own_options
from methods.corpus_run import Ask, measure, way_out
from methods.corpus_run.command import main
from methods.corpus_run.plan import clip_techniques

LABELS = """file,tier,label,start,end
glide.wav,words,see,0,0.3
glide.wav,words,it,0.3,0.5
glide.wav,words,there,0.6,1.2
glide.wav,phones,S,0,0.15
glide.wav,phones,IY,0.15,0.3
glide.wav,phones,IH,0.3,0.4
glide.wav,phones,T,0.4,0.5
glide.wav,phones,DH,0.6,0.8
glide.wav,phones,EH,0.8,1.0
glide.wav,phones,R,1.0,1.2
"""
WEASELS = ROOT / "examples_audio/cc-by-sa-3.0/en_f_weasels.wav"
SAMPLES = 19_200  # 1.2 s, as far as the labels go
OWN_HEADS = "openai/whisper-tiny.en"  # for which there are heads and probes
NEEDS_HEADS = ("live_probes", "ctc_lens", "two_lenses", "phone_check")
READS_OFTEN = ("asr_explanation",)  # hundreds of times: on the offline CTC model, whose pass takes 20 ms
NEEDS_PHONES = ("phone_check", "phoneme_saliency")
FAST = {
    "asr_explanation": ["mutants=20", "causal_budget=0", "frame=0.07"],
    "attribution": ["checks=false", "orders=0", "compared=[]", "modes=[]", "variants=[]"],
    "causal_tracing": ["corruption=silence", "target=transcript", "changed=there", "places=0"],
    "continuum": ["experiment=morph", "count=2"],
    "cue_contribution": ["cue=see", "target=there", "draws=2"],
    "paralinguistics": ["properties=loudness"],
    "phone_check": ["native=false"],
    "phoneme_saliency": ["method=saliency", "draws=0", "window=clip"],
    "spectrogram_occlusion": ["masks=24", "points=2", "random_maps=0", "patches_per_second=20"],
    "word_evidence": ["modes=[]", "random_orders=0"],
}
every = pytest.mark.parametrize("name", clip_techniques())


def recorded(folder, samples):
    """One recording with words and phones."""
    soundfile.write(folder / "glide.wav", samples, 16_000)
    (folder / "segments.csv").write_text(LABELS, encoding="utf-8")
    return folder


def gliding(hiss):
    """A tone and as loud a hiss as is asked for."""
    times = np.arange(SAMPLES) / 16_000
    noise = np.random.default_rng(0).normal(size=SAMPLES)
    return (0.3 * np.sin(2 * np.pi * (200 + 300 * times) * times) + hiss * noise).clip(-1, 1)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Folders of one recording: for most techniques a tone; what the network must lose, or be heard, differs.

    A random network finds every word likelier in noise: only a recording that is noise can lose one. The offline CTC
    model writes nothing for a tone: it is given the beginning of a sentence.
    """
    sounds = {"tone": gliding(0.05), "noise": gliding(0.5), "speech": load_clip(WEASELS).samples[:SAMPLES]}
    return {name: recorded(tmp_path_factory.mktemp(name), sound) for name, sound in sounds.items()}


def command(name, model, spoken, out, *, units, forced=True):
    taken = own_options(technique(name).analyse)
    options = [*FAST.get(name, ()), *(["random_seeds=[]"] if "random_seeds" in taken else ())]
    given = [part for option in options for part in ("--option", option)]
    model = OWN_HEADS if name in NEEDS_HEADS else "hama-ctc" if name in READS_OFTEN else model
    return ["run", name, "--model", model, "--corpus", str(spoken), "--units",
            units, *(["--forced"] * forced), "--out", str(out), *given]  # fmt: skip


@every
def test_it_ends_in_a_table_means_and_a_figure(name, tiny_model, recordings, tmp_path, capsys):
    spoken = recordings["noise" if name == "causal_tracing" else "speech" if name in READS_OFTEN else "tone"]
    units, out = "phones" if name in NEEDS_PHONES else "words", tmp_path / "out"
    forced = name not in READS_OFTEN
    assert main(command(name, tiny_model.id, spoken, out, units=units, forced=forced)) == 0, capsys.readouterr().err
    table = pd.read_parquet(out / f"{name}.parquet")
    facts = {"technique", "model", "clip", "options", "key", "provenance", "error"}
    assert len(table) and facts <= {*table.columns} and set(table.error) == {""} and set(table["clip"]) == {"glide"}
    numbers = [column for column in table if pd.api.types.is_float_dtype(table[column]) and column != "clip_seconds"]
    value = next(column for column in reversed(numbers) if table[column].notna().any())
    by = "model,layer" if "layer" in table and pd.api.types.is_numeric_dtype(table.layer) else "model"
    figure = tmp_path / "figure.svg"
    asked = [
        "summarise",
        str(out),
        "--value",
        value,
        "--by",
        by,
        "--figure",
        str(figure),
        "--out",
        str(figure) + ".csv",
    ]
    assert main(asked) == 0, capsys.readouterr().err
    means = pd.read_csv(str(figure) + ".csv")
    whole = table[value].mean() if by == "model" else table[table.layer == means.layer[0]][value].mean()
    assert figure.stat().st_size > 1000
    np.testing.assert_allclose(means["mean"][0], whole, rtol=1e-12)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_it_is_described(name, capsys):
    """What it asks and every option with its default, or that it is no matter of single clips."""
    code = main(["describe", name])
    told = capsys.readouterr()
    if name not in clip_techniques():
        assert code == 2 and "is about a corpus as a whole" in told.err
        return
    assert code == 0 and "*Source.*" in told.out and " inf" not in told.out and "e+" not in told.out
    assert all(f"\n  {option} = " in told.out for option in own_options(technique(name).analyse))


# What a refusal says


def refusal(name, model, spoken, out, capsys, **how):
    assert main(command(name, model, spoken, out, **how)) == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("name", NEEDS_PHONES)
def test_a_technique_of_phones_says_how_to_give_them(name, tiny_model, recordings, tmp_path, capsys):
    spoken = one_word(recordings["tone"], tmp_path)
    told = refusal(name, tiny_model.id, spoken, tmp_path / "out", capsys, units="words")
    assert "In this command: --units phones (in Python Ask(…, units='phones'))." in told


def one_word(spoken, tmp_path):
    """The same recording, of which one word is labelled and no phone."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "glide.wav").write_bytes((spoken / "glide.wav").read_bytes())
    (folder / "segments.csv").write_text("\n".join(LABELS.splitlines()[:2]), encoding="utf-8")
    return folder


PAGE_ONLY = ("press ", "upload", "click", "tick ", "in the tab", "“Align”", "menu", "button")
ROOMS = ("explain", "mixing", "interventions", "lenses", "results.py")
WHERE = [*(f"methods/{name}" for name in clip_techniques()), *(f"methods/core/{room}" for room in ROOMS)]


def raised():
    """(file, sentence, names in `mend`) of every refusal in the sources of techniques that analyse a clip."""
    files = [path for place in WHERE for path in (ROOT / place, ROOT / f"{place}.py") if path.exists()]
    for path in (each for place in files for each in ([place] if place.is_file() else sorted(place.rglob("*.py")))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error") and node.args:
                mend = [each.value for each in node.keywords if each.arg == "mend"]
                names = [key.value for each in mend for key in each.keys if isinstance(key, ast.Constant)]
                yield path.name, ast.unparse(node.args[0]), names


def test_no_refusal_names_what_only_the_page_has():
    assert [(file, text) for file, text, _ in raised() for word in PAGE_ONLY if word in text.lower()] == []


def test_what_would_mend_a_refusal_is_taken_by_some_technique():
    taken = {option for name in clip_techniques() for option in measure._taken(Ask(name, "m"))}
    named = [(file, name) for file, _, names in raised() for name in names]
    assert len(named) > 20 and [each for each in named if each[1] not in taken] == []


@pytest.mark.parametrize(
    ("mend", "asked", "way"),
    [
        ({"segments": "phones"}, {}, "--units phones (in Python Ask(…, units='phones'))"),
        ({"segments": "phones"}, {"units": "phones"}, ""),
        ({"segments": "words", "window": "full"}, {"units": "own"},
         "--units words (in Python Ask(…, units='words')), or --option window=full"),
        ({"window": "full"}, {"options": {"window": "full"}}, ""),
        ({"transcript": "…"}, {}, "--forced, for recordings whose labels hold words or a text"),
        ({"transcript": "…"}, {"forced": True}, ""),
        ({"transcript": None}, {"forced": True}, "leave --forced out"),
        ({"transcript": None}, {}, ""),
        ({"pieces": "windows"}, {}, ""),  # not an option here
        ({}, {}, ""),
    ],
)  # fmt: skip
def test_the_way_out_is_written_as_the_command_takes_it(mend, asked, way):
    told = way_out.told(
        UserError("It cannot be done.", mend=mend), Ask("t", "m", **asked), ("segments", "transcript", "window")
    )
    assert told == "It cannot be done." + (f" In this command: {way}." if way else "")
