"""Cue contribution: laws on known maps, slow loops over other techniques' results, and the measured French pairs."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from methods import attention, cue_contribution, value_zeroing
from methods.core.audio import Clip, load_clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import decoder_states, encoder_states, frame_grid, load_model, transcribe
from methods.core.models.speech_model import Transcript
from methods.core.speech import words
from methods.cue_contribution import cue
from methods.cue_contribution.cue import PAIRS
from page.export import downloads

RULER = np.random.default_rng(0)
TEXT = "ab cd abc"


# Shares


def test_uniform_maps_give_the_cues_part_of_the_words():
    maps = np.full((3, 5, 8), 0.3)
    for rows, columns in (((0,), (2,)), ((1, 4), (0, 1, 7))):
        np.testing.assert_allclose(cue.cue_contribution(maps, rows, columns), len(columns) / 8)


def test_everything_as_a_cue_gives_one_and_cues_add_up():
    maps = RULER.random((2, 5, 8))
    np.testing.assert_allclose(cue.cue_contribution(maps, (1, 3), range(8)), 1)
    parts = [cue.cue_contribution(maps, (1, 3), (column,)) for column in range(8)]
    np.testing.assert_allclose(sum(parts), 1)


def test_rows_scale_and_other_rows_do_not_matter():
    maps = RULER.random((4, 6, 6))
    expected = cue.cue_contribution(maps, (2, 3), (0, 1))
    scaled = maps * np.array([1, 1, 100, 0.01, 1, 1])[:, None]
    np.testing.assert_allclose(cue.cue_contribution(scaled, (2, 3), (0, 1)), expected)
    changed = maps.copy()
    changed[:, [0, 1, 4, 5]] = RULER.random((4, 4, 6))
    np.testing.assert_array_equal(cue.cue_contribution(changed, (2, 3), (0, 1)), expected)
    # What the target takes from itself counts by its sum only: how it is spread over its own columns does not.
    moved = maps.copy()
    moved[..., 2], moved[..., 3] = maps[..., 3], maps[..., 2]
    np.testing.assert_allclose(cue.cue_contribution(moved, (2, 3), (0, 1)), expected)
    assert np.isnan(cue.cue_contribution(np.zeros((2, 2)), (0,), (1,)))


def test_uniform_attention_in_a_network(clip, tiny_model, segments):
    """Equal scores: attention gives each word 1/n per frame; with equal values besides, so does the norm."""
    site = encoder_states(clip, tiny_model).sites[0]
    even = replace(
        site, query=torch.zeros_like(site.query), value=site.value[:, :1].expand_as(site.value).contiguous()
    )
    spans = frame_grid(clip, tiny_model).spans(segments)
    with torch.inference_mode():
        maps = cue.score_maps(even, [spans[2]], spans)
    shares = cue.cue_contribution(maps, (0,), (0, 1))
    np.testing.assert_allclose(shares[:2], 2 / 4, rtol=1e-6)
    # Value zeroing removes 11, 4, 23 and 17 equal parts: to first order the distance goes with the square.
    assert maps[2, 0].argmax() == 2 and maps[2, 0].argmin() == 1


# Words


def test_words_are_found_whatever_their_case_and_punctuation():
    labels = ["Pour", "écouter", "vos", "messages,", "vos", "It's"]
    assert words.find_words(labels, "POUR", "cue") == range(1)
    assert words.find_words(labels, "vos messages", "cue") == range(2, 4)
    assert words.find_words(labels, "vos", "cue", 2) == range(4, 5)
    assert words.find_words(labels, "it’s", "target") == range(5, 6)


@pytest.mark.parametrize(
    ("wanted", "occurrence", "message"),
    [
        ("notre", None, "“notre”, the cue, is not among the words of this clip, which are: vos, a, vos"),
        ("vos", None, r"occurs 2 times; say which one is meant \(cue_occurrence"),
        ("vos", 3, "occurs 2 times, so there is no number 3"),
        ("  ", None, "The cue is empty"),
    ],
)
def test_words_that_cannot_be_found_are_sentences(wanted, occurrence, message):
    with pytest.raises(UserError, match=message):
        words.find_words(["vos", "a", "vos"], wanted, "cue", occurrence)


def test_cue_after_target_is_a_sentence(clip, tiny_model, segments):
    with pytest.raises(UserError, match="does not end before the target"):
        cue.check_order(range(2, 3), range(1, 2), "c", "b")
    with pytest.raises(UserError, match="does not end before the target “b”"):
        cue_contribution.analyse(clip, tiny_model, cue="b", target="b", segments=segments, transcript="a b c d")


def test_tokens_of_words():
    texts = (" Pour", " éc", "outer", " “", "vos", "”", " messages", ",", " …")
    text = Transcript("", (9, 9, 9), tuple(range(9)), texts, ("",) * 3, np.zeros(10), "fr", None, True, True)
    assert [(word.label, word.tokens) for word in words.text_words(text)] == [
        ("Pour", range(3, 4)), ("écouter", range(4, 6)), ("vos", range(7, 8)), ("messages", range(9, 10)),
    ]  # fmt: skip


# The whole, on a tiny network


@pytest.fixture(scope="module")
def spoken():
    """Four words of unequal length with a pause, named like the text that the decoder reads."""
    bounds = ((0.0, 0.22), (0.22, 0.3), (0.5, 0.95), (0.95, 1.3))
    names = ("x", "ab", "cd", "abc")
    return tuple(Segment(label, start, end) for label, (start, end) in zip(names, bounds, strict=True))


@pytest.fixture(scope="module")
def result(clip, tiny_model, spoken):
    return cue_contribution.analyse(
        clip, tiny_model, cue="ab", target="abc", alternative="abd", swapped="xyz", segments=spoken,
        transcript="x ab cd abc", language="en", random_seeds=(0, 1), draws=25,
    )  # fmt: skip


def slow_share(matrix: np.ndarray, rows: list[int], columns: list[int]) -> float:
    """Plain loops over one (rows, columns) map."""
    total = 0.0
    for row in rows:
        total += sum(matrix[row, c] for c in columns) / sum(matrix[row, c] for c in range(matrix.shape[1]))
    return total / len(rows)


def test_shares_against_the_results_of_other_techniques(clip, tiny_model, spoken, result):
    options = {"segments": spoken, "transcript": "x ab cd abc", "language": "en", "random_seeds": ()}
    weights = attention.analyse(clip, tiny_model, **options)
    zeroed = value_zeroing.analyse(clip, tiny_model, **options)
    # Tokens: four of the prompt, then " x", " ab", " cd", " abc", one per character and one per space.
    assert weights.tokens[4:] == ("·", "x", "·", "a", "b", "·", "c", "d", "·", "a", "b", "c")
    cases = {"encoder": ([3], [1]), "cross": ([11, 12, 13, 14], [1]), "decoder": ([11, 12, 13, 14], [6, 7, 8])}
    for stack, (rows, columns) in cases.items():
        for layer in range(2):
            seen = weights.maps(stack)[layer]  # mean over heads, per frame
            share = result.contribution(stack)[:, layer]
            assert share[0] == pytest.approx(slow_share(seen, rows, columns), rel=1e-5), stack
            raw = getattr(zeroed, stack)[layer]
            assert share[2] == pytest.approx(slow_share(raw, rows, columns), rel=1e-5), stack


def test_norms_against_the_direct_formula(clip, tiny_model, spoken, result):
    """‖Σ_h α f‖ for each pair of positions, as vectors, then means over words."""
    spans = frame_grid(clip, tiny_model).spans(spoken)
    ids = transcribe(clip, tiny_model, text="x ab cd abc", language="en").ids
    sites = {"encoder": encoder_states(clip, tiny_model).sites}
    states = decoder_states(clip, tiny_model, ids)
    sites |= {"cross": states.cross_sites, "decoder": states.self_sites}
    tokens = [range(i, i + 1) for i in range(len(ids))]
    cases = {"encoder": ([spans[3]], spans, [1]), "cross": (tokens[11:15], spans, [1]),
             "decoder": (tokens[11:15], tokens, [6, 7, 8])}  # fmt: skip
    for stack, (rows, columns, chosen) in cases.items():
        for layer, site in enumerate(sites[stack]):
            parts, weights = site.contributions(), site.weights()
            matrix = np.zeros((len(rows), len(columns)))
            for r, row in enumerate(rows):
                for c, column in enumerate(columns):
                    lengths = [
                        sum(weights[h, i, j] * parts[h, j] for h in range(2)).norm().item()
                        for i in row
                        for j in column
                    ]
                    matrix[r, c] = np.mean(lengths)
            expected = slow_share(matrix, list(range(len(rows))), chosen)
            assert result.contribution(stack)[1, layer] == pytest.approx(expected, rel=1e-4), stack


def test_random_stretch_equal_to_a_word_gets_that_words_share(clip, tiny_model):
    """Two cues of equal length: the one place to which the first can be shifted is the second, and the other way."""
    cut = tuple(Segment(label, 0.2 * i, 0.2 * i + 0.2) for i, label in enumerate(("ab", "cd", "abc")))
    options = {
        "segments": cut,
        "transcript": "ab cd abc",
        "language": "en",
        "random_seeds": (),
        "stacks": ("encoder",),
    }
    short = Clip(clip.samples[: int(0.6 * 16_000)], "short")
    first = cue_contribution.analyse(short, tiny_model, cue="ab", target="abc", **options)
    second = cue_contribution.analyse(short, tiny_model, cue="cd", target="abc", **options)
    assert first.null_places == (("encoder", "before the target"),)
    np.testing.assert_allclose(first.encoder_null[..., 0], second.encoder, rtol=1e-6)
    np.testing.assert_allclose(second.encoder_null[..., 0], first.encoder, rtol=1e-6)
    assert first.encoder_null.shape[-1] == first.distinct() == 1  # not one place twenty times
    assert first.marked() is None
    # One other place: p is 1/2 where the cue has more, else 1.
    np.testing.assert_array_equal(first.rank_p(), np.where(first.encoder > second.encoder, 0.5, 1.0))


@pytest.mark.parametrize("blank", [{"swapped": " "}, {"alternative": ["ab", "  "]}, {"alternative": "…"}])
def test_blank_spellings_are_sentences(clip, tiny_model, spoken, blank):
    with pytest.raises(UserError, match="is blank, so there is nothing to write"):
        cue_contribution.analyse(
            clip, tiny_model, cue="ab", target="abc", segments=spoken, transcript="x ab cd abc", **blank
        )


def test_result_holds_controls_and_a_table(result):
    assert result.words == 4 and result.contribution("encoder").shape == (3, 2)
    assert result.control("cross").shape == (2, 3, 2)
    # The cue has frames 11 to 14: two places of four frames come before it, eight between it and the target at 48.
    assert result.encoder_null.shape == (3, 2, 10) and result.distinct() == 10
    assert result.rank_p().shape == (3, 2) and result.rank_p().min() >= 1 / 11
    assert result.random[0].logprobs is None
    table = result.table()
    assert len(table) == 3 * 3 * 2 + 5 * 2
    assert set(table["condition"].dropna()) == set(result.conditions)
    assert not result.encoder.flags.writeable
    figure = cue_contribution.plot(result)
    maps = [collection for ax in figure.axes for collection in ax.collections if hasattr(collection, "get_clim")]
    assert len({mesh.get_clim() for mesh in maps[:6]}) == 1  # one scale for trained and random
    assert result.provenance["options"]["cue"] == "ab"
    with np.load(io.BytesIO(downloads.npz(result)), allow_pickle=False) as file:  # nothing in it needs pickle
        arrays = {name: file[name] for name in file.files}
    assert arrays["random_encoder"].shape == (2, 3, 2) and arrays["null_places"].shape == (3, 2)


def test_probabilities_against_a_plain_pass(clip, tiny_model, result, spoken):
    ids = list(transcribe(clip, tiny_model, text="x ab cd abc", language="en").ids)

    def plain(samples, prefix, spelling):
        features = tiny_model.front_end(samples, sampling_rate=16_000, return_tensors="pt").input_features
        logs = []
        for number in range(len(spelling)):
            given = torch.tensor([[*prefix, *spelling[:number]]])
            with torch.no_grad():
                logits = tiny_model.network(features, decoder_input_ids=given, use_cache=False).logits[0, -1]
            logs.append(logits.log_softmax(-1)[spelling[number]].item())
        return sum(logs), np.exp(logs).mean()

    quiet = clip.samples.copy()
    quiet[3520:4800] = 0  # 0.22 to 0.30 s
    end, other = tiny_model.decoding.end, list(cue.spelled(tiny_model, "abd"))
    blank = ids[:6] + [end] * 3 + ids[9:12]
    swapped = ids[:6] + list(cue.spelled(tiny_model, "xyz")) + ids[9:12]
    cases = [
        (clip.samples, ids[:12]),
        (quiet, ids[:12]),
        (clip.samples, blank),
        (quiet, blank),
        (clip.samples, swapped),
    ]
    assert [cue_name.split()[0] for cue_name in result.conditions] == ["as", "cue", "cue", "both", "cue"]
    for number, (samples, prefix) in enumerate(cases):
        for column, spelling in enumerate((ids[12:], other)):
            total, mean = plain(samples, prefix, spelling)
            assert result.logprobs[number, column] == pytest.approx(total, abs=1e-4)
            assert result.probabilities[number, column] == pytest.approx(mean, rel=1e-4)
    assert spoken[1].start * 16_000 == 3520


def test_a_model_without_decoder_has_the_encoders_part(clip, spoken):
    made = cue_contribution.analyse(
        clip, load_model("hama-ctc"), cue="ab", target="cd", segments=spoken, random_seeds=(0,)
    )
    assert made.contribution("encoder").shape == (3, 4)
    assert made.cross is None and made.logprobs is None and made.conditions == ()
    cue_contribution.plot(made)


# Homophones in English


def test_homophones_are_found_and_keep_their_case():
    found = cue.find_homophones("There are two ways to see it, it's for you.")
    assert [(item.word, item.position) for item in found] == [
        ("There", 0), ("two", 2), ("to", 4), ("see", 5), ("it's", 7), ("for", 8),
    ]  # fmt: skip
    assert found[0].spellings == ("There", "Their", "They're")
    assert found[4].spellings == ("it's", "its")
    assert cue.find_homophones("Weasels have eaten") == ()


# The French pairs, whisper-base

MEASURED = {  # data.md section 5: log p of the noun's two spellings, after its own cue and after the swapped one
    "fr_f_votre_message": {"as it is": {"message": -0.03, "messages": -5.78},
                           "swapped": {"message": -2.82, "messages": -0.60}},
    "fr_f_vos_messages": {"as it is": {"message": -3.95, "messages": -0.07},
                          "swapped": {"message": -0.03, "messages": -6.01}},
    "fr_f_composer": {"as it is": {"composez": -5.97, "composer": -0.33}},
    "fr_f_les_appels": {"as it is": {"appel": -1.29, "appels": -1.34}},
}  # fmt: skip


def test_the_pairs_are_the_bundled_clips():
    with open("examples_audio/index.csv", encoding="utf-8", newline="") as file:
        said = {row["file"].split("/")[-1].removesuffix(".wav"): row["transcript"] for row in csv.DictReader(file)}
    for pair in PAIRS:
        assert said[pair.clip] == pair.transcript


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.clip in MEASURED], ids=lambda pair: pair.clip)
def test_french_pairs_have_the_measured_probabilities(pair):
    clip, model = load_clip(f"examples_audio/cc-by-sa-3.0/{pair.clip}.wav"), load_model("openai/whisper-base")
    made = cue_contribution.analyse(
        clip, model, cue=pair.cue, target=pair.target, alternative=pair.alternative, swapped=pair.swapped,
        transcript=pair.transcript, language="fr", random_seeds=(), stacks=("cross",), silenced=0,
    )  # fmt: skip
    for case, expected in MEASURED[pair.clip].items():
        row = next(number for number, name in enumerate(made.conditions) if case in name)
        for column, spelling in enumerate(made.spellings):
            assert made.logprobs[row, column] == pytest.approx(expected[spelling], abs=0.05)
    # The cross-attention that writes the target reads the cue's sound more than any other stretch in some layer.
    assert (made.cross > made.null("cross").max(-1)).any()
