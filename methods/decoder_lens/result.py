"""What DecoderLens gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from methods.core.errors import UserError
from methods.core.results import Result
from methods.core.speech import edits as text_edits
from methods.core.speech.edits import Edit

Against = Literal["final", "reference"]


@dataclass(frozen=True, eq=False)
class DecoderLensControls:
    """What the log-probabilities must be read against; each comes after the one before."""

    silence_logprobs: np.ndarray  # (layers, tokens + 1) the same layers hearing silence
    shuffled_logprobs: np.ndarray | None = None  # (layers, tokens + 1) the clip's frames, less silence, moved
    mean_logprobs: np.ndarray | None = None  # (layers, tokens + 1) every frame of the clip holds the mean of all
    random_logprobs: np.ndarray | None = None  # (seeds so far, layers, tokens + 1) random encoders, trained decoder


@dataclass(frozen=True, eq=False, kw_only=True)
class DecoderLens(Result):
    """What the decoder makes of each encoder layer; layer 0 is what block 1 reads. Logarithms are natural."""

    texts: tuple[str, ...]  # (layers,) written greedily from each layer; time stamps are named
    lengths: np.ndarray  # (layers,) int, tokens written
    ended: np.ndarray  # (layers,) bool, False where the cap was met
    repetition: np.ndarray  # (layers,) share of token triples that have occurred before, 0 to 1
    final: str  # the model's own transcript, from the last layer
    reference: str | None  # what was really said, if that is known
    text: str  # the text that is forced upon the decoder: `final`, unless another one was given
    tokens: tuple[str, ...]  # (tokens + 1,) of that text, and its end
    logprobs: np.ndarray  # (layers, tokens + 1)
    no_speech: np.ndarray | None  # (layers,) probability of "no speech"; None in models without that token
    decoder_logprobs: np.ndarray  # (decoder layers + 1, tokens + 1) each decoder layer read out
    decoder_best: tuple[tuple[str, ...], ...]  # (decoder layers + 1, tokens + 1) most likely token
    decoder_first: np.ndarray  # (tokens + 1,) int, layer from which the token is on top for good; -1: never
    layers: tuple[str, ...]  # (layers,) names of the encoder's layers
    words: tuple[str, ...]  # (words,) of the text, if their times are known
    starts: np.ndarray  # (words,) s
    ends: np.ndarray  # (words,) s
    word_of_token: np.ndarray  # (tokens,) int, the word that each token is part of; (0,) if times are not known
    controls: DecoderLensControls | None = None  # None until they are computed

    def edits(self, layer: int, against: Against = "final") -> tuple[Edit, ...]:
        """How does a layer's text differ, word by word, from the final one or from the reference?"""
        return text_edits.edits(
            text_edits.plain_words(self._meant(against)), text_edits.plain_words(self.texts[layer])
        )

    def error_rates(self, against: Against = "final", *, characters: bool = False) -> np.ndarray:
        """(layers,) word or character error rate: edits per word or character meant; can be over 1.

        Capitals and punctuation do not count. Raises UserError for a reference that was not given.
        """
        cut = " ".join if characters else tuple
        meant = cut(text_edits.plain_words(self._meant(against)))
        return np.array([text_edits.error_rate(meant, cut(text_edits.plain_words(text))) for text in self.texts])

    def word_logprobs(self) -> np.ndarray:
        """(layers, words) log-probability of each word: the sum over its tokens."""
        found = np.zeros((len(self.layers), len(self.words)))
        for token, word in enumerate(self.word_of_token):
            found[:, word] += self.logprobs[:, token]
        return found

    def alarms(self, layer: int) -> tuple[str, ...]:
        """Why not to take a layer's text at its word."""
        usual = max(int(self.lengths[-1]), 1)
        signs = {
            "repeats itself": self.repetition[layer] > text_edits.MUCH_REPETITION,
            "never ended; cut": not self.ended[layer],
            "much shorter than the final text": self.lengths[layer] < 0.5 * usual,
            "much longer than the final text": self.lengths[layer] > 1.5 * usual,
        }
        return tuple(sign for sign, heard in signs.items() if heard)

    def _meant(self, against: Against) -> str:
        text = self.final if against == "final" else self.reference
        if text is None:
            raise UserError("No reference was given, so there is nothing to compare with; give the true transcript.")
        return text

    def table(self) -> pd.DataFrame:
        """One line per layer and token: its log-probability with the baselines, and what the layer wrote."""
        return pd.concat([self._encoder_table(), self._decoder_table()], ignore_index=True)

    def _encoder_table(self) -> pd.DataFrame:
        layer, token = np.indices(self.logprobs.shape).reshape(2, -1)
        columns = {"lens": "encoder layers", "layer": layer, "token_index": token}
        columns |= {"token": np.array(self.tokens, object)[token], "logprob": self.logprobs.ravel()}
        columns |= {} if self.controls is None else self._control_columns(self.controls)
        columns |= {"written": np.array(self.texts, object)[layer], "repetition": self.repetition[layer]}
        for against in ("final", "reference") if self.reference is not None else ("final",):
            columns[f"wer_{against}"] = self.error_rates(against)[layer]
            columns[f"cer_{against}"] = self.error_rates(against, characters=True)[layer]
        return pd.DataFrame(columns)

    def _control_columns(self, controls: DecoderLensControls) -> dict[str, np.ndarray]:
        columns = {"silence_logprob": controls.silence_logprobs.ravel()}
        if controls.shuffled_logprobs is not None:
            columns["shuffled_logprob"] = controls.shuffled_logprobs.ravel()
            columns["mean_state_logprob"] = controls.mean_logprobs.ravel()
        if controls.random_logprobs is not None:
            seeds = zip(self.provenance["options"]["random_seeds"], controls.random_logprobs, strict=False)
            columns |= {f"random_{seed}_logprob": values.ravel() for seed, values in seeds}
        return columns

    def _decoder_table(self) -> pd.DataFrame:
        layer, token = np.indices(self.decoder_logprobs.shape).reshape(2, -1)
        return pd.DataFrame(
            {
                "lens": "decoder layers",
                "layer": layer,
                "token_index": token,
                "token": np.array(self.tokens, object)[token],
                "logprob": self.decoder_logprobs.ravel(),
                "written": np.array(self.decoder_best, object).ravel(),
            }
        )
