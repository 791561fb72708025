"""**How early in the encoder is the sentence there, as far as the decoder can tell?**

Whisper's decoder is made to read the encoder's last layer. Here it reads every layer instead, after the encoder's
final LayerNorm, and writes down what it finds. Beside what it writes stands a steadier number: the log-probability
that it gives to each token of the final transcript when that text is forced upon it. The decoder has layers too: the
second part reads each of them out through the final norm and the unembedding, and says which one first knows a token.

*How to read it.* Words are coloured by an alignment with the final transcript. Trust the log-probability more than
the text, and only as far as it lies above its two baselines: the same layer of the same network hearing silence, and
the trained decoder reading an encoder with random weights. Two more curves ask what the decoder needs of the order of
frames. *Averaged*: all of the clip's frames hold their mean. *Shuffled*: what they hold beyond silence sits at other
places. Merely to swap whole states would change nothing, as cross-attention reads a set and knows no place: order
reaches the decoder inside the states. If shuffling costs little, it is told by their content, not by their position.

*What it cannot show.* A decoder that reads an earlier layer meets something it was never trained on. Fluent words
from a low layer may be its language model talking, and dots or loops do not prove that the sound is lost: only that
it is not written in the last layer's way. Probes ask the gentler question.

*Source.* Langedijk, Mohebbi, Sarti, Zuidema & Jumelet, DecoderLens, Findings of NAACL 2024 (arXiv 2310.03686); logit
lens: nostalgebraist 2020.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.figures import curves as curve_figures
from methods.core.figures import draw
from methods.core.figures.curves import Curve
from methods.core.frames import Segment
from methods.core.lenses import decoder
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.whisper import LONGEST_TRANSCRIPT
from methods.core.options import analysis
from methods.core.progress import Step, Steps
from methods.core.results import Result, provenance, read_only
from methods.core.speech import edits as text_edits
from methods.core.speech.edits import Edit

Against = Literal["final", "reference"]
SHORTEST_CAP = 32  # tokens that every layer may write at least
MUCH_REPETITION = 0.5  # share of token triples that have occurred before
SHUFFLE_SEED = 0  # of the order of frames in the control
FLOOR = -10.0  # natural log-probability at which maps begin: less than one in 20,000


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
            "repeats itself": self.repetition[layer] > MUCH_REPETITION,
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


@analysis()
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    reference: str | None = None,
    norm: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[DecoderLens]:
    """What does the decoder write from each encoder layer, and how likely does it find the final text there?

    `transcript` replaces the text that is forced upon the decoder, and is the `reference` unless there is another.
    `segments` are the words of that text with their times; they give the words a place in time where they are as many.
    `norm=False` hands the raw stream over: a decoder can then hardly read even the last layer. Raises ModelError for a
    model without a decoder.
    """
    count = len(random_seeds) + 3
    yield Step(0.0, f"{model.id}, every layer")
    final = models.transcribe(clip, model, language=language)
    text = final if transcript is None else models.transcribe(clip, model, text=transcript, language=final.language)
    asked = _Asked(tuple(segments or ()), transcript, reference, norm, tuple(random_seeds))
    raw = decoder.streams(clip, model)
    states = decoder.readable(model, raw, norm)
    result = _measure(clip, model, final, text, states, asked)
    yield Step(1 / count, "the same layers hearing silence", partial=result)
    silent, own = decoder.silent_streams(model), models.frame_grid(clip, model).frames
    controls = DecoderLensControls(_scores(decoder.readable(model, silent, norm), model, text))
    yield Step(2 / count, "the clip's frames shuffled and averaged", partial=replace(result, controls=controls))
    moved = _scores(decoder.readable(model, shuffled(raw, silent, own), norm), model, text)
    controls = replace(controls, shuffled_logprobs=moved, mean_logprobs=_scores(averaged(states, own), model, text))
    found = []
    for number, seed in enumerate(random_seeds):
        done = (number + 3) / count
        yield Step(done, f"random encoder, seed {seed}", partial=replace(result, controls=controls))
        twin = models.random_twin(model, seed)
        found.append(_scores(decoder.readable(twin, decoder.streams(clip, twin), norm), model, text))
        controls = replace(controls, random_logprobs=read_only(found))
    return replace(result, controls=controls)


@dataclass(frozen=True)
class _Asked:
    """The options that the trained model's measurement needs."""

    segments: tuple[Segment, ...]
    transcript: str | None
    reference: str | None
    norm: bool
    random_seeds: tuple[int, ...]


@dataclass(frozen=True)
class _Asked:
    """The options that a measurement and its provenance need."""

    segments: tuple[Segment, ...]
    transcript: str | None
    reference: str | None
    norm: bool
    random_seeds: tuple[int, ...]


def shuffled(raw: torch.Tensor, silent: torch.Tensor, own: int, seed: int = SHUFFLE_SEED) -> torch.Tensor:
    """(layers, positions, dim) streams whose first `own` frames keep silence's state but hold another frame's rest.

    The state of silence stands for the position. Whole states in another order would be read just as before, since
    cross-attention sums over them and knows of no position.
    """
    order = torch.from_numpy(np.random.default_rng(seed).permutation(own))
    rest = raw[:, :own] - silent[:, :own]
    return torch.cat([silent[:, :own] + rest[:, order], raw[:, own:]], 1)


def averaged(states: torch.Tensor, own: int) -> torch.Tensor:
    """(layers, positions, dim) what the decoder reads, with the mean of the first `own` frames in each of them."""
    mean = states[:, :own].mean(1, keepdim=True)
    return torch.cat([mean.expand(-1, own, -1), states[:, own:]], 1)


def _scores(states: torch.Tensor, model: SpeechModel, text: Transcript) -> np.ndarray:
    """(layers, tokens + 1) log-probabilities that `model`'s decoder gives to the text, reading these states."""
    with model.lock:
        return read_only(decoder.forced_logprobs(model, states, text.prompt, text.tokens)[0])


def _measure(
    clip: Clip,
    model: SpeechModel,
    final: Transcript,
    text: Transcript,
    states: torch.Tensor,
    asked: _Asked,
) -> DecoderLens:
    longest = min(max(SHORTEST_CAP, 2 * len(final.tokens)), LONGEST_TRANSCRIPT)
    with model.lock:
        logprobs, openings = decoder.forced_logprobs(model, states, text.prompt, text.tokens)
        written = decoder.greedy(model, states, text.prompt, longest)
        readout = decoder.logit_lens(clip, model, text.prompt, text.tokens)
    no_speech = model.decoding.no_speech
    return DecoderLens(
        texts=tuple(decoder.spelled_out(model, w.tokens) for w in written),
        lengths=read_only([len(w.tokens) for w in written], np.int64),
        ended=read_only([w.complete for w in written], bool),
        repetition=read_only([text_edits.repetition(w.tokens) for w in written]),
        final=final.text,
        reference=asked.reference or asked.transcript,
        text=text.text,
        tokens=(*(piece.strip() or "·" for piece in text.token_texts), "(end)"),
        logprobs=read_only(logprobs),
        no_speech=None if no_speech is None else read_only(np.exp(openings[:, no_speech])),
        decoder_logprobs=read_only(readout.logprobs),
        decoder_best=tuple(tuple(_piece(model, token) for token in row) for row in readout.best.tolist()),
        decoder_first=read_only(decoder.knows_from(readout.top), np.int64),
        layers=("0 (conv + positions)", *(str(layer) for layer in range(1, len(states)))),
        **_timed_words(text, asked.segments),
        provenance=_origin(clip, model, text, longest, asked),
    )


def _piece(model: SpeechModel, token: int) -> str:
    return "(end)" if token == model.decoding.end else decoder.spelled_out(model, [token]) or "·"


def _timed_words(text: Transcript, segments: Sequence[Segment]) -> dict[str, tuple[str, ...] | np.ndarray]:
    """The text's words at the segments' times; nothing where their numbers differ."""
    opens = [i == 0 or piece.startswith(" ") for i, piece in enumerate(text.token_texts)]
    if not segments or sum(opens) != len(segments):
        segments, opens = (), []
    return {
        "words": tuple(segment.label for segment in segments),
        "starts": read_only([segment.start for segment in segments]),
        "ends": read_only([segment.end for segment in segments]),
        "word_of_token": read_only(np.cumsum(opens) - 1, np.int64),
    }


def _origin(clip: Clip, model: SpeechModel, text: Transcript, longest: int, asked: _Asked) -> dict[str, Any]:
    return provenance(
        "decoder lens", clip, model, seed=model.seed, most_tokens=longest, transcript=text.text,
        transcript_given=text.given, language=text.language, reference=asked.reference,
        segments=[[s.label, s.start, s.end] for s in asked.segments], shuffle_seed=SHUFFLE_SEED, norm=asked.norm,
        random_seeds=list(asked.random_seeds),
    )  # fmt: skip


def logprob_curves(result: DecoderLens) -> list[Curve]:
    """Mean log-probability per token of the text at each layer, and its baselines."""
    curves, controls = [Curve("trained", result.logprobs.mean(-1))], result.controls
    if controls is None:
        return curves
    if controls.random_logprobs is not None:
        name = f"random encoder, {len(controls.random_logprobs)} seeds"
        curves.append(Curve(name, controls.random_logprobs.mean(-1), control=True))
    curves.append(Curve("hearing silence", controls.silence_logprobs.mean(-1), control=True))
    if controls.shuffled_logprobs is not None:
        curves.append(Curve("frames shuffled", controls.shuffled_logprobs.mean(-1), control=True))
        curves.append(Curve("frames averaged", controls.mean_logprobs.mean(-1), control=True))
    return curves


def error_curves(result: DecoderLens) -> list[Curve]:
    """Word and character error rates at each layer, capped at 1 for the eye; `error_rates` has the raw ones."""
    sides: tuple[Against, ...] = ("final", "reference") if result.reference is not None else ("final",)
    return [
        Curve(f"{name}, against {side}", result.error_rates(side, characters=characters).clip(max=1))
        for side in sides
        for name, characters in (("words", False), ("characters", True))
    ]


def plot(result: DecoderLens) -> Figure:
    """Log-probability and errors over the layers, and the maps of layers by tokens for encoder and decoder."""
    width = min(max(0.3 * len(result.tokens), 4.0), 16.0)
    figure = draw.new_figure(width + 4.5, 7.0)
    axes = figure.subplots(2, 2, width_ratios=(4.0, width))
    curve_figures.layer_curves(axes[0, 0], result.layers, logprob_curves(result), "mean log-probability per token")
    curve_figures.layer_curves(axes[1, 0], result.layers, error_curves(result), "error rate (capped at 1)")
    depth = [str(layer) for layer in range(len(result.decoder_logprobs))]
    for ax, values, names, title in (
        (axes[0, 1], result.logprobs, result.layers, "Decoder reading each encoder layer"),
        (axes[1, 1], result.decoder_logprobs, depth, "Each decoder layer read out (logit lens)"),
    ):
        mesh = ax.pcolormesh(values, cmap=draw.SEQUENTIAL, vmin=FLOOR, vmax=0)
        ax.set_title(title, fontsize=9, color=draw.INK)
        ax.set_yticks(np.arange(len(names)) + 0.5, [name.split(" ")[0] for name in names])
        labels = [token.replace("$", r"\$") for token in result.tokens]
        ax.set_xticks(np.arange(len(labels)) + 0.5, labels, rotation=60, ha="right", fontsize=8)
    figure.colorbar(mesh, ax=axes[:, 1], label="log-probability", extend="min", shrink=0.8)
    return figure
