"""Cue contribution over a set: examples read, resumed and refused; means, intervals and the number probe."""

import copy
import csv
import dataclasses
import json
import zipfile
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from methods import cue_contribution
from methods.core.alignment.textgrid import write_textgrid
from methods.core.audio import Clip, clip_from_samples, to_wav
from methods.core.errors import OutOfTimeError, UserError
from methods.core.frames import Segment
from methods.core.progress import Step, finish, time_limit
from methods.core.speech import words
from methods.cue_contribution import cue, number_probe, sentence_set, sentences
from methods.cue_contribution.sentences import CueSentence

WORDS = (Segment("ab", 0.0, 0.4), Segment("cd", 0.4, 0.8), Segment("ef", 0.8, 1.3))
QUICK = {"random_seeds": (0,), "draws": 2}


def sound(seed, pitch=200.0):
    times = np.arange(20_800) / 16_000
    noise = 0.02 * np.random.default_rng(seed).normal(size=times.size)
    return clip_from_samples(0.3 * np.sin(2 * np.pi * pitch * times) + noise, 16_000, f"sound {seed}")


def example(seed, **changes):
    made = CueSentence(
        f"e{seed}", lambda: sound(seed), "ab cd ef", "ab", "cd", f"s{seed // 2}", "en", "det_noun", "", WORDS
    )
    return dataclasses.replace(made, **changes)


def in_folder(folder, rows):
    for row in rows:
        (folder / row["file"]).write_bytes(to_wav(sound(1)))
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)
    return folder


# Reading


def test_a_folder_is_read_and_three_slots_count_twice(tmp_path):
    rows = [
        {"file": "a.wav", "transcript": "ab cd ef", "cue": "ab", "target": "cd", "second_target": "ef",
         "template": "det_noun_verb", "number": "Number_plur", "group": "7", "language": "en"},
        {"file": "b.wav", "transcript": "ab cd ef", "cue": "cd", "target": "ef", "second_target": "",
         "template": "pronoun_verb", "number": "singular", "group": "", "language": ""},
    ]  # fmt: skip
    folder = in_folder(tmp_path, rows)
    (folder / "a.TextGrid").write_text(write_textgrid({"words": WORDS}, 1.3), encoding="utf-8")
    first, second, third = sentences.read_folder(folder)
    assert (first.cue, first.target, first.number, first.group, first.language) == ("ab", "cd", "plural", "7", "en")
    assert (second.cue, second.target, second.number, second.group) == ("ab cd", "ef", "", "7")
    assert (third.template, third.number, third.group, third.language) == ("pronoun_verb", "singular", "b.wav", None)
    assert first.words == WORDS
    assert third.words is None
    assert first.sound().seconds == pytest.approx(1.3)


def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"There is no index\.csv"):
        sentences.read_folder(tmp_path)
    (tmp_path / "index.csv").write_text("file,transcript\na.wav,hello\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"lacks what it needs \(cue, target\)"):
        sentences.read_folder(tmp_path)
    (tmp_path / "index.csv").write_text("file,transcript,cue,target\na.wav,a b,a,b\n", encoding="utf-8")
    with pytest.raises(UserError, match="which is not in the folder"):
        sentences.read_folder(tmp_path)


def test_without_a_network_the_published_set_is_a_sentence():
    with pytest.raises(UserError, match="could not be fetched"):
        sentences.from_hub()


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


INDEX = "file,transcript,cue,target\na.wav,ab cd ef,ab,cd\n../../b.wav,ab cd ef,ab,cd\na.wav,ab cd ef,cd,ef\n"


def test_a_zip_is_read_into_memory_and_names_are_never_paths(tmp_path):
    """“../../b.wav” names the zip's own b.wav or nothing, and every sound is read once."""
    waves = {"set/a.wav": to_wav(sound(1)), "set/b.wav": to_wav(sound(2))}
    path = zipped(tmp_path / "s.zip", {**waves, "set/index.csv": INDEX.replace("../../", "./")})
    first, second, third = sentences.read_zip(path, 3)
    path.unlink()
    assert first.sound() is third.sound() and first.sound().sha256 != second.sound().sha256
    with pytest.raises(UserError, match="makes 3 examples and the limit is 2"):
        sentences.read_zip(zipped(path, {**waves, "set/index.csv": INDEX.replace("../../", "./")}), 2)
    outside = tmp_path / "b.wav"
    outside.write_bytes(to_wav(sound(3)))
    for name in ("../../b.wav", "..\\..\\b.wav"):
        found = sentences.read_zip(zipped(path, {**waves, "set/index.csv": INDEX.replace("../../b.wav", name)}), 9)
        assert found[1].sound().sha256 == second.sound().sha256 != sound(3).sha256
    named = INDEX.replace("../../b.wav", str(outside))
    with pytest.raises(UserError, match="not in the folder or no sound file"):
        sentences.read_zip(zipped(path, {**waves, "set/index.csv": named}), 9)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.wav": b""}, r"There is no index\.csv in the zip"),
        ({"a.wav": b"x", "index.csv": "file,transcript,cue,target\n"}, "lists no example"),
        ({"a.wav": b"x", "index.csv": b"\xff\xfe\x00"}, "not a table in UTF-8"),
        ({"a.wav": b"x", "index.csv": "file,transcript,cue,target\nindex.csv,a b,a,b\n"}, "no sound file"),
        ({"a.wav": b"x", "index.csv": f"file,transcript,cue,target\na.wav,{'a' * 301},a,b\n"}, "over 300 characters"),
        ({"a.wav": b"x", "index.csv": "file,transcript,cue,target\na.wav,a b,a,b\n"}, "cannot be read as sound"),
        ({"index.csv": "file,transcript,cue,target\na.wav,a b,a,b\n"}, "no sound file here"),
    ],
)
def test_a_zip_that_cannot_be_used_is_a_sentence(tmp_path, files, message):
    with pytest.raises(UserError, match=message):
        sentences.read_zip(zipped(tmp_path / "s.zip", files), 9)
    (tmp_path / "s.zip").write_bytes(b"no zip")
    with pytest.raises(UserError, match="not a zip file"):
        sentences.read_zip(tmp_path / "s.zip", 9)


def test_more_than_a_quarter_of_an_hour_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sentences, "MOST_SECONDS", 2.0)
    waves = {"a.wav": to_wav(sound(1)), "b.wav": to_wav(sound(2))}
    with pytest.raises(UserError, match="longer than 0 minutes"):
        sentences.read_zip(zipped(tmp_path / "s.zip", {**waves, "index.csv": INDEX.replace("../../", "")}), 9)


@pytest.mark.parametrize("name", sentences.BUNDLED)
def test_the_bundled_sentences_have_their_cue_before_their_target_once(name):
    """Every one can be measured by a model that knows the words; the counts are those that the page promises."""
    found = sentences.bundled(name)
    assert sentences.BUNDLED[name].startswith(f"{len(found)} ")
    assert len({example.name for example in found}) == len(found)
    for example in found:
        labels = example.transcript.split()
        places = [words.find_words(labels, word, "cue") for word in (example.cue, example.target)]
        cue.check_order(*places, example.cue, example.target)
        assert example.sound().seconds > 1
        if name == "english":
            assert cue.find_homophones(example.target), example.target
            assert [words.find_words([w.label for w in example.words], word, "") for word in (example.cue,)]
    with pytest.raises(UserError, match="no bundled set"):
        sentences.bundled("german")


# Running


def run(examples, model, **options):
    return finish(sentence_set.analyse_set_in_steps(examples, model, **{**QUICK, **options}))


def test_a_set_is_the_mean_of_its_examples(tiny_model):
    examples = [example(seed) for seed in range(2)]
    got = run(examples, tiny_model)
    for stack in ("encoder", "decoder", "cross"):
        singles = [
            cue_contribution.analyse(
                one.sound(), tiny_model, cue="ab", target="cd", segments=WORDS, transcript="ab cd ef", language="en",
                **QUICK,
            )
            for one in examples
        ]  # fmt: skip
        expected = np.mean([single.contribution(stack) for single in singles], axis=0)
        np.testing.assert_allclose(got.mean(stack), expected, rtol=1e-12)
        random = np.mean([single.control(stack).mean(0) for single in singles], axis=0)
        np.testing.assert_allclose(got.mean(stack, of="random"), random, rtol=1e-12)
        nulls = [getattr(single, f"{stack}_null") for single in singles]
        if stack == "decoder":  # the text begins with its cue: no other run of tokens comes before the target
            assert all(null.shape[-1] == 0 for null in nulls) and np.isnan(got.mean(stack, of="stretches")).all()
        else:
            stretches = np.mean([null.mean(-1) for null in nulls], axis=0)
            np.testing.assert_allclose(got.mean(stack, of="stretches"), stretches, rtol=1e-12)
    assert got.counts() == {"det_noun": 2}
    likely = np.mean([single.probabilities[:, 0] for single in singles], axis=0)
    np.testing.assert_allclose(got.likely()[:, 0], likely, rtol=1e-12)
    assert got.conditions == singles[0].conditions
    table = got.table()
    assert len(table) == 3 * 3 * 2 + len(likely)
    counted = table.groupby("attention")["stretches_examples"].agg(["min", "max"])
    assert counted.loc["encoder"].tolist() == [2, 2] and counted.loc["decoder"].tolist() == [0, 0]
    assert got.refused == ()


def test_intervals_are_over_sentences_not_examples():
    """Two examples of a sentence that are alike count as one: the interval is that of the sentences' own values."""
    values = np.random.default_rng(0).random(6)
    twice = np.repeat(values, 2)[:, None, None] * np.ones((1, 3, 1))
    names, groups = tuple("abcdefghijkl"), tuple(np.repeat(list("uvwxyz"), 2))
    made = sentence_set.SetResult(names, groups, ("t",) * 12, {"encoder": twice}, {}, ())
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    np.testing.assert_allclose(made.interval("encoder")[0, 0], expected, rtol=1e-12)
    few = sentence_set.SetResult(names[:8], groups[:8], ("t",) * 8, {"encoder": twice[:8]}, {}, ())
    assert np.isnan(few.interval("encoder")).all() and np.isfinite(few.mean("encoder")).all()


def test_a_stopped_run_goes_on_where_it_was(tiny_model, tmp_path, monkeypatch):
    """What is measured does not matter here: numbers made of the clip's name, and a count of calls."""
    journal, examples, calls = tmp_path / "run.jsonl", [example(seed) for seed in range(3)], []

    def measure(clip, model, **options):
        yield Step(0.0, "", "drawn for one example alone")
        calls.append(clip.name)
        shares = np.full((3, 2), float(clip.name[-1]))
        shares[0, 0] = np.nan
        null = np.repeat(shares[..., None], 4, -1)
        only = {"decoder": None, "cross": None, "random": (), "probabilities": None}
        return SimpleNamespace(encoder=shares, encoder_null=null, contribution=lambda _: shares, **only)

    monkeypatch.setattr(sentence_set.analyse, "in_steps", measure)

    def steps(**options):
        return sentence_set.analyse_set_in_steps(examples, tiny_model, journal=journal, **options)

    memory = {}
    finish(sentence_set.analyse_set_in_steps(examples, tiny_model, journal=memory))
    finish(sentence_set.analyse_set_in_steps(examples, tiny_model, journal=memory))
    assert len(memory) == len(calls) == 3  # a dictionary is a journal too
    calls.clear()
    first = steps()
    for _ in range(5):  # two steps for each example; the fifth comes when two are done
        last = next(first)
    assert len(last.partial.names) == 2
    first.close()
    assert len(calls) == 2
    with journal.open("a", encoding="utf-8") as file:
        file.write('{"key": "cut off by a cra')
    got = finish(steps())
    assert len(calls) == 3
    np.testing.assert_array_equal(got.mean(), [[np.nan, 1.0], [1.0, 1.0], [1.0, 1.0]])  # of 0, 1 and 2
    assert len(journal.read_text(encoding="utf-8").splitlines()) == 3
    finish(steps(draws=3))
    assert len(calls) == 6  # other options are another run


def test_a_journal_is_of_one_model_and_its_groups_are_those_of_the_set_as_it_is(tiny_model):
    examples, journal = [example(seed) for seed in range(2)], {}
    run(examples, tiny_model, journal=journal)
    examples[0] = example(0, group="new", template="pronoun")
    renamed = run(examples, tiny_model, journal=journal)
    assert len(journal) == 2 and (renamed.groups[0], renamed.templates[0]) == ("new", "pronoun")
    heads = copy.deepcopy(tiny_model.network)
    heads.config.encoder_attention_heads = 4
    run(examples, dataclasses.replace(tiny_model, network=heads), journal=journal)
    assert len(journal) == 4  # the same weights in another number of heads are another model


def test_a_run_out_of_time_is_no_reason_to_leave_a_sentence_out(tiny_model, tmp_path):
    journal, examples = tmp_path / "run.jsonl", [example(0, target="zz"), example(1)]
    with pytest.raises(OutOfTimeError, match="stopped after 0 s"), time_limit(0.0):
        run(examples, tiny_model, journal=journal)
    assert not journal.exists()
    inner = sentence_set._measured(examples[1], examples[1].sound(), tiny_model, (), QUICK | {"random_seeds": ()})
    with pytest.raises(OutOfTimeError), time_limit(0.0):
        deque(inner)  # step by step: value zeroing finishes work of its own within a step
    assert run(examples, tiny_model, journal=journal).names == ("e1",)


def test_a_damaged_journal_is_a_sentence(tiny_model, tmp_path):
    journal = tmp_path / "run.jsonl"
    journal.write_text("nonsense\n" + json.dumps({"key": "x"}) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="Line 1 of the journal"):
        run([example(0)], tiny_model, journal=journal)


def test_an_example_that_cannot_be_measured_is_named_and_the_others_go_on(tiny_model):
    got = run([example(0, target="zz"), example(1)], tiny_model)
    assert got.names == ("e1",)
    assert got.refused[0][0] == "e0"
    assert "zz" in got.refused[0][1]
    with pytest.raises(UserError, match="None of the 1 examples"):
        run([example(0, target="zz")], tiny_model)
    with pytest.raises(UserError, match="no example in this set"):
        run([], tiny_model)


# The number probe


def test_the_probe_finds_a_number_that_is_in_the_sound(tiny_model):
    """Plural targets are sung at 900 Hz, singular ones at 250 Hz: any layer of any network that hears tells them."""
    examples = [
        example(seed, sound=lambda s=seed: sound(s, 900.0 if s % 2 else 250.0), group=f"g{seed}",
                number="plural" if seed % 2 else "singular")
        for seed in range(20)
    ]  # fmt: skip
    got = finish(number_probe.number_probe_in_steps(examples, tiny_model, random_seeds=(0,)))
    assert got.accuracy.shape == (3,)
    assert got.accuracy.max() == 1.0
    assert got.random.shape == (1, 3)
    assert got.majority == 0.5
    assert (got.interval[:, 0] <= got.accuracy).all()
    assert (got.accuracy <= got.interval[:, 1]).all()


def test_too_few_numbers_are_refused(tiny_model):
    with pytest.raises(UserError, match="needs 10 singular and 10 plural"):
        finish(number_probe.number_probe_in_steps([example(0, number="plural")], tiny_model))


def test_the_probe_is_at_chance_where_number_means_nothing():
    """40 sentences of noise in 8 dimensions: 0.5 ± 0.08; a probe that saw its test items would be near 1."""
    random = np.random.default_rng(0)
    numbers = np.arange(40) % 2
    noise = random.normal(size=(1, 40, 8))
    (accuracy,), ((low, high),) = finish(number_probe._probed(noise, numbers, np.arange(40), sure=True))
    assert 0.2 < accuracy < 0.8 and low < 0.5 < high
    assert isinstance(sound(0), Clip)
