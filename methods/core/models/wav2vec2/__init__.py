"""wav2vec 2.0, HuBERT, WavLM and data2vec-audio from a hub snapshot: encoders, CTC recognisers, classifiers.

A network is only opened if every weight of its encoder and of its head is in the file: what a library fills in at
random must never be explained. No repository's code is run, and pickles are read as plain tensors or not at all.
"""

from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from methods.core.audio import SAMPLE_RATE
from methods.core.errors import UserError
from methods.core.frames import FRAME_SAMPLES, WAV2VEC2_FIELD
from methods.core.models.checkpoint import check_files, has_preprocessor, read_json, some
from methods.core.models.devices import beside
from methods.core.models.speech_model import SpeechModel, Vocabulary
from methods.core.models.whisper import frozen

FAMILIES = {  # transformers' model type -> the name that its classes begin with
    "wav2vec2": "Wav2Vec2",
    "hubert": "Hubert",
    "wavlm": "WavLM",
    "data2vec-audio": "Data2VecAudio",
}
HEADS = ("Model", "ForCTC", "ForSequenceClassification", "ForPreTraining")  # the last one for wav2vec 2.0 only
# Used in training only: it stands for masked frames. Many published checkpoints lack it.
HARMLESS = "masked_spec_embed"

INTENTS = {  # of Fluent Speech Commands, in alphabetical (code point) order
    "action": ("activate", "bring", "change language", "deactivate", "decrease", "increase"),
    "object": (
        *("Chinese", "English", "German", "Korean", "heat", "juice", "lamp", "lights"),
        *("music", "newspaper", "none", "shoes", "socks", "volume"),
    ),
    "location": ("bedroom", "kitchen", "none", "washroom"),
}


class IntentHeads(transformers.Wav2Vec2PreTrainedModel):
    """wav2vec 2.0 with three linear classifiers (action, object, location) over the mean of its last hidden states.

    Our own class for the tutorial's techsword/wav2vec2-base-fsc-ic-multiheadmultilabel. We had no access to its files.
    Assumed, after the training script that its authors published: config fields `num_labels_1` to `num_labels_3`;
    weights `wav2vec2.*` and `classifier1` to `classifier3`, from hidden size straight to classes with no projection
    between; classes numbered in sorted order of their names in Fluent Speech Commands, "none" being one of them.
    Loading is strict, so that a file that differs is refused with its keys.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.wav2vec2 = transformers.Wav2Vec2Model(config)
        self.classifier1 = torch.nn.Linear(config.hidden_size, config.num_labels_1)
        self.classifier2 = torch.nn.Linear(config.hidden_size, config.num_labels_2)
        self.classifier3 = torch.nn.Linear(config.hidden_size, config.num_labels_3)
        self.post_init()

    def forward(self, input_values: torch.Tensor) -> dict[str, torch.Tensor]:
        """Head -> (clips, classes) logits, for (clips, samples) normalised samples."""
        pooled = self.wav2vec2(input_values).last_hidden_state.mean(1)
        heads = self.classifier1, self.classifier2, self.classifier3
        return {name: head(pooled) for name, head in zip(INTENTS, heads, strict=True)}


def hub_wav2vec2(identifier: str, folder: Path, weights_sha256: str) -> SpeechModel:
    """The model in this snapshot folder, as the class that its config names; raises UserError with the reason if not.

    `tokenizer` is the `Vocabulary` of a CTC head and None for all others.
    """
    settings = read_json(folder / "config.json")
    cls = _network_class(identifier, settings)
    front_end = _front_end(folder)
    config = cls.config_class.from_pretrained(folder)
    _check_design(identifier, config, front_end.sampling_rate)
    return SpeechModel(
        id=identifier,
        family=config.model_type,
        network=frozen(_load(identifier, folder, cls, config)),
        front_end=front_end,
        tokenizer=_vocabulary(identifier, folder, config) if cls.__name__.endswith("ForCTC") else None,
        weights_sha256=weights_sha256,
    )


def _network_class(identifier: str, settings: dict) -> type:
    kind = settings.get("model_type")
    if kind not in FAMILIES:
        raise UserError(
            f"{identifier} is a model of type {kind!r}: it reads text, or it is a kind that the app does not know; "
            f"choose a Whisper model or one of {', '.join(FAMILIES)}."
        )
    if "num_labels_3" in settings:
        return IntentHeads
    name = (settings.get("architectures") or [FAMILIES[kind] + "Model"])[0]
    known = [FAMILIES[kind] + head for head in HEADS if hasattr(transformers, FAMILIES[kind] + head)]
    if name not in known:
        raise UserError(
            f"{identifier} is a {name}, whose head the app does not know and cannot check; "
            f"choose one of {', '.join(known)}."
        )
    return getattr(transformers, name)


def _front_end(folder: Path) -> transformers.Wav2Vec2FeatureExtractor:
    """The folder's own, or the library's default when it has none: samples shifted and scaled to mean 0, variance 1.

    The default is right for models with a LayerNorm in each convolution (`feat_extract_norm` "layer": XLSR, XLS-R and
    other large ones), which were trained on normalised clips, and matters little for the others ("group"), whose
    first convolution is normalised over time, so that loudness and offset leave it again.
    """
    if has_preprocessor(folder):
        return transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    return transformers.Wav2Vec2FeatureExtractor(do_normalize=True)


def _check_design(identifier: str, config: Any, rate: int) -> None:
    if rate != SAMPLE_RATE:
        raise UserError(
            f"{identifier} expects {rate / 1000:g} kHz sound and the app works at {SAMPLE_RATE // 1000} kHz; "
            "choose a 16 kHz model."
        )
    steps = list(accumulate(config.conv_stride, mul))
    field = 1 + sum((width - 1) * step for width, step in zip(config.conv_kernel, [1, *steps], strict=False))
    if (field, steps[-1]) != (WAV2VEC2_FIELD, FRAME_SAMPLES):
        raise UserError(
            f"{identifier} has frames of {1000 * field / rate:g} ms every {1000 * steps[-1] / rate:g} ms, "
            "and the app knows only the usual 25 ms every 20 ms; choose another model."
        )
    if getattr(config, "adapter_attn_dim", None) is not None or getattr(config, "add_adapter", False):
        raise UserError(
            f"{identifier} has adapter layers (as the multilingual MMS models have), which the app cannot take apart; "
            "choose a model without."
        )


def _load(identifier: str, folder: Path, cls: type, config: Any) -> torch.nn.Module:
    safe = check_files(identifier, folder)
    network, report = cls.from_pretrained(
        folder,
        config=config,
        use_safetensors=safe,
        dtype=torch.float32,  # half-precision checkpoints would be slow and inexact on a CPU
        local_files_only=True,
        ignore_mismatched_sizes=True,  # refused below, in our own words
        output_loading_info=True,
    )
    missing = {key for key in report["missing_keys"] if not key.endswith(HARMLESS)}
    missing |= {key for key, *_ in report["mismatched_keys"]}
    if cls is IntentHeads and (missing or report["unexpected_keys"]):
        found = sorted({key.removesuffix(".weight").removesuffix(".bias") for key in report["unexpected_keys"]})
        raise UserError(
            f"{identifier} does not fit our three-headed intent classifier: it lacks {some(missing) or 'nothing'} "
            f"and has {some(found) or 'nothing'} besides."
        )
    _check_complete(identifier, cls, missing)
    return network


def _check_complete(identifier: str, cls: type, missing: set[str]) -> None:
    head = {key for key in missing if not key.startswith(cls.base_model_prefix + ".")}
    if head and not cls.__name__.endswith("Model"):
        modules = sorted({key.split(".")[0] for key in head})
        raise UserError(
            f"{identifier} calls itself a {cls.__name__}, but its file lacks the weights of its head "
            f"({', '.join(modules)}), or they have another shape, perhaps because it was only pre-trained; "
            "choose a fine-tuned model."
        )
    if missing:
        raise UserError(
            f"{identifier} lacks {len(missing)} of a {cls.__name__}'s weights, or they have another shape than its "
            f"config says ({some(missing)}); choose another model."
        )


def _vocabulary(identifier: str, folder: Path, config: Any) -> Vocabulary:
    """Read from the tokeniser's files, not through it: phone tokenisers need a text-to-phones program to start."""
    table = read_json(folder / "vocab.json") | read_json(folder / "added_tokens.json")
    if not table or not all(isinstance(number, int) for number in table.values()):
        raise UserError(
            f"{identifier} has a CTC head but no vocab.json that names its {config.vocab_size} outputs; "
            "choose a model that comes with its tokeniser."
        )
    settings = read_json(folder / "special_tokens_map.json") | read_json(folder / "tokenizer_config.json")
    # Ids beyond the head (often <s> and </s>) are never put out; outputs without a name get their number.
    names = {number: label for label, number in table.items()}
    labels = tuple(names.get(number, f"<{number}>") for number in range(config.vocab_size))
    pad = table.get(_token(settings.get("pad_token")), config.pad_token_id)
    if pad is None or not 0 <= pad < config.vocab_size:
        raise UserError(f"{identifier} does not say which of its outputs is CTC's blank (pad_token); choose another.")
    phones = settings.get("tokenizer_class") == "Wav2Vec2PhonemeCTCTokenizer"
    space = table.get(_token(settings.get("word_delimiter_token", "|")))
    return Vocabulary(labels, pad, space, " " if phones else "")


def _token(setting: str | dict | None) -> str | None:
    return setting.get("content") if isinstance(setting, dict) else setting


def random_wav2vec2(model: SpeechModel, seed: int) -> torch.nn.Module:
    """The same architecture, head included, freshly initialised."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return frozen(type(model.network)(model.network.config))


def input_values(model: SpeechModel, samples: np.ndarray) -> torch.Tensor:
    """(1, samples) float32 network input: the clip, normalised as the model was trained.

    Where `front_end.do_normalize` is true, mean and variance are those of the whole clip: a change to one word moves
    every sample. Perturbations therefore belong after this function.
    """
    values = model.front_end(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_values
    return beside(model.network, values)


def has_ctc_head(network: Any) -> bool:
    """Whether the network writes symbols frame by frame."""
    return hasattr(network, "lm_head")


@torch.inference_mode()
def ctc_logits(model: SpeechModel, samples: np.ndarray) -> torch.Tensor:
    """(frames, labels) what does a CTC model find in each frame? `model.tokenizer.labels` names the columns."""
    if not isinstance(model.tokenizer, Vocabulary):
        raise UserError(f"{model.id} has no CTC head, so it spells nothing; choose a model fine-tuned with CTC.")
    return model.network(input_values(model, samples)).logits[0]


@torch.inference_mode()
def class_logits(model: SpeechModel, samples: np.ndarray) -> dict[str, torch.Tensor]:
    """Head -> (classes,): how does a classifier judge the clip? `class_labels` names the classes."""
    class_labels(model)  # refuses a model without classes
    return {head: scores[0] for head, scores in class_scores(model.network, input_values(model, samples)).items()}


def class_scores(network: Any, values: torch.Tensor) -> dict[str, torch.Tensor]:
    """Head -> (clips, classes) logits as a differentiable function of the input values (clips, samples).

    Classifiers over a weighted sum of all layers (SUPERB's) are computed here. They were made when the last of the
    library's hidden states was the normed one. In version 5 that of pre-norm models is the raw one, on quite another
    scale, so that the library's own logits are not the classifier's.
    """
    if isinstance(network, IntentHeads):
        return network(values)
    if not network.config.use_weighted_layer_sum:
        return {"class": network(values).logits}
    output = network.base_model(values, output_hidden_states=True)
    layers = torch.stack([*output.hidden_states[:-1], output.last_hidden_state])
    summed = (network.layer_weights.softmax(0)[:, None, None, None] * layers).sum(0)
    return {"class": network.classifier(network.projector(summed).mean(1))}


def has_classes(model: SpeechModel) -> bool:
    """Whether the model sorts clips into classes."""
    return isinstance(model.network, IntentHeads) or type(model.network).__name__.endswith("ForSequenceClassification")


def class_labels(model: SpeechModel) -> dict[str, tuple[str, ...]]:
    """Head -> names of its classes, in the order of the logits; raises UserError for a model without classes."""
    config = model.network.config
    if isinstance(model.network, IntentHeads):
        sizes = config.num_labels_1, config.num_labels_2, config.num_labels_3
        return {head: _intents(head, size) for head, size in zip(INTENTS, sizes, strict=True)}
    if not type(model.network).__name__.endswith("ForSequenceClassification"):
        raise UserError(f"{model.id} is no classifier, so it has no classes to explain; choose one that is.")
    return {"class": tuple(config.id2label[number] for number in range(config.num_labels))}


def _intents(head: str, size: int) -> tuple[str, ...]:
    names = INTENTS[head]
    return names if len(names) == size else tuple(f"{head} {number}" for number in range(size))
