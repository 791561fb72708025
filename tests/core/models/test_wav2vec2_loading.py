"""Models of the wav2vec 2.0 family from folders like hub snapshots: what opens, what is refused, what heads say."""

import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_wav2vec2 import ENCODERS, tiny_config, tiny_network

from methods.core.errors import UserError
from methods.core.models import wav2vec2 as family
from methods.core.models.speech_model import Vocabulary
from methods.core.models.threads import choose_threads
from methods.core.models.wav2vec2.sites import encoder_pass

LABELS = ("<pad>", "<s>", "</s>", "<unk>", "|", "a", "b", "c", "d", "e", "f")  # and a twelfth output without a name
SAMPLES = np.random.default_rng(0).normal(0.01, 0.05, 8_000).astype(np.float32)  # 0.5 s: 24 frames
INTENT_SIZES = {"num_labels_1": 6, "num_labels_2": 14, "num_labels_3": 4}
CLASSES = [
    (kind, getattr(transformers, name + head))
    for kind, name in family.FAMILIES.items()
    for head in family.HEADS
    if hasattr(transformers, name + head)
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """On a busy machine two threads wait for each other and these small sums take ten times as long."""
    choose_threads()


def saved(folder, cls, kind="wav2vec2", *, rate=16_000, normalise=True, **more):
    """A snapshot folder of a tiny random network of this class, and the network."""
    network = tiny_network(tiny_config(kind, **more), cls)
    network.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=rate, do_normalize=normalise).save_pretrained(folder)
    if cls.__name__.endswith("ForCTC"):
        (folder / "vocab.json").write_text(json.dumps({label: n for n, label in enumerate(LABELS)} | {"<far>": 99}))
    return network


def opened(folder):
    return family.hub_wav2vec2("someone/something", folder, "0" * 64)


def edit(path, change):
    settings = json.loads(path.read_text())
    change(settings)
    path.write_text(json.dumps(settings))


def keep_weights(folder, keep, rename=lambda key: key):
    weights = load_file(folder / "model.safetensors")
    kept = {rename(key): value for key, value in weights.items() if keep(key)}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(("kind", "cls"), CLASSES, ids=[cls.__name__ for _, cls in CLASSES])
def test_every_class_opens_with_all_its_weights(tmp_path, kind, cls):
    network = saved(tmp_path, cls, kind)
    model = opened(tmp_path)
    assert type(model.network) is cls
    assert (model.family, model.seed, model.weights_sha256) == (kind, None, "0" * 64)
    assert not model.network.training
    assert not any(weight.requires_grad for weight in model.network.parameters())
    for name, weight in network.state_dict().items():
        assert (model.network.state_dict()[name] == weight).all(), name
    assert encoder_pass(model.network, family.input_values(model, SAMPLES), own=24).hidden.shape == (3, 24, 16)


def test_old_checkpoints_open(tmp_path):
    """Half precision, weight norm under its former names, no vector for masked frames: as first published in 2020."""
    network = saved(tmp_path, transformers.Wav2Vec2ForCTC)
    former = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}

    def rename(key):
        for new, old in former.items():
            key = key.replace(new, old)
        return key

    keep_weights(tmp_path, lambda key: "masked_spec_embed" not in key, rename)
    halved = {key: value.half() for key, value in load_file(tmp_path / "model.safetensors").items()}
    save_file(halved, tmp_path / "model.safetensors", metadata={"format": "pt"})
    conv = opened(tmp_path).network.wav2vec2.encoder.pos_conv_embed.conv.weight
    assert conv.dtype == torch.float32
    # float16 keeps 11 bits: 5e-4 for each of the weight norm's two factors.
    torch.testing.assert_close(conv, network.wav2vec2.encoder.pos_conv_embed.conv.weight, rtol=2e-3, atol=1e-5)


def test_a_pickle_opens_only_where_there_are_no_safetensors(tmp_path):
    network = saved(tmp_path, transformers.HubertModel, "hubert")
    torch.save({key: value * 0 for key, value in network.state_dict().items()}, tmp_path / "pytorch_model.bin")
    assert opened(tmp_path).network.encoder.layers[0].attention.q_proj.weight.any()
    (tmp_path / "model.safetensors").unlink()
    assert not opened(tmp_path).network.encoder.layers[0].attention.q_proj.weight.any()


class Hostile:
    def __reduce__(self):
        return (exec, ("raise SystemExit",))


def test_a_pickle_with_code_is_refused(tmp_path):
    saved(tmp_path, transformers.HubertModel, "hubert")
    (tmp_path / "model.safetensors").unlink()
    torch.save({"weight": Hostile()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model.bin of someone/something is damaged.* more than weights"):
        opened(tmp_path)


@pytest.mark.parametrize("content", [b"", b"abc", b"version https://git-lfs.github.com/spec/v1\noid"])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_broken_file_is_one_sentence(tmp_path, name, content):
    saved(tmp_path, transformers.WavLMModel, "wavlm")
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} of someone/something is damaged, incomplete"):
        opened(tmp_path)


def test_a_truncated_download_and_no_weights_at_all_are_one_sentence(tmp_path):
    saved(tmp_path, transformers.WavLMModel, "wavlm")
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged, incomplete"):
        opened(tmp_path)
    path.unlink()
    with pytest.raises(UserError, match="has no weights file"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("cls", "head"),
    [
        (transformers.Wav2Vec2ForCTC, "lm_head"),
        (transformers.Wav2Vec2ForSequenceClassification, "classifier"),
        (transformers.Wav2Vec2ForSequenceClassification, "projector"),
        (transformers.Wav2Vec2ForPreTraining, "quantizer"),
    ],
)
def test_a_missing_head_is_refused_by_name(tmp_path, cls, head):
    saved(tmp_path, cls)
    keep_weights(tmp_path, lambda key: not key.startswith(head))
    with pytest.raises(UserError, match=rf"lacks the weights of its head \({head}\)"):
        opened(tmp_path)


def test_a_head_of_another_size_is_refused(tmp_path):
    saved(tmp_path, transformers.Wav2Vec2ForCTC)
    edit(tmp_path / "config.json", lambda settings: settings.update(vocab_size=13))
    with pytest.raises(UserError, match=r"head \(lm_head\), or they have another shape"):
        opened(tmp_path)


@pytest.mark.parametrize("cls", [transformers.Wav2Vec2Model, transformers.Wav2Vec2ForCTC])
def test_a_missing_layer_is_refused(tmp_path, cls):
    saved(tmp_path, cls)
    keep_weights(tmp_path, lambda key: "layers.1.attention" not in key)
    with pytest.raises(UserError, match=r"lacks 8 of a Wav2Vec2.*layers.1.attention.k_proj.bias.* and 2 more"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model_type": "bert"}, "a model of type 'bert': it reads text"),
        ({"architectures": ["Wav2Vec2ForXVector"]}, "is a Wav2Vec2ForXVector, whose head the app does not know"),
        ({"architectures": ["GenerationMixin"]}, "is a GenerationMixin, whose head"),
        ({"conv_stride": [5, 2, 2, 2, 2, 2, 1]}, "frames of 25 ms every 10 ms"),
        ({"adapter_attn_dim": 16}, "adapter layers"),
        ({"add_adapter": True}, "adapter layers"),
    ],
)
def test_what_the_app_cannot_take_apart_is_refused(tmp_path, change, complaint):
    saved(tmp_path, transformers.Wav2Vec2Model)
    edit(tmp_path / "config.json", lambda settings: settings.update(change))
    with pytest.raises(UserError, match=complaint):
        opened(tmp_path)


def test_an_8_khz_model_is_refused(tmp_path):
    saved(tmp_path, transformers.Wav2Vec2Model, rate=8_000)
    with pytest.raises(UserError, match="expects 8 kHz sound and the app works at 16 kHz"):
        opened(tmp_path)


@pytest.mark.parametrize("normalise", [True, False])
def test_input_values_are_normalised_as_the_folder_says(tmp_path, normalise):
    saved(tmp_path, transformers.Wav2Vec2Model, normalise=normalise)
    values = family.input_values(opened(tmp_path), SAMPLES)[0].double().numpy()
    wide = SAMPLES.astype(np.float64)
    # float32 samples: relative error 6e-8 and a little from the mean and variance.
    expected = (wide - wide.mean()) / np.sqrt(wide.var() + 1e-7) if normalise else wide
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_without_a_preprocessor_file_clips_are_normalised(tmp_path):
    saved(tmp_path, transformers.Wav2Vec2Model, normalise=False)
    (tmp_path / "preprocessor_config.json").unlink()
    assert opened(tmp_path).front_end.do_normalize


def test_random_twin_has_the_class_and_follows_its_seed(tmp_path):
    saved(tmp_path, transformers.Wav2Vec2ForCTC)
    model = opened(tmp_path)
    one, same, other = (family.random_wav2vec2(model, seed) for seed in (1, 1, 2))
    assert type(one) is transformers.Wav2Vec2ForCTC
    weights = [network.wav2vec2.encoder.layers[0].attention.q_proj.weight for network in (one, same, other)]
    assert (weights[0] == weights[1]).all()
    assert (weights[0] != weights[2]).any()
    assert all(weight.isfinite().all() for weight in one.state_dict().values())


def test_ctc_names_its_outputs(tmp_path):
    saved(tmp_path, transformers.Wav2Vec2ForCTC)
    model = opened(tmp_path)
    assert model.tokenizer == Vocabulary((*LABELS, "<11>"), blank=0, space=4, joint="")
    assert family.ctc_logits(model, SAMPLES).shape == (24, 12)
    assert model.tokenizer.spell([5, 6, 4, 7]) == "ab c"
    with pytest.raises(UserError, match="is no classifier"):
        family.class_logits(model, SAMPLES)


def test_ctc_blank_is_the_pad_token_of_the_tokeniser(tmp_path):
    saved(tmp_path, transformers.HubertForCTC, "hubert")
    token = {"content": "<unk>", "lstrip": False}
    settings = {"pad_token": token, "word_delimiter_token": " ", "tokenizer_class": "Wav2Vec2PhonemeCTCTokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    vocabulary = opened(tmp_path).tokenizer
    assert (vocabulary.blank, vocabulary.space, vocabulary.spell([5, 6])) == (3, None, "a b")


def test_ctc_without_names_is_refused(tmp_path):
    saved(tmp_path, transformers.Wav2Vec2ForCTC)
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(UserError, match=r"no vocab.json that names its 12 outputs"):
        opened(tmp_path)


@pytest.mark.parametrize("kind", ENCODERS)
def test_class_logits_are_the_librarys(tmp_path, kind):
    cls = getattr(transformers, family.FAMILIES[kind] + "ForSequenceClassification")
    saved(tmp_path, cls, kind, use_weighted_layer_sum=True, id2label={0: "yes", 1: "no", 2: "up"})
    model = opened(tmp_path)
    with torch.no_grad():
        expected = model.network(family.input_values(model, SAMPLES)).logits[0]
    torch.testing.assert_close(family.class_logits(model, SAMPLES)["class"], expected)
    assert family.class_labels(model) == {"class": ("yes", "no", "up")}
    with pytest.raises(UserError, match="has no CTC head"):
        family.ctc_logits(model, SAMPLES)


def test_weighted_layers_of_a_pre_norm_classifier_end_with_the_normed_one(tmp_path):
    cls = transformers.Wav2Vec2ForSequenceClassification
    network = saved(tmp_path, cls, stable=True, use_weighted_layer_sum=True)
    model = opened(tmp_path)
    values = family.input_values(model, SAMPLES)
    with torch.no_grad():
        hidden = encoder_pass(network, values, own=24).hidden.clone()  # (3, 24, 16)
        weights = network.layer_weights.softmax(0)
        summed = sum(weight * states for weight, states in zip(weights, hidden, strict=True))
        expected = network.classifier(network.projector(summed).mean(0))
        scores = family.class_logits(model, SAMPLES)["class"]
        assert (scores - model.network(values).logits[0]).abs().max() > 0.01
    torch.testing.assert_close(scores, expected)


def test_class_scores_have_gradients(tmp_path):
    saved(tmp_path, transformers.WavLMForSequenceClassification, "wavlm", stable=True, use_weighted_layer_sum=True)
    model = opened(tmp_path)
    values = family.input_values(model, SAMPLES).requires_grad_()
    family.class_scores(model.network, values)["class"][0, 0].backward()
    assert values.grad.abs().sum() > 0


def test_intent_heads_read_the_mean_of_the_last_hidden_state(tmp_path):
    network = saved(tmp_path, family.IntentHeads, **INTENT_SIZES)
    model = opened(tmp_path)
    assert type(model.network) is family.IntentHeads
    pooled = encoder_pass(network, family.input_values(model, SAMPLES), own=24).hidden[-1].mean(0)
    scores, labels = family.class_logits(model, SAMPLES), family.class_labels(model)
    assert {head: len(names) for head, names in labels.items()} == {"action": 6, "object": 14, "location": 4}
    assert all(list(names) == sorted(names) for names in labels.values())
    for number, head in enumerate(labels, start=1):
        layer = getattr(network, f"classifier{number}")
        torch.testing.assert_close(scores[head], layer.weight @ pooled + layer.bias)
    assert type(family.random_wav2vec2(model, 0)) is family.IntentHeads


def test_intent_heads_of_another_make_are_refused_with_their_keys(tmp_path):
    saved(tmp_path, family.IntentHeads, **INTENT_SIZES)
    keep_weights(tmp_path, lambda key: True, lambda key: key.replace("classifier2", "heads.object"))
    with pytest.raises(UserError, match=r"it lacks classifier2.bias, classifier2.weight and has heads.object besides"):
        opened(tmp_path)
