"""What the lenses share: Whisper's decoder on the stream of every layer, how to compare texts, curves over layers.

A lens hands the state of an earlier layer to the part of the network that was made for the last one. Here that part
is Whisper's decoder, or the unembedding of its decoder; CTC heads are in `ctc_layers`. What a layer says is then
aligned with what should have been said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from methods.core import models
from methods.core.audio import SAMPLE_RATE, Clip
from methods.core.cache import BoundedCache
from methods.core.models import whisper
from methods.core.models.devices import beside, home
from methods.core.models.sites import captured
from methods.core.models.speech_model import SpeechModel

TIME_STAMP = 0.02  # s: the steps of Whisper's time stamps

_silences = BoundedCache(2**28)  # bytes


# The stream and Whisper's decoder on it


@torch.inference_mode()
def streams(clip: Clip, model: SpeechModel) -> torch.Tensor:
    """(layers + 1, positions, dim) a Whisper encoder's stream before block 1 and after every block, padding included.

    Raw: the final norm, which follows the last block, is not in it. `encoder_states` keeps the clip's own frames only,
    but a decoder reads all 1,500 positions.
    """
    encoder = model.network.model.encoder
    marks = {str(i): block for i, block in enumerate(encoder.layers)} | {"end": encoder.layer_norm}
    with model.lock, captured(marks, inputs=True) as seen:
        encoder(whisper.features(model, clip.samples))
    return torch.stack([seen[name] for name in marks])


def silent_streams(model: SpeechModel) -> torch.Tensor:
    """The streams of silence: what a decoder writes then is its own language model talking.

    The same for every clip, because Whisper fills its window of 30 s with silence anyway; hence kept.
    """
    silence = Clip(np.zeros(SAMPLE_RATE, np.float32), "silence")
    return _silences.fetch(model.key, lambda: streams(silence, model), lambda made: made.nbytes)


@torch.inference_mode()
def readable(model: SpeechModel, raw: torch.Tensor, norm: bool = True) -> torch.Tensor:
    """The streams as the decoder is used to them: after the encoder's final LayerNorm, unless `norm` is off."""
    return model.network.model.encoder.layer_norm(beside(model.network, raw)) if norm else raw


def averaged(states: torch.Tensor, own: int) -> torch.Tensor:
    """(layers, positions, dim) what the decoder reads, with the mean of the first `own` frames in each of them."""
    mean = states[:, :own].mean(1, keepdim=True)
    return torch.cat([mean.expand(-1, own, -1), states[:, own:]], 1)


class LayerReader:
    """Whisper's decoder reading many encoder states (rows, positions, dim) at once, a few tokens at a time.

    The ordinary decoder turns each of 1,500 positions into keys and values, in every layer and for every row: with few
    tokens to write, that is most of its work. Here the key matrix is moved to the side of the queries, q . (K x) =
    (K' q) . x, and the value matrix behind the average, so that attention reads the states themselves. The sums are
    the same up to rounding, and one step reads all weights once for all rows.
    """

    def __init__(self, network: Any, states: torch.Tensor) -> None:
        self.decoder = network.model.decoder
        self.states = beside(network, states)
        self.past: list[tuple[torch.Tensor, torch.Tensor] | None] = [None] * len(self.decoder.layers)
        self.length = 0  # tokens read so far

    def read(self, ids: torch.Tensor) -> torch.Tensor:
        """(rows, tokens, dim) the decoder's last states for the next (rows, tokens); several only at the beginning."""
        ids, count = ids.to(self.states.device), ids.shape[1]
        places = self.decoder.embed_positions.weight[self.length : self.length + count]
        stream = self.decoder.embed_tokens(ids) + places
        for layer, block in enumerate(self.decoder.layers):
            stream = stream + self._self_attention(layer, block.self_attn, block.self_attn_layer_norm(stream))
            stream = stream + self._cross_attention(block.encoder_attn, block.encoder_attn_layer_norm(stream))
            stream = stream + block.fc2(block.activation_fn(block.fc1(block.final_layer_norm(stream))))
        self.length += count
        return self.decoder.layer_norm(stream)

    def forget(self, length: int) -> None:
        """Go on as if only the first `length` tokens had been read."""
        self.past = [(keys[:, :, :length], values[:, :, :length]) for keys, values in self.past]
        self.length = length

    def keep(self, rows: list[int]) -> None:
        """Go on with these rows only."""
        self.states = self.states[rows]
        self.past = [(keys[rows], values[rows]) for keys, values in self.past]

    def _self_attention(self, layer: int, attention: Any, read: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            project(read).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        causal = self.past[layer] is None
        if not causal:
            key, value = (torch.cat(pair, 2) for pair in zip(self.past[layer], (key, value), strict=True))
        self.past[layer] = key, value
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
        return attention.out_proj(mixed.transpose(1, 2).flatten(2))

    def _cross_attention(self, attention: Any, read: torch.Tensor) -> torch.Tensor:
        heads = attention.num_heads
        query = (attention.q_proj(read) * attention.scaling).unflatten(-1, (heads, -1))
        keys, values = (m.weight.unflatten(0, (heads, -1)) for m in (attention.k_proj, attention.v_proj))
        asked = torch.einsum("rnhe,hed->rhnd", query, keys).flatten(1, 2)  # Whisper's keys have no bias
        weights = (asked @ self.states.transpose(1, 2)).softmax(-1)
        found = (weights @ self.states).unflatten(1, (heads, -1))
        # Weights sum to 1, so that the bias of the values comes through as it is.
        return attention.out_proj(torch.einsum("rhnd,hed->rnhe", found, values).flatten(2) + attention.v_proj.bias)


@torch.inference_mode()
def forced_logprobs(
    model: SpeechModel, states: torch.Tensor, prompt: tuple[int, ...], tokens: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """How likely does the decoder find a text, reading each of `states` (layers, positions, dim)?

    Natural logarithms before any suppression, (layers, tokens + 1): one per token and one for the end; and
    (layers, vocabulary) log-probabilities right after the start token, in which Whisper says "no speech".
    """
    wanted = beside(model.network, torch.tensor([*tokens, model.decoding.end])[:, None])
    found, openings = [], []
    for last in LayerReader(model.network, states).read(torch.tensor([prompt + tokens] * len(states))):
        logits = model.network.proj_out(last)  # layer by layer: all at once would be a large table
        found.append(logits[len(prompt) - 1 :].log_softmax(-1).gather(1, wanted)[:, 0])
        openings.append(logits[0].log_softmax(-1))
    return torch.stack(found).cpu().double().numpy(), torch.stack(openings).cpu().double().numpy()


@torch.inference_mode()
def forced_distributions(
    model: SpeechModel, states: torch.Tensor, prompt: tuple[int, ...], tokens: tuple[int, ...]
) -> np.ndarray:
    """(tokens + 1, vocabulary) float32 natural log-probabilities of all that could be written, place by place.

    The decoder reads `states` (positions, dim); before any suppression. The last row is the place of the end.
    """
    read = LayerReader(model.network, states[None]).read(torch.tensor([prompt + tokens]))[0]
    return model.network.proj_out(read)[len(prompt) - 1 :].log_softmax(-1).cpu().numpy()


@dataclass(frozen=True)
class Written:
    """What the decoder wrote from one layer's state."""

    tokens: tuple[int, ...]
    complete: bool  # it ended by itself; False: it met the cap


@torch.inference_mode()
def greedy(
    model: SpeechModel,
    states: torch.Tensor,
    prompt: tuple[int, ...],
    longest: int,
    guess: tuple[int, ...] = (),
    hopeless: Callable[[Sequence[int]], bool] = lambda tokens: False,
) -> tuple[Written, ...]:
    """Greedy decoding from all of `states` (layers, positions, dim) at once, at most `longest` tokens each.

    As in `models_whisper.greedy_ids`, suppressed tokens are never chosen. A layer that has ended leaves the batch.
    `guess` is a text that may come out: it is read in one go, and writing goes on where a layer wants something else,
    which gives what writing word by word gives (the greedy case of Leviathan et al. 2023, arXiv 2211.17192).
    A layer whose beginning is `hopeless` is not written to its end.
    """
    reader, guess = LayerReader(model.network, states), guess[:longest]
    best = _choices(model, reader.read(torch.tensor([prompt + guess] * len(states)))[:, len(prompt) - 1 :])
    agreed = _common_start(best, guess)
    reader.forget(len(prompt) + agreed)
    written, complete = [list(guess[:agreed]) for _ in states], [False] * len(states)
    running, best = list(range(len(states))), best[:, agreed]  # the layer behind each row of the batch
    for position in range(agreed, longest + 1):
        ended = (best == model.decoding.end).tolist()
        for layer, end in zip(running, ended, strict=True):
            complete[layer] = end
        kept = [row for row, end in enumerate(ended) if not end and not hopeless(written[running[row]])]
        if position == longest or not kept:
            break
        if len(kept) < len(running):
            reader.keep(kept)
            best, running = best[kept], [running[row] for row in kept]
        for layer, token in zip(running, best.tolist(), strict=True):
            written[layer].append(token)
        best = _choices(model, reader.read(best[:, None]), opening=False)[:, 0]
    return tuple(Written(tuple(tokens), end) for tokens, end in zip(written, complete, strict=True))


def _choices(model: SpeechModel, read: torch.Tensor, opening: bool = True) -> torch.Tensor:
    """(rows, tokens) the most probable token after each that was read; the first opens the text if `opening`."""
    flat = read.flatten(0, 1)
    scores = (model.network.proj_out.weight @ flat.T).T.view(*read.shape[:2], -1)  # faster this way round for few rows
    scores[..., list(model.decoding.suppressed)] = -torch.inf
    if opening:
        scores[:, 0, list(model.decoding.suppressed_first)] = -torch.inf
    return scores.argmax(-1)


def _common_start(best: torch.Tensor, guess: tuple[int, ...]) -> int:
    """How many tokens of a guess every row would have written by itself."""
    same = (best[:, : len(guess)] == torch.tensor(guess, dtype=torch.long).to(best.device)).all(0)
    return int(same.int().cumprod(0).sum())


def spelled_out(model: SpeechModel, tokens: Sequence[int]) -> str:
    """The text of these tokens. Time stamps, which decode to nothing, are named: early layers may write only them."""
    last = model.decoding.no_timestamps  # time stamps have all numbers after it
    parts: list[str | list[int]] = []
    for token in tokens:
        if token > last:
            parts.append(f" <{(token - last - 1) * TIME_STAMP:.2f} s>")
        elif parts and isinstance(parts[-1], list):
            parts[-1].append(token)
        else:
            parts.append([token])
    return "".join(part if isinstance(part, str) else model.tokenizer.decode(part) for part in parts).strip()


@dataclass(frozen=True, eq=False)
class Readout:
    """What each decoder layer would write, read out through the final norm and the unembedding."""

    logprobs: np.ndarray  # (layers + 1, tokens + 1) natural log-probability of each next token, then the end
    best: np.ndarray  # (layers + 1, tokens + 1) id of the most likely token
    top: np.ndarray  # (layers + 1, tokens + 1) bool: the next token is the most likely one


@torch.inference_mode()
def logit_lens(clip: Clip, model: SpeechModel, prompt: tuple[int, ...], tokens: tuple[int, ...]) -> Readout:
    """Which decoder layer knows each next token? Entry 0 is the embedding, the last one is the model's own output."""
    states = models.decoder_states(clip, model, prompt + tokens)
    network, rows = home(model.network), slice(len(prompt) - 1, None)
    norm = network.model.decoder.layer_norm
    wanted = torch.tensor([*tokens, model.decoding.end])[:, None]
    logprobs, best = [], []
    for layer, hidden in enumerate(states.hidden):
        last = layer == len(states.hidden) - 1  # has passed the final norm already
        logits = states.logits[rows] if last else network.proj_out(norm(hidden[rows]))
        logprobs.append(logits.log_softmax(-1).gather(1, wanted)[:, 0].double().numpy())
        best.append(logits.argmax(-1).numpy())
    found = np.stack(best)
    return Readout(np.stack(logprobs), found, found == wanted[:, 0].numpy())


def knows_from(top: np.ndarray) -> np.ndarray:
    """(tokens,) first layer from which (layers, tokens) `top` is true and stays so; -1 where even the last is not."""
    streak = np.logical_and.accumulate(top[::-1]).sum(0)  # how many layers at the end
    return np.where(streak > 0, len(top) - streak, -1)
