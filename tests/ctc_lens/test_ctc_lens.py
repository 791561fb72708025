"""The CTC lens: the top layer is the model's own output, likelihoods sum over all paths, controls are at chance."""

import html
import itertools

import numpy as np
import pytest
import transformers
from tiny_wav2vec2 import KINDS, tiny_config, tiny_network

from methods import ctc_lens
from methods.core import models
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.lenses import ctc, ctc_heads, ctc_layers
from methods.core.models import load_model
from page.examples import EXAMPLES
from page.tabs import ctc_lens as ctc_lens_tab

HAMA = "hama-ctc"
WEASELS = EXAMPLES["en_f_weasels"]


def phones_of(example):
    return [segment.label for segment in example.tiers()["phones"] if segment.label]


@pytest.fixture(scope="module")
def tiny_heads(tiny_model):
    """Heads like ours, with random maps, for the random Whisper: 3 layers, 16 dimensions."""
    generator = np.random.default_rng(0)
    names = {"phones": ("<blank>", "AA", "B", "K"), "characters": ("<blank>", " ", "a", "b", "c")}
    weights = {unit: generator.normal(size=(3, len(names[unit]), 16)).astype(np.float32) for unit in names}
    biases = {unit: generator.normal(size=(3, len(names[unit]))).astype(np.float32) for unit in names}
    return ctc_heads.CtcHeads(names, weights, biases, {})


@pytest.fixture
def headed(tiny_model, tiny_heads, monkeypatch):
    fits = lambda model: tiny_heads if model.key == tiny_model.key else None  # noqa: E731
    monkeypatch.setattr(ctc_heads, "heads_for", fits)
    return tiny_model


@pytest.fixture(scope="module")
def hama():
    return ctc_lens.analyse(WEASELS.clip(), load_model(HAMA), reference=phones_of(WEASELS))


# Which tensor the head reads


def test_hamas_top_layer_is_hamas_own_output(clip):
    result = ctc_lens.analyse(clip, load_model(HAMA), random_seeds=())
    np.testing.assert_array_equal(result.log_probabilities[-1], models.ctc_log_probabilities(clip, load_model(HAMA)))
    assert result.texts()[-1] == ctc.read(clip, load_model(HAMA)).text


@pytest.mark.parametrize(
    ("family", "stable"), KINDS, ids=[f"{family}-{'pre' if stable else 'post'}-norm" for family, stable in KINDS]
)
def test_every_familys_top_layer_is_its_own_output(family, stable, clip, tmp_path):
    config = tiny_config(family, stable)
    name = type(tiny_network(config)).__name__.replace("Model", "ForCTC")
    tiny_network(config, getattr(transformers, name), seed=3).save_pretrained(tmp_path)
    (tmp_path / "vocab.json").write_text(str({c: i for i, c in enumerate("-|abcdefghij")}).replace("'", '"'))
    model = load_model(str(tmp_path))
    result = ctc_lens.analyse(clip, model, random_seeds=(0,))
    # The same layers in the same order, but a pass with hooks beside one without: equal to the last bit.
    np.testing.assert_array_equal(result.log_probabilities[-1], models.ctc_log_probabilities(clip, model))
    np.testing.assert_allclose(np.exp(result.log_probabilities).sum(-1), 1, rtol=1e-5)
    states = models.encode(clip, model).hidden[1].astype(float)
    if stable and family != "data2vec-audio":  # earlier layers pass the final norm too
        norm = model.network.base_model.encoder.layer_norm
        spread = np.sqrt(states.var(-1, keepdims=True) + norm.eps)
        states = (states - states.mean(-1, keepdims=True)) / spread * norm.weight.numpy() + norm.bias.numpy()
    scores = states @ model.network.lm_head.weight.numpy().T.astype(float) + model.network.lm_head.bias.numpy()
    expected = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    np.testing.assert_allclose(result.log_probabilities[1], expected, atol=2e-5)  # float32, logits of order 10


def test_our_heads_read_raw_and_tuned(clip, headed, tiny_heads):
    result = ctc_lens.analyse(clip, headed, unit="phones", random_seeds=(0, 1))
    states = models.encode(clip, headed)
    for layer in range(3):
        expected = tiny_heads.log_probabilities(states.hidden[layer], "phones", layer)
        np.testing.assert_array_equal(result.scores(tuned=True)[layer], expected)
    np.testing.assert_array_equal(result.scores()[-1], result.scores(tuned=True)[-1])
    assert not np.array_equal(
        result.scores()[1], tiny_heads.log_probabilities(states.hidden[1], "phones", 2)
    )  # normed
    assert result.unit == "phones" and result.head == ctc_heads.LABEL
    assert [twin.tuned_log_probabilities for twin in result.random] == [None, None]
    assert set(result.table()["lens"]) == {"raw", "tuned"}
    ctc_lens.plot(result, layer=1, tuned=True)


def test_letters_keep_their_spaces(clip, headed):
    result = ctc_lens.analyse(clip, headed, unit="characters", transcript="Abc-CAB, a!", random_seeds=())
    assert result.reference == tuple("abc cab a")
    assert result.space == 1 and result.joint == ""


def test_a_model_without_a_head(clip, tiny_model):
    with pytest.raises(UserError, match="has no CTC head, and we have trained none"):
        ctc_lens.analyse(clip, tiny_model)


def test_a_unit_without_a_head(clip, headed):
    with pytest.raises(UserError, match="no CTC head for words; choose phones or characters"):
        ctc_lens.analyse(clip, headed, unit="words")
    with pytest.raises(UserError, match="no tuned lens"):
        ctc_lens.analyse(clip, load_model(HAMA), random_seeds=()).scores(tuned=True)


# The likelihood of a string


def collapsed(path, blank):
    """CTC's rule, letter by letter."""
    kept = [p for i, p in enumerate(path) if i == 0 or path[i - 1] != p]
    return tuple(p for p in kept if p != blank)


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_string_likelihood_is_the_sum_over_all_paths(frames, blank):
    probabilities = np.random.default_rng(frames).dirichlet(np.ones(3), size=frames)
    totals: dict[tuple, float] = {}
    for path in itertools.product(range(3), repeat=frames):
        spelled = collapsed(path, blank)
        totals[spelled] = totals.get(spelled, 0) + np.prod([probabilities[t, p] for t, p in enumerate(path)])
    assert sum(totals.values()) == pytest.approx(1)
    for spelled, total in totals.items():
        found = ctc_layers.string_log_likelihood(np.log(probabilities), spelled, blank)
        assert found == pytest.approx(np.log(total), abs=1e-12)
    label = 1
    too_long = (label,) * (frames // 2 + 2)  # repeats need blanks between them
    assert ctc_layers.string_log_likelihood(np.log(probabilities), too_long, blank) == -np.inf


def test_likelihood_equals_torchs_ctc_loss(hama):
    import torch

    labels = [hama.symbols.index(s) for s in ("w", "i", "z", "ə", "l", "z", "h")]
    scores = hama.log_probabilities[-1][:60].astype(float)
    loss = torch.nn.functional.ctc_loss(
        torch.from_numpy(scores)[:, None],
        torch.tensor([labels]),
        torch.tensor([60]),
        torch.tensor([7]),
        hama.blank,
        "sum",
    )
    found = ctc_layers.string_log_likelihood(scores, labels, hama.blank)
    assert found == pytest.approx(-loss.item(), rel=1e-9)


# The result


def test_collapse_and_spelling_of_a_layer(hama):
    path = hama.log_probabilities[-1].argmax(-1)
    letters = [hama.symbols[i] for i in collapsed(path.tolist(), hama.blank)]
    assert "".join(letters).replace("<wb>", " | ") == hama.texts()[-1].replace(" ", "").replace("|", " | ")


def test_errors_and_blanks_over_the_layers(hama):
    """The values that were measured when hama was read first (PER 1.00, 2.4, 1.4, .86, .22 on other clips)."""
    assert hama.error_rates()[-1] == 0
    reference = hama.error_rates("reference")
    assert reference[0] == 1 and hama.texts()[0] == ""  # the stem gives only blanks
    assert (np.diff(reference[1:]) < 0).all() and reference[-1] < 0.3
    blanks = hama.blank_share()
    assert blanks[0] == 1 and (blanks[1:4] < 0.1).all() and blanks[4] > 0.6  # peaks arise in the last block only


def test_controls_are_at_chance(hama):
    """Random labels hit the right one of some 40 in use rarely: error rates stay near 1 or above."""
    assert hama.shuffled_error_rates("reference").shape == hama.random_error_rates("reference").shape == (3, 5)
    assert (hama.shuffled_error_rates("reference")[:, -1] > 0.9).all()
    assert (hama.random_error_rates("reference")[:, -1] > 0.9).all()
    for order in hama.shuffles:
        assert sorted(order) == list(range(191)) and order[hama.blank] == hama.blank


def test_evidence(hama):
    said = WEASELS.tiers()["phones"]
    (f,) = (segment for segment in said if segment.label == "F")
    near = Segment("f", f.start - 0.05, f.end + 0.05)
    curve = hama.curve("f")
    assert curve.shape == hama.log_probabilities.shape[:2]
    assert hama.evidence("f", near)[-1] == pytest.approx(curve[-1].max()) and curve[-1].max() > 0.9
    assert hama.evidence("f", Segment("w", 0.0, 0.3))[-1] < 0.01
    assert (hama.evidence("f", near, mean=True) <= hama.evidence("f", near)).all()
    own = hama.curve("f", without_blank=True)
    assert (own >= curve - 1e-12).all() and own.max() <= 1 + 1e-6
    both = [hama.string_evidence([symbol], near)[-1] for symbol in ("f", "v")]
    assert both[0] > both[1] + 1
    with pytest.raises(UserError, match="no symbol 'X'"):
        hama.curve("X")


def test_shown_symbols_pass_the_threshold_somewhere(hama):
    shown = hama.shown(0.5)
    highest = np.exp(hama.log_probabilities).max((0, 1))
    assert set(shown) == {i for i in range(191) if highest[i] > 0.5 and i != hama.blank}


def test_references(hama):
    head = ctc_layers.head_of(load_model(HAMA))
    assert ctc_layers.reference_symbols(head, "W IY1 Z | AH0") == ("w", "i", "z", "ə")
    assert ctc_layers.reference_symbols(head, ["w", "i"]) == ("w", "i")
    with pytest.raises(UserError, match="holds no phones"):
        ctc_layers.reference_symbols(head, " | ")
    with pytest.raises(UserError, match="no phone of the head of hama-ctc: 😀 qq; give"):
        ctc_layers.reference_symbols(head, "w 😀 i qq 😀")
    with pytest.raises(UserError, match="no phone of the head of hama-ctc: qq; give"):
        ctc_layers.reference_symbols(head, "W IY1 qq")  # the others are ARPAbet, and are no trouble
    assert ctc_layers.reference_symbols(head, ["iy", "w"]) == ("i", "w")
    assert ctc_layers.reference_symbols(head, ["w", "iː", "tʃ", "oʊ"]) == ("w", "i", "t͡ʃ", "oʊ")
    assert ctc_layers.reference_symbols(head, ["w", "ɧ"]) == ("w", "ɧ")  # never taught: it counts as an error
    with pytest.raises(UserError, match="No reference"):
        ctc_lens.analyse(WEASELS.clip(), load_model(HAMA), random_seeds=()).error_rates("reference")


@pytest.mark.weights
def test_the_tuned_lens_is_better_than_the_raw_one_below_the_top():
    example = EXAMPLES["en_m_illdisposed"]
    model = load_model("openai/whisper-tiny.en")
    result = ctc_lens.analyse(example.clip(), model, unit="phones", reference=phones_of(example), random_seeds=(0,))
    raw, tuned = (result.error_rates("reference", tuned=flag) for flag in (False, True))
    assert (tuned[:4] < raw[:4]).all() and tuned[4] == raw[4] < 0.5
    assert result.random_error_rates("reference").min() > 0.8


# On the page


def test_the_page_draws_what_the_result_says(hama):
    asked = {"layer": 9, "lens": "tuned", "unit": "phones", "symbol": "F", "blank": "keep", "against": "reference"}
    values = ctc_lens_tab.fitted(hama, asked)
    assert values | {"layer": 4, "lens": "raw", "symbol": "f"} == values  # within what there is
    plot, table, errors, blanks = ctc_lens_tab.drawn(hama, values)
    assert [row["kind"] for row in plot["rows"]] == ["matrix", "line"]
    assert html.escape(hama.texts()[-1]) in table and "nothing but blanks" in table
    assert "<svg" in errors and "<svg" in blanks
    assert "of 190 symbols drawn" in ctc_lens_tab.status_line(hama, values)
    ctc_lens.plot(hama, **ctc_lens_tab.plot_options(hama, values))
