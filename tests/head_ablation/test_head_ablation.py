"""Heads switched off: laws, hooks on the plain networks, names, controls, and bad input."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
import torch
from scipy.stats import binom, spearmanr
from tiny_wav2vec2 import tiny_config, tiny_network
from transformers import Data2VecAudioForCTC, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC, WavLMForCTC

from methods import head_ablation
from methods.core import models
from methods.core.errors import UserError
from methods.core.models import load_model, whisper
from methods.core.models.speech_model import SpeechModel, Vocabulary
from methods.head_ablation import analysis, heads
from methods.head_roles import analyse as head_roles
from tiny import tiny_whisper

QUICK = {"transcript": "ab cd", "language": "en", "orders": 0, "random_seeds": (), "draws": 0}
ROUNDING = {"rtol": 1e-4, "atol": 1e-4}  # as in tests/core/interventions: float32 sums in another order


@pytest.fixture(scope="module", autouse=True)
def short_answers():
    """A random decoder never ends by itself, and 224 tokens of it are no better than 12."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)
        yield


@pytest.fixture(scope="module")
def result(clip, tiny_model):
    options = {**QUICK, "orders": 2, "random_seeds": (0,), "draws": 3}
    return head_ablation.analyse(clip, tiny_model, **options, off=("encoder 1.2", "cross 2.1"))


@torch.inference_mode()
def hooked(clip, model, module, columns):
    """(tokens,) log-probabilities by transformers, with these columns of `out_proj`'s input at zero."""

    def before(_module, inputs):
        changed = inputs[0].clone()
        changed[..., columns] = 0.0
        return (changed, *inputs[1:])

    text = models.transcribe(clip, model, text="ab cd", language="en")
    handle = module.register_forward_pre_hook(before)
    try:
        logits = model.network(
            whisper.features(model, clip.samples), decoder_input_ids=torch.tensor([text.ids])
        ).logits
    finally:
        handle.remove()
    rows = logits[0, len(text.prompt) - 1 :].log_softmax(-1)
    return rows.gather(1, torch.tensor([*text.tokens, model.decoding.end])[:, None])[:, 0].numpy()


@pytest.mark.parametrize("stack", ["encoder", "decoder", "cross"])
@pytest.mark.parametrize(("layer", "head"), [(0, 1), (1, 0)])
def test_a_loss_is_what_a_hook_on_the_plain_network_costs(clip, tiny_model, result, stack, layer, head):
    network = tiny_model.network.model
    block = (network.encoder if stack == "encoder" else network.decoder).layers[layer]
    module = (block.encoder_attn if stack == "cross" else block.self_attn).out_proj
    without = hooked(clip, tiny_model, module, slice(8 * head, 8 * head + 8))  # heads of the tiny model have 8 numbers
    np.testing.assert_allclose(result.losses[stack][layer, head], result.base - without, **ROUNDING)


def test_a_head_whose_output_matrix_is_zero_costs_nothing(clip, tiny_model):
    network = tiny_whisper(seed=1)
    with torch.no_grad():
        for block in (network.model.encoder.layers[0].self_attn, network.model.decoder.layers[1].encoder_attn):
            block.out_proj.weight[:, 8:] = 0.0
    silent = head_ablation.analyse(clip, replace(tiny_model, network=network, weights_sha256="silent"), **QUICK)
    np.testing.assert_allclose(silent.losses["encoder"][0, 1], 0.0, atol=1e-5)
    np.testing.assert_allclose(silent.losses["cross"][1, 1], 0.0, atol=1e-5)
    assert np.abs(silent.losses["encoder"][0, 0]).max() > 1e-3  # its neighbour costs something


def test_weights_rewritten_say_the_same_as_heads_left_out(clip, tiny_model):
    """Two ways that share nothing: columns of the output projection, and what the heads took."""
    for fill in ("zero", "mean"):
        network = heads.switchable(clip, tiny_model, "ab cd", "en", fill)
        for head in (("decoder", 0, 1), ("cross", 1, 0)):
            taken = network.read.own if head[0] == "decoder" else network.read.cross
            block = tiny_model.network.model.decoder.layers[head[1]]
            module = block.self_attn if head[0] == "decoder" else block.encoder_attn
            instead = heads.constants(taken[head[1]], fill, taken.shape[2])
            with heads.rewritten([(module.out_proj, (head[2],), instead)]):
                changed = network.asked.logprobs(tiny_model, network.states)
            np.testing.assert_allclose(network.base - changed, network.loss([head]), **ROUNDING)
    before = models.transcribe(clip, tiny_model, text="ab cd", language="en").logprobs
    np.testing.assert_allclose(network.base, before, **ROUNDING)  # the weights are as they were


def test_several_at_once_across_stacks(clip, tiny_model, result):
    """The encoder's head by a hook, the decoder's by its weights: neither is how it is computed."""
    network = heads.switchable(clip, tiny_model, "ab cd", "en", "zero")
    block = tiny_model.network.model.decoder.layers[1].encoder_attn
    with heads.rewritten([(block.out_proj, (0,), torch.zeros(2, 8))]):
        without = hooked(clip, tiny_model, tiny_model.network.model.encoder.layers[0].self_attn.out_proj, slice(8, 16))
    np.testing.assert_allclose(result.off_losses, network.base - without, **ROUNDING)
    assert result.off == ("encoder 1.2", "cross 2.1") and isinstance(result.off_text, str)


def test_orders_begin_at_nothing_and_end_with_everything_off(clip, tiny_model, result):
    controls = result.controls
    assert controls.taken.tolist() == [0, 1, 2, 4, 8, 12] and controls.orders.shape == (4, 6)
    np.testing.assert_array_equal(controls.orders[:, 0], 0.0)
    np.testing.assert_allclose(np.ptp(controls.orders[:, -1]), 0.0, atol=1e-4)  # all are off, in whatever order
    total = np.concatenate([result.total(stack).ravel() for stack in result.losses])
    np.testing.assert_allclose(controls.orders[:2, 1], [total.max(), total.min()], **ROUNDING)


def test_ranks_fillings_and_cad_are_those_of_independent_code(clip, tiny_model, result):
    total = result.total("cross")
    expected = [[float(a[1 - i] < a[i]) + 0.5 * (a[0] == a[1]) for i in (0, 1)] for a in total]
    np.testing.assert_array_equal(result.rank("cross"), expected)
    own = np.concatenate([result.total(stack).ravel() for stack in result.losses])
    other = np.concatenate([result.controls.other[stack].ravel() for stack in result.losses])
    assert result.fillings() == pytest.approx(spearmanr(own, other).statistic)
    at_mean = head_ablation.analyse(clip, tiny_model, **{**QUICK, "fill": "mean"})
    for stack in result.losses:
        np.testing.assert_allclose(result.controls.other[stack], at_mean.total(stack), **ROUNDING)
    roles = head_roles(clip, tiny_model, transcript="ab cd", language="en", random_seeds=())
    np.testing.assert_allclose(result.controls.cad, roles.cad, atol=1e-6)
    found, p = result.agreement()
    assert found == pytest.approx(spearmanr(result.total("encoder").ravel(), roles.cad.ravel()).statistic)
    assert 0 < p <= 1
    possible = [spearmanr(np.concatenate(order), roles.cad.ravel()).statistic
                for order in product(*(list(permutations(layer)) for layer in result.total("encoder")))]  # fmt: skip
    assert np.abs(np.subtract.outer(result.controls.cad_null, possible)).min(1).max() < 1e-9


def test_what_goes_with_the_layer_alone_is_not_significant(result):
    """Losses and CAD that only rise with the layer: shuffled over all layers they seem to belong together."""
    layers, heads = 6, 8
    alarms, trials = np.zeros(2), 100
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        loss, cad = (1.2 * rng.normal(size=(layers, 1)) + rng.normal(size=(layers, heads)) for _ in range(2))
        free = [spearmanr(rng.permutation(loss.ravel()), cad.ravel()).statistic for _ in range(39)]
        inside = [spearmanr(rng.permuted(loss, axis=1).ravel(), cad.ravel()).statistic for _ in range(39)]
        for place, null in enumerate((free, inside)):
            controls = replace(result.controls, cad=cad, cad_null=np.array(null))
            drawn = replace(result, controls=controls, losses={"encoder": loss[..., None]})
            alarms[place] += drawn.agreement()[1] <= 0.05
    assert alarms[1] <= binom.ppf(0.995, trials, 0.05) < alarms[0]


def test_random_sets_are_as_large_and_in_the_same_layers(result):
    sizes = {"encoder": (3, 4), "cross": (2, 4)}
    chosen = [("encoder", 1, 0), ("encoder", 1, 3), ("cross", 0, 2)]
    drawn = analysis._others(chosen, sizes, np.random.default_rng(0))
    assert sorted(head[:2] for head in drawn) == sorted(head[:2] for head in chosen)
    assert len(set(drawn)) == 3
    assert result.controls.off_null.shape == (3,)


def test_table_and_picture(result):
    table = result.table()
    assert len(table) == 12 and {"loss", "rank_in_layer", "loss_other_fill", "random_weights_0", "cad"} <= set(table)
    tokens = table[[name for name in table if name.startswith("token_")]]
    np.testing.assert_allclose(tokens.sum(axis=1), table["loss"])
    head_ablation.plot(result)


# CTC models


@pytest.mark.parametrize("fill", ["zero", "mean"])
def test_heads_of_a_ctc_model_are_what_a_hook_says(clip, fill):
    model = load_model("hama-ctc")
    network = heads.switchable(clip, model, "w i | z", None, fill)
    module, kept = model.network.blocks[2].attention.out_proj, []

    def before(_module, inputs):
        changed = inputs[0].clone()
        kept.append(changed)
        part = changed[..., 36:72]  # head 2 of 4: 144 numbers in all
        part[:] = 0.0 if fill == "zero" else part.mean(1, keepdim=True)
        return (changed,)

    handle = module.register_forward_pre_hook(before)
    try:
        expected = network.target.score(clip.samples)
    finally:
        handle.remove()
    assert kept
    np.testing.assert_allclose(network.loss([("encoder", 2, 1)]), network.base - expected, **ROUNDING)
    assert network.target.score(clip.samples) == network.base[0]  # the weights are as they were


@pytest.mark.parametrize("family", ["wav2vec2", "wavlm", "data2vec-audio"])
def test_heads_of_the_wav2vec2_families(clip, family):
    """WavLM's fused attention has no `out_proj` call to hook: the site's own sum without a head is the oracle."""
    classes = {"wav2vec2": Wav2Vec2ForCTC, "wavlm": WavLMForCTC, "data2vec-audio": Data2VecAudioForCTC}
    network = tiny_network(tiny_config(family, vocab_size=9), classes[family], seed=2)
    letters = Vocabulary(("<b>", "|", *"abcdefg"), blank=0, space=1, joint="")
    front_end = Wav2Vec2FeatureExtractor(do_normalize=True)
    model = SpeechModel("tiny-ctc", family, network, front_end, letters, f"{family} with letters")
    switched = heads.switchable(clip, model, "ab cd", None, "zero")
    site = models.encoder_states(clip, model).sites[1]  # the last: only its own rest follows
    taken = site.weights() @ site.value
    taken[1] = 0.0
    written = taken.transpose(0, 1).flatten(1) @ site.out.flatten(0, 1) + site.out_bias
    with torch.no_grad():
        without = float(switched.target.readout(model, network.lm_head(site.rest(site.residual + written))))
    np.testing.assert_allclose(switched.loss([("encoder", 1, 1)]), switched.base - without, **ROUNDING)


def test_a_model_that_says_nothing(clip):
    network = tiny_network(tiny_config("wav2vec2"), seed=2)
    model = SpeechModel("bare", "wav2vec2", network, Wav2Vec2FeatureExtractor(do_normalize=True), None, "bare")
    with pytest.raises(UserError, match="bare only makes hidden states"):
        head_ablation.analyse(clip, model)


def test_a_ctc_model_as_a_whole(clip):
    result = head_ablation.analyse(
        clip, load_model("hama-ctc"), **{**QUICK, "transcript": "w i | z"}, opened="encoder 4.1"
    )
    assert list(result.losses) == ["encoder"] and result.losses["encoder"].shape == (4, 4, 1)
    assert result.opened == "encoder 4.1" and isinstance(result.opened_text, str)
    head_ablation.plot(result)


# Bad input: one sentence each


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"opened": "encoder 9.1"}, "There is no head encoder 9.1; encoder has 2 layers of 2 heads"),
        ({"opened": "cross 0.1"}, "There is no head cross 0.1"),
        ({"opened": "<b>"}, "names no head of this model"),
        ({"off": ("decoder 1",)}, "names no head of this model"),
        ({"off": ("cross 1.1", "cross 1.1")}, "twice"),
    ],
)
def test_bad_input_is_a_sentence(clip, tiny_model, options, sentence):
    with pytest.raises(UserError, match=sentence):
        head_ablation.analyse(clip, tiny_model, **QUICK, **options)
