"""A Whisper model from a hub snapshot or any local folder in the same layout, checked before it is trusted.

What would end in a library's own error, or in wrong numbers, is one sentence: no tokeniser or preprocessor, a window
other than Whisper's 30 s, another number of mel bands, weights that are not there.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from methods.core.audio import SAMPLE_RATE
from methods.core.errors import UserError
from methods.core.frames import WHISPER_FRAMES
from methods.core.models.checkpoint import check_files, has_preprocessor, some
from methods.core.models.speech_model import SpeechModel
from methods.core.models.whisper import decoding, frozen

PROMPT = ("<|startoftranscript|>", "<|endoftext|>", "<|notimestamps|>")
TOKENIZERS = ("tokenizer.json", "vocab.json")
SOUND = (SAMPLE_RATE, 400, 160, 30)  # Hz, samples of a mel frame, samples from one to the next, s of the window
UNLISTED = "none of its heads is marked as listed"

Heads = tuple[tuple[int, int], ...]  # (layer, head)


def hub_whisper(identifier: str, folder: Path, weights_sha256: str) -> SpeechModel:
    """The model in this folder; raises UserError with the reason if it cannot be opened."""
    config = WhisperConfig.from_pretrained(folder)
    front_end = _front_end(identifier, folder, config)
    tokenizer = _tokenizer(identifier, folder, config)
    network = _network(identifier, folder, config)
    settings = network.generation_config
    heads, notes = _alignment_heads(getattr(settings, "alignment_heads", None), config)
    return SpeechModel(
        id=identifier,
        family="whisper",
        network=frozen(network),
        front_end=front_end,
        tokenizer=tokenizer,
        weights_sha256=weights_sha256,
        decoding=decoding(
            tokenizer,
            _known(settings.suppress_tokens, config),
            _known(settings.begin_suppress_tokens, config),
            heads,
        ),
        notes=notes,
    )


def _front_end(identifier: str, folder: Path, config: WhisperConfig) -> WhisperFeatureExtractor:
    if not has_preprocessor(folder):
        raise UserError(
            f"{identifier} has no preprocessor_config.json, which says how sound becomes its input; copy the one of "
            "the model that it was made from."
        )
    made = WhisperFeatureExtractor.from_pretrained(folder)
    found = made.sampling_rate, made.n_fft, made.hop_length, made.n_samples / made.sampling_rate
    if found != SOUND:
        raise UserError(
            f"{identifier} prepares sound of {found[0] / 1000:g} kHz in frames of {found[1]} samples every "
            f"{found[2]}, {found[3]:g} s at a time, and the app knows only Whisper's usual 16 kHz, 400, "
            "160 and 30 s; choose another model."
        )
    if config.max_source_positions != WHISPER_FRAMES:
        raise UserError(
            f"{identifier} has an encoder of {config.max_source_positions:,} frames and the app knows only Whisper's "
            f"usual window of 30 s, {WHISPER_FRAMES:,} frames; choose another model."
        )
    if made.feature_size != config.num_mel_bins:
        raise UserError(
            f"{identifier} prepares sound in {made.feature_size} mel bands and its network reads "
            f"{config.num_mel_bins}, so its preprocessor_config.json is of another model; copy the right one."
        )
    return made


def _tokenizer(identifier: str, folder: Path, config: WhisperConfig) -> Any:
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise UserError(
            f"{identifier} has no tokeniser (tokenizer.json), so its outputs have no names; copy the tokeniser's "
            "files of the model that it was made from."
        )
    try:
        made = AutoTokenizer.from_pretrained(folder)
        vocabulary = made.get_vocab()
    except Exception as problem:  # the library raises whatever its parser does
        raise UserError(
            f"The tokeniser of {identifier} cannot be read; copy its files again from the model that it was made from."
        ) from problem
    lacking = [token for token in PROMPT if not 0 <= vocabulary.get(token, -1) < config.vocab_size]
    if lacking:
        raise UserError(
            f"The tokeniser of {identifier} is none of Whisper's, or of a larger model: {', '.join(lacking)} is not "
            f"among the {config.vocab_size:,} outputs; copy the tokeniser of the model that it was made from."
        )
    if config.decoder_start_token_id not in (None, vocabulary[PROMPT[0]]):
        raise UserError(
            f"The tokeniser of {identifier} begins a transcript with token {vocabulary[PROMPT[0]]} and its config "
            f"with token {config.decoder_start_token_id}; one of them is of another model (English-only and "
            "multilingual ones differ): copy the right one."
        )
    return made


def _network(identifier: str, folder: Path, config: WhisperConfig) -> WhisperForConditionalGeneration:
    network, report = WhisperForConditionalGeneration.from_pretrained(
        folder,
        config=config,
        use_safetensors=check_files(identifier, folder),
        dtype=torch.float32,  # half-precision checkpoints would be slow and inexact on a CPU
        local_files_only=True,
        ignore_mismatched_sizes=True,  # refused below, in our own words
        output_loading_info=True,
    )
    missing = set(report["missing_keys"]) - {"proj_out.weight"} | {key for key, *_ in report["mismatched_keys"]}
    if missing:
        raise UserError(
            f"{identifier} lacks {len(missing)} of a Whisper model's weights, or they have another shape than its "
            f"config says ({some(missing)}); choose another model."
        )
    return network


def _known(tokens: list[int] | None, config: WhisperConfig) -> tuple[int, ...]:
    """Tokens that must not be chosen; what the network has no output for cannot be."""
    return tuple(token for token in tokens or () if 0 <= token < config.vocab_size)


def _alignment_heads(listed: Any, config: WhisperConfig) -> tuple[Heads, tuple[str, ...]]:
    """The heads published as following the speech, and a note where there are none, or none of this decoder.

    A shortened decoder often keeps the list of the model that it was made from. Its layers are others, so that even
    those of the list's heads that exist are not the ones that were meant.
    """
    if not listed:
        return (), (f"no alignment heads are published for it: {UNLISTED}",)
    size = config.decoder_layers, config.decoder_attention_heads
    try:
        heads = tuple((int(layer), int(head)) for layer, head in listed)
    except (TypeError, ValueError):
        return (), (f"its list of alignment heads cannot be read: {UNLISTED}",)
    beyond = [(layer, head) for layer, head in heads if not (0 <= layer < size[0] and 0 <= head < size[1])]
    if beyond:
        first = f"layer {beyond[0][0] + 1}, head {beyond[0][1] + 1}"
        why = f"its list of alignment heads is of another decoder ({first} of {size[0]} layers with {size[1]} heads)"
        return (), (f"{why}: {UNLISTED}",)
    return heads, ()
