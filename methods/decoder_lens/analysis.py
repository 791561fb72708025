"""How DecoderLens is computed: the decoder reads every layer of the encoder, and those of its controls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.frames import Segment
from methods.core.lenses import decoder
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.models.whisper import LONGEST_TRANSCRIPT
from methods.core.options import analysis
from methods.core.progress import Step, Steps
from methods.core.results import Provenance, provenance, read_only
from methods.core.speech import edits as text_edits
from methods.decoder_lens.result import DecoderLens, DecoderLensControls

SHORTEST_CAP = 32  # tokens that every layer may write at least
SHUFFLE_SEED = 0  # of the order of frames in the control


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
    yield Step(0.0, f"{model.id}, every layer")
    raw = decoder.streams(clip, model)
    states = decoder.readable(model, raw, norm)
    result = _measure(clip, model, final, text, states, asked)
    yield Step(1 / count, "the same layers hearing silence", partial=result)
    silent, own = decoder.silent_streams(model), models.frame_grid(clip, model).frames
    controls = DecoderLensControls(_scores(decoder.readable(model, silent, norm), model, text))
    yield Step(2 / count, "the clip's frames shuffled and averaged", partial=replace(result, controls=controls))
    moved = _scores(decoder.readable(model, shuffled(raw, silent, own), norm), model, text)
    mean = _scores(decoder.averaged(states, own), model, text)
    controls = replace(controls, shuffled_logprobs=moved, mean_logprobs=mean)
    found = []
    for number, seed in enumerate(random_seeds):
        done = (number + 3) / count
        yield Step(done, f"random encoder, seed {seed}", partial=replace(result, controls=controls))
        twin = models.random_twin(model, seed)
        yield Step(done, f"random encoder, seed {seed}, every layer")
        found.append(_scores(decoder.readable(twin, decoder.streams(clip, twin), norm), model, text))
        controls = replace(controls, random_logprobs=read_only(found))
    return replace(result, controls=controls)


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


def _origin(clip: Clip, model: SpeechModel, text: Transcript, longest: int, asked: _Asked) -> Provenance:
    return provenance(
        "decoder lens", clip, model, seed=model.seed, most_tokens=longest, transcript=text.text,
        transcript_given=text.given, language=text.language, reference=asked.reference,
        segments=[[s.label, s.start, s.end] for s in asked.segments], shuffle_seed=SHUFFLE_SEED, norm=asked.norm,
        random_seeds=list(asked.random_seeds),
    )  # fmt: skip
