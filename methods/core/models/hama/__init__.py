"""hama-ctc: a small phone recogniser that works offline, as a differentiable network from waveform to phones.

    model = hama_model()
    phone_string(model, clip.samples)                        # 'w i z ə l z | h eɪ v i t | …'
    log_probabilities = model.network(model.front_end(clip.samples))      # (frames, 191)

Log-mel, a strided convolution, four macaron conformer blocks (half a feed-forward, attention, convolution, the other
half), a projection to 191 symbols: 2.0 million learnt numbers. No positions are added anywhere. Upstream presents it
as a recogniser of English and Korean phones and does not state the training data; other languages come out as strings
of those phones. The numbers come from the registry package `hama`, which is never imported: the code is ours.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from methods.core.audio import SAMPLE_RATE
from methods.core.frames import FRAME_SAMPLES, FrameGrid
from methods.core.models.devices import beside, home
from methods.core.models.hama.weights import BLANK, BLOCKS, NETWORK, WORD_BOUNDARY, hama_state, read_arrays, vocabulary
from methods.core.models.sites import AttentionOnly, EncoderPass, Site, by_head, captured, out_by_head
from methods.core.models.speech_model import SpeechModel, Vocabulary

DIM, HEADS, KERNEL = 144, 4, 31
MELS, HOP, WINDOW = 80, 160, 400  # hop and window in samples: 10 and 25 ms
LONGEST = 3000  # log-mel frames (30 s); the package's engine reads no further, so a clip of 30 s loses one frame
FLOOR = 1e-10  # of mel power; below it the logarithm is constant, so digital silence has no gradient


class _FeedForward(nn.Module):
    """W2 silu(W1 norm(x)); the block adds half of it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(DIM)
        self.inner = nn.Linear(DIM, 4 * DIM)
        self.outer = nn.Linear(4 * DIM, DIM)

    def forward(self, stream: torch.Tensor) -> torch.Tensor:
        return self.outer(functional.silu(self.inner(self.norm(stream))))


class _Attention(nn.Module):
    """Multi-head self-attention over all frames, without mask, positions or dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(DIM, DIM) for _ in range(4))

    def forward(self, stream: torch.Tensor) -> torch.Tensor:
        query, key, value = (p(stream).unflatten(-1, (HEADS, -1)).transpose(1, 2) for p in self.projections)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    @property
    def projections(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        return self.q_proj, self.k_proj, self.v_proj


class _Convolution(nn.Module):
    """What lies around a frame: a gated map per frame, then 31 frames (620 ms) of each channel, then a map again."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(DIM)
        self.expand = nn.Conv1d(DIM, 2 * DIM, 1)
        self.depthwise = nn.Conv1d(DIM, DIM, KERNEL, padding=KERNEL // 2, groups=DIM)
        self.contract = nn.Conv1d(DIM, DIM, 1)

    def forward(self, stream: torch.Tensor) -> torch.Tensor:
        gated = functional.glu(self.expand(self.norm(stream).transpose(1, 2)), 1)
        return self.contract(functional.silu(self.depthwise(gated))).transpose(1, 2)


class _Block(nn.Module):
    """A macaron conformer block."""

    def __init__(self) -> None:
        super().__init__()
        self.first_half = _FeedForward()
        self.attention_norm = nn.LayerNorm(DIM)
        self.attention = _Attention()
        self.convolution = _Convolution()
        self.second_half = _FeedForward()
        self.last_norm = nn.LayerNorm(DIM)

    def forward(self, stream: torch.Tensor) -> torch.Tensor:
        stream = stream + 0.5 * self.first_half(stream)
        return self.after_attention(stream + self.attention(self.attention_norm(stream)))

    def after_attention(self, stream: torch.Tensor) -> torch.Tensor:
        """The rest of the block, which mixes frames once more (unlike that of a transformer block)."""
        stream = stream + self.convolution(stream)
        return self.last_norm(stream + 0.5 * self.second_half(stream))


class HamaNetwork(nn.Module):
    """From waveform to phones, with gradients all the way. One clip at a time."""

    def __init__(self) -> None:
        super().__init__()
        bins = WINDOW // 2 + 1
        self.register_buffer("cosines", torch.zeros(bins, 1, WINDOW))  # Fourier basis × Hann window
        self.register_buffer("sines", torch.zeros(bins, 1, WINDOW))
        self.register_buffer("mel_bank", torch.zeros(bins, MELS))
        self.stem = nn.Conv1d(MELS, DIM, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(_Block() for _ in range(BLOCKS))
        self.projection = nn.Linear(DIM, len(vocabulary()))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """(frames, 191) natural log-probabilities of the symbols, from (1, n) samples at 16 kHz in [-1, 1]."""
        return self.log_probabilities(self.encode(self.log_mel(samples)))

    def log_mel(self, samples: torch.Tensor) -> torch.Tensor:
        """(1, 80, mel frames) natural log of mel power from (1, n) samples; mel frame m is centred on sample 160 m.

        The clip is mirrored at both ends by half a window, so n must be over 200 samples. The package's engine rounds
        these numbers to half precision (steps of up to 0.016), which has no gradient; we do not.
        """
        if samples.ndim != 2 or len(samples) != 1:
            raise ValueError(f"one clip of shape (1, n) is expected, not {tuple(samples.shape)}")
        mirrored = functional.pad(samples[None], (WINDOW // 2, WINDOW // 2), mode="reflect")
        power = sum(functional.conv1d(mirrored, wave, stride=HOP).square() for wave in (self.cosines, self.sines))
        return (self.mel_bank.T @ power).clamp_min(FLOOR).log()[:, :, :LONGEST]

    def stem_output(self, log_mel: torch.Tensor) -> torch.Tensor:
        """(1, frames, 144) what the first block reads."""
        return functional.gelu(self.stem(log_mel)).transpose(1, 2)

    def encode(self, log_mel: torch.Tensor) -> torch.Tensor:
        """(1, frames, 144) the last block's output."""
        stream = self.stem_output(log_mel)
        for block in self.blocks:
            stream = block(stream)
        return stream

    def log_probabilities(self, stream: torch.Tensor) -> torch.Tensor:
        """(frames, 191) from (1, frames, 144); also a lens on the output of an earlier block."""
        return self.projection(stream[0]).log_softmax(-1)


def hama_model() -> SpeechModel:
    """The trained recogniser (English and Korean phones; upstream does not state the training data).

    Raises WeightsError if the package `hama` is missing or not the version that we know.
    """
    network = HamaNetwork()
    state = hama_state(read_arrays(NETWORK.read()))
    network.load_state_dict({name: torch.from_numpy(values) for name, values in state.items()}, strict=True)
    return SpeechModel(
        id="hama-ctc",
        family="hama",
        network=network.eval().requires_grad_(False),
        front_end=network_input,
        tokenizer=Vocabulary(vocabulary(), blank=BLANK, space=WORD_BOUNDARY, joint=" "),
        weights_sha256=NETWORK.sha256,
    )


def random_hama(model: SpeechModel, seed: int) -> HamaNetwork:
    """The same architecture untrained, with PyTorch's default initialisation drawn from `seed`.

    Linear and convolution weights and biases are uniform within 1 / sqrt(inputs) of 0, norms start as the identity
    (upstream does not state how training started). The Fourier basis and the mel filter bank, which were not learnt,
    stay.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = HamaNetwork()
    fixed = dict(model.network.named_buffers())
    for name, buffer in network.named_buffers():
        buffer.copy_(fixed[name])
    return network.eval().requires_grad_(False)


def network_input(samples: np.ndarray) -> torch.Tensor:
    """(1, n) float32 from (n,) samples: the network's own front end does the rest."""
    return torch.tensor(samples, dtype=torch.float32)[None]  # a copy: a clip's samples are read-only


def hama_grid(samples: int) -> FrameGrid:
    """Where are the frames of a clip of this many samples? Frame i is centred on sample 320 i and hears 719 samples.

    All frames are the clip's own: n // 320 + 1 of them, up to 1,500. The first is centred on the very beginning, where
    half of what it hears is the clip mirrored, and so, at the latest, is the last on the very end.
    """
    frames = min(samples // FRAME_SAMPLES + 1, LONGEST // 2)
    return FrameGrid(0.0, FRAME_SAMPLES / SAMPLE_RATE, frames, samples / SAMPLE_RATE)


@torch.inference_mode()
def encoder_pass(network: Any, samples: torch.Tensor, own: int) -> EncoderPass:
    """One pass over (1, n) samples, of which `own` frames are the clip's (all of them: see `hama_grid`).

    `hidden[0]` is the stem's output, `hidden[l]` that of block l after its closing norm; nothing follows the last one,
    so there is no `raw_last`, and no positions are added to the stem, so `conv` would repeat `hidden[0]` and is None.

    A site's residual is the stream after the first half of the feed-forward. It is judged right after its attention
    module (`AttentionOnly`): the convolution that follows mixes 31 frames, so that in the block's output a frame whose
    attention did not change would still differ, and value zeroing would no longer measure attention alone.
    """
    attentions = [block.attention for block in network.blocks]
    modules = {f"{i}.{k}": p for i, a in enumerate(attentions) for k, p in zip("qkv", a.projections, strict=True)}
    streams = {f"in{i}": block for i, block in enumerate(network.blocks)}
    streams |= {f"mid{i}": block.attention_norm for i, block in enumerate(network.blocks)}
    with captured(modules) as seen, captured(streams, inputs=True) as stream:
        output = network.encode(network.log_mel(beside(network, samples))).cpu()
    attentions = [block.attention for block in home(network).blocks]
    sites = tuple(_site(a, i, seen, stream[f"mid{i}"], own) for i, a in enumerate(attentions))
    hidden = [stream[f"in{i}"][:own] for i in range(len(attentions))] + [output[0, :own]]
    return EncoderPass(sites, torch.stack(hidden), None, output)


def _site(attention: _Attention, layer: int, seen: dict[str, torch.Tensor], stream: torch.Tensor, own: int) -> Site:
    query, key, value = (by_head(seen[f"{layer}.{letter}"], HEADS) for letter in "qkv")
    return Site(
        stack="encoder",
        layer=layer,
        query=query[:, :own] * (DIM // HEADS) ** -0.5,
        key=key,
        value=value,
        out=out_by_head(attention.out_proj, HEADS),
        out_bias=attention.out_proj.bias,
        residual=stream[:own].clone(),
        rest=AttentionOnly(),
        causal=False,
        own_keys=own,
    )
