"""Whisper: built from a registry package (from a folder: `folder`), prompted, decoded greedily and teacher-forced."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import (
    EncoderDecoderCache,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from methods.core.errors import UserError
from methods.core.models import weights
from methods.core.models.devices import beside
from methods.core.models.speech_model import Decoding, SpeechModel, Transcript

LONGEST_TRANSCRIPT = 224  # tokens; OpenAI's limit: half of the decoder's 448 positions


def bundled_whisper(identifier: str) -> SpeechModel:
    """A Whisper model from its registry package, equal bit by bit to the stored half-precision values."""
    bundled = weights.BUNDLED[identifier]
    variables = weights.read_variables(weights.checked_bytes(bundled))
    network = _network(weights.whisper_shape(variables))
    state = {name: torch.from_numpy(values.astype(np.float32)) for name, values in _state(variables)}
    network.load_state_dict(state, strict=True)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(bundled.companion("tokenizer.json")))
    settings = weights.read_json(bundled.companion("config.json"))
    return SpeechModel(
        id=identifier,
        family="whisper",
        network=frozen(network),
        front_end=WhisperFeatureExtractor(feature_size=network.config.num_mel_bins),
        tokenizer=tokenizer,
        weights_sha256=bundled.sha256,
        decoding=decoding(
            tokenizer, settings["suppress_ids"], settings["suppress_ids_begin"], settings["alignment_heads"]
        ),
    )


def _state(variables: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return list(weights.whisper_state(variables).items())


def _network(shape: dict[str, int]) -> WhisperForConditionalGeneration:
    config = WhisperConfig(
        vocab_size=shape["vocab_size"],
        d_model=shape["d_model"],
        encoder_layers=shape["layers"],
        decoder_layers=shape["layers"],
        encoder_attention_heads=shape["heads"],
        decoder_attention_heads=shape["heads"],
        encoder_ffn_dim=shape["ffn_dim"],
        decoder_ffn_dim=shape["ffn_dim"],
        # English-only models start at 50257, multilingual ones, whose vocabulary has one token more, at 50258.
        decoder_start_token_id=50257 + (shape["vocab_size"] > 51864),
        eos_token_id=50256 + (shape["vocab_size"] > 51864),
        pad_token_id=50256 + (shape["vocab_size"] > 51864),
        bos_token_id=50256 + (shape["vocab_size"] > 51864),
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    with torch.device("meta"):  # the random initialisation would only be overwritten
        network = WhisperForConditionalGeneration(config)
    network = network.to_empty(device="cpu")
    network.tie_weights()
    return network


def frozen(network: torch.nn.Module) -> torch.nn.Module:
    """The network in evaluation mode, its weights closed to gradients: we explain models and never train them."""
    return network.eval().requires_grad_(False)


def random_whisper(model: SpeechModel, seed: int) -> torch.nn.Module:
    """The same architecture freshly initialised; Whisper's initialisation keeps its sinusoidal encoder positions."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return frozen(WhisperForConditionalGeneration(model.network.config))


def decoding(
    tokenizer: Any, suppressed: Iterable[int], suppressed_first: Iterable[int], heads: Iterable[Sequence[int]]
) -> Decoding:
    """How a model with this tokeniser is prompted, and what its generation settings say."""
    vocabulary = tokenizer.get_vocab()
    languages = {
        token[2:-2]: number
        for token, number in vocabulary.items()
        if token.startswith("<|") and token.endswith("|>") and token[2:-2].isalpha() and 2 <= len(token[2:-2]) <= 3
    }
    multilingual = "<|transcribe|>" in vocabulary and vocabulary["<|startoftranscript|>"] != 50257
    return Decoding(
        start=vocabulary["<|startoftranscript|>"],
        end=vocabulary["<|endoftext|>"],
        no_timestamps=vocabulary["<|notimestamps|>"],
        transcribe=vocabulary["<|transcribe|>"] if multilingual else None,
        no_speech=vocabulary.get("<|nospeech|>", vocabulary.get("<|nocaptions|>")),
        languages=languages if multilingual else {},
        suppressed=tuple(suppressed),
        suppressed_first=tuple(suppressed_first),
        alignment_heads=tuple((layer, head) for layer, head in heads),
    )


def features(model: SpeechModel, samples: np.ndarray) -> torch.Tensor:
    """(1, mels, 3000) log-mel input of Whisper's fixed 30 s window."""
    mel = model.front_end(samples, sampling_rate=16_000, return_tensors="pt").input_features
    return beside(model.network, mel)


@torch.inference_mode()
def opening(model: SpeechModel, encoder_output: torch.Tensor) -> torch.Tensor:
    """(vocabulary,) log-probabilities right after the start token: Whisper's language and no-speech decisions."""
    return _logits(model, encoder_output, (model.decoding.start,))[-1].log_softmax(-1)


def _logits(model: SpeechModel, encoder_output: torch.Tensor, ids: tuple[int, ...]) -> torch.Tensor:
    read, heard = beside(model.network, torch.tensor([ids])), beside(model.network, encoder_output)
    output = model.network.model.decoder(read, encoder_hidden_states=heard, use_cache=False)
    return model.network.proj_out(output.last_hidden_state[0])


def prompt_ids(decoding: Decoding, language: str | None) -> tuple[int, ...]:
    """The tokens that tell Whisper to transcribe without time stamps."""
    if not decoding.languages:
        return decoding.start, decoding.no_timestamps
    return decoding.start, decoding.languages[language], decoding.transcribe, decoding.no_timestamps


def chosen_language(model: SpeechModel, start: torch.Tensor, language: str | None) -> str | None:
    """The language to transcribe in: the given one, or the one that the model finds most likely."""
    languages = model.decoding.languages
    if not languages:
        return None
    if language is None:
        return max(languages, key=lambda code: start[languages[code]].item())
    if language not in languages:
        raise UserError(f"{model.id} does not know the language {language!r}; use a code such as 'en' or 'fr'.")
    return language


@torch.inference_mode()
def greedy_ids(
    model: SpeechModel, encoder_output: torch.Tensor, prompt: tuple[int, ...]
) -> tuple[tuple[int, ...], bool]:
    """The most likely next token, again and again: (text token ids, whether the model ended by itself)."""
    decoding, decoder = model.decoding, model.network.model.decoder
    cache, chosen, step = None, [], beside(model.network, torch.tensor([prompt]))
    encoder_output = beside(model.network, encoder_output)
    for position in range(LONGEST_TRANSCRIPT):
        output = decoder(step, encoder_hidden_states=encoder_output, past_key_values=cache, use_cache=True)
        cache: EncoderDecoderCache = output.past_key_values
        scores = model.network.proj_out(output.last_hidden_state[0, -1])
        scores[list(decoding.suppressed)] = -torch.inf
        if position == 0:
            scores[list(decoding.suppressed_first)] = -torch.inf
        best = int(scores.argmax())
        if best == decoding.end:
            return tuple(chosen), True
        chosen.append(best)
        step = beside(model.network, torch.tensor([[best]]))
    return tuple(chosen), False


def spelled(model: SpeechModel, text: str) -> tuple[int, ...]:
    """The text's token ids as Whisper would write it: with a leading space."""
    ids = tuple(model.tokenizer.encode(" " + text.strip(), add_special_tokens=False))
    if len(ids) > LONGEST_TRANSCRIPT:
        raise UserError(
            f"This transcript has {len(ids)} tokens and the model reads at most {LONGEST_TRANSCRIPT}; "
            "it is likely longer than the clip: shorten it."
        )
    return ids


@torch.inference_mode()
def forced(
    model: SpeechModel,
    encoder_output: torch.Tensor,
    tokens: tuple[int, ...],
    language: str | None,
    *,
    start: torch.Tensor,
    given: bool,
    complete: bool = True,
) -> Transcript:
    """A transcript with the log-probability that the model gives to each of its tokens."""
    decoding, tokenizer = model.decoding, model.tokenizer
    prompt = prompt_ids(decoding, language)
    logprobs = _logits(model, encoder_output, prompt + tokens)[len(prompt) - 1 :].log_softmax(-1).cpu()
    wanted = torch.tensor([*tokens, decoding.end])
    return Transcript(
        text=tokenizer.decode(tokens).strip(),
        prompt=prompt,
        tokens=tokens,
        token_texts=_pieces(tokenizer, tokens),
        prompt_texts=tuple(tokenizer.convert_ids_to_tokens(list(prompt))),
        logprobs=logprobs.gather(1, wanted[:, None])[:, 0].double().numpy(),
        language=language,
        no_speech=None if decoding.no_speech is None else start[decoding.no_speech].exp().item(),
        given=given,
        complete=complete,
    )


def _pieces(tokenizer: Any, tokens: tuple[int, ...]) -> tuple[str, ...]:
    """What each token adds to the text. A character that spans several tokens is shown at its last one."""
    pieces, done = [], ""
    for count in range(1, len(tokens) + 1):
        text = tokenizer.decode(tokens[:count], clean_up_tokenization_spaces=False)
        open_character = text.endswith("\ufffd")
        pieces.append("" if open_character else text[len(done) :])
        done = done if open_character else text
    return tuple(pieces)
