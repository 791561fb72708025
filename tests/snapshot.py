"""Folders that look like hub snapshots, made from tiny random networks."""

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, WhisperFeatureExtractor, WhisperForConditionalGeneration

SPECIAL = [
    "<|padding|>",
    "<|startoftranscript|>",
    "<|endoftext|>",
    "<|notimestamps|>",
    "<|transcribe|>",
    "<|en|>",
    "<|nospeech|>",
]


def save_whisper(network: WhisperForConditionalGeneration, folder: Path) -> Path:
    """A Whisper checkpoint with a byte-level tokeniser of 64 tokens: letters, the space, and multilingual prompts."""
    network.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=network.config.num_mel_bins).save_pretrained(folder)
    _tokenizer(network.config.vocab_size).save_pretrained(folder)
    return folder


def _tokenizer(size: int) -> PreTrainedTokenizerFast:
    letters = ["Ġ", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,!?'"][: size - len(SPECIAL)]
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *letters])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[], unk_token="<|padding|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|padding|>")
