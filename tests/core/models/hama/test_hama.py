"""hama-ctc against the package's own engine, PyTorch's own attention, and experiments with impulses."""

import copy
import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from methods.core.audio import load_clip
from methods.core.errors import UserError
from methods.core.mixing.zeroing import site_distances
from methods.core.models import hama
from methods.core.models.hama import encoder_pass, hama_grid, hama_model, random_hama
from methods.core.models.hama import weights as hama_weights
from methods.core.models.hama.weights import BLANK, WORD_BOUNDARY, hama_state, read_arrays, vocabulary
from methods.core.models.speech_model import SpeechModel

pytestmark = pytest.mark.weights

CLIPS = (
    "cc-by-sa-3.0/en_f_weasels.wav",
    "public-domain/en_m_illdisposed.wav",
    "cc-by-sa-3.0/fr_f_votre_message.wav",
)
# Sums of at most a few hundred products of numbers of order 1 to 10 in float64 (eps 2.2e-16), in another order.
EXACT = {"rtol": 1e-10, "atol": 1e-11}
SPANS = [range(7), range(7, 12), range(20, 33), range(33, 41)]
FIELD = 359  # samples to either side of a frame's centre: 160 to the outer mel frames + 199 of a Hann window (400)


def example(name: str) -> np.ndarray:
    return load_clip(Path(__file__).parents[4] / "examples_audio" / name).samples


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    torch.set_num_threads(1)  # as conftest asks of `load_model`: on a busy machine two threads wait for each other
    return hama_model()


@pytest.fixture(scope="module")
def double(model):
    """The same network in float64."""
    return copy.deepcopy(model.network).double()


@pytest.fixture(scope="module")
def samples():
    """(1, n) float64: 0.8 s out of the middle of a sentence, 41 frames."""
    return torch.tensor(example(CLIPS[0])[16_000:28_800], dtype=torch.float64)[None]


@pytest.fixture(scope="module")
def states(double, samples):
    return encoder_pass(double, samples, own=hama_grid(samples.shape[1]).frames)


# The package's own engine


@pytest.fixture(scope="module")
def engine():
    session = pytest.importorskip("hama.asr").ASRModel().session

    def run(waveform: np.ndarray) -> np.ndarray:
        return session.run(["log_probs"], {"waveform": waveform[None], "waveform_lengths": [waveform.size]})[0][0]

    return run


@pytest.mark.parametrize("name", CLIPS)
def test_log_probabilities_are_the_engines_frame_by_frame(model, engine, name):
    waveform = example(name)
    expected = engine(waveform)
    with torch.inference_mode():
        log_mel = model.network.log_mel(model.front_end(waveform))
        ours = model.network(model.front_end(waveform)).numpy()
        rounded = model.network.log_probabilities(model.network.encode(log_mel.half().float())).numpy()
    assert ours.shape == expected.shape
    assert (ours.argmax(1) == expected.argmax(1)).all()
    # The engine rounds the log-mel to half precision: 11 bits, so up to 0.008 off at -16 to -23, where silence lies.
    # Measured on these clips: at most 0.031, typically 0.001, and of a probability 0.0017.
    np.testing.assert_allclose(ours, expected, rtol=0, atol=0.05)
    np.testing.assert_allclose(np.exp(ours), np.exp(expected), rtol=0, atol=0.005)
    # With the same rounding what is left is its √2, also rounded to half precision (1.4140625), and single mel values
    # that fall to the other side of a rounding step: measured 0.0044 at most.
    np.testing.assert_allclose(rounded, expected, rtol=0, atol=0.01)
    assert np.abs(rounded - expected).mean() < 1e-4


@pytest.mark.parametrize("size", [1_600, 1_919, 1_920, 1_921, 2_080, pytest.param(480_000, marks=pytest.mark.slow)])
def test_the_grid_has_as_many_frames_as_the_engine_and_the_network(model, engine, size):
    waveform = 0.1 * np.random.default_rng(size).normal(size=size).astype(np.float32)
    with torch.inference_mode():
        stem = model.network.stem_output(model.network.log_mel(model.front_end(waveform)))
    assert hama_grid(size).frames == stem.shape[1] == len(engine(waveform))


# The adapter


def test_weights_and_outputs_are_those_of_pytorchs_own_attention(double, states):
    arrays = read_arrays(hama_weights.NETWORK.read())
    for layer, site in enumerate(states.sites):
        module, first = torch.nn.MultiheadAttention(144, 4, batch_first=True).double(), 829 + 9 * layer
        root = f"acoustic_model.model.blocks.{layer}.attn"
        with torch.no_grad():
            module.in_proj_weight.copy_(tensor(arrays[f"onnx::MatMul_{first + 2}"].T))
            module.in_proj_bias.copy_(tensor(arrays[f"{root}.in_proj_bias"]))
            module.out_proj.weight.copy_(tensor(arrays[f"onnx::MatMul_{first + 6}"].T))
            module.out_proj.bias.copy_(tensor(arrays[f"{root}.out_proj.bias"]))
            given = double.blocks[layer].attention_norm(site.residual)[None]
            output, weights = module(given, given, given, average_attn_weights=False)
        torch.testing.assert_close(site.weights(), weights[0], **EXACT)
        torch.testing.assert_close(site.output(), output[0], **EXACT)


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values.astype(np.float64))


def test_rows_sum_to_one_and_heads_and_bias_to_the_modules_output(double, states):
    for block, site in zip(double.blocks, states.sites, strict=True):
        torch.testing.assert_close(site.weights().sum(-1), torch.ones_like(site.query[..., 0]), **EXACT)
        summed = torch.einsum("hrk,hkd->rd", site.weights(), site.contributions()) + site.out_bias
        module = block.attention(block.attention_norm(site.residual[None]))[0]
        torch.testing.assert_close(summed, module, **EXACT)


def test_the_rest_of_the_block_gives_the_next_hidden_state(double, states):
    for block, site in zip(double.blocks, states.sites, strict=True):
        stream = site.rest(site.residual + site.output())[None]
        stream = stream + block.convolution(stream)
        stream = block.last_norm(stream + block.second_half(stream) / 2)
        torch.testing.assert_close(stream[0], states.hidden[site.layer + 1], **EXACT)


def test_layer_fed_with_its_hidden_state_gives_the_next_one(double, samples, states):
    torch.testing.assert_close(states.hidden[:1], double.stem_output(double.log_mel(samples)), **EXACT)
    for layer, block in enumerate(double.blocks):
        torch.testing.assert_close(block(states.hidden[None, layer])[0], states.hidden[layer + 1], **EXACT)
    torch.testing.assert_close(states.output[0], states.hidden[-1], **EXACT)
    torch.testing.assert_close(double.log_probabilities(states.output), double(samples), **EXACT)
    assert states.hidden.shape == (5, 41, 144)
    assert states.raw_last is None
    assert states.conv is None


def test_fewer_own_frames_are_cut_from_rows_but_not_from_keys(double, samples, states):
    cut = encoder_pass(double, samples, own=30)
    assert cut.hidden.shape == (5, 30, 144)
    assert cut.output.shape == (1, 41, 144)
    for site, whole in zip(cut.sites, states.sites, strict=True):
        torch.testing.assert_close(site.weights(), whole.weights()[:, :30], **EXACT)


def test_hooks_are_gone_after_a_pass(double, states):
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in double.modules())


def test_value_zeroing_equals_running_the_block_with_zeroed_values(double, states):
    for block, site in zip(double.blocks, states.sites, strict=True):
        given, expected = states.hidden[site.layer], np.zeros((len(SPANS), len(SPANS)))
        plain = stream_after_attention(block, given)
        for column, keys in enumerate(SPANS):
            moved = list(map(cosine, plain, stream_after_attention(block, given, keys)))
            expected[:, column] = [np.mean(moved[rows.start : rows.stop]) for rows in SPANS]
        # scipy's 1 - cos in float64 is off by some eps (1e-15); distances here are 1e-6 to 1e-1.
        np.testing.assert_allclose(site_distances(site, SPANS, SPANS), expected, rtol=1e-8, atol=1e-14)
        assert expected.min() > 1e-9


@torch.no_grad()
def stream_after_attention(block, hidden, zeroed: range = range(0)) -> np.ndarray:
    """(frames, 144) what the convolution of a block reads, with some rows of its attention's values set to zero."""
    seen = []

    def without(_module, _args, values):
        values = values.clone()
        values[:, list(zeroed)] = 0
        return values

    handles = [
        block.attention.v_proj.register_forward_hook(without),
        block.convolution.register_forward_pre_hook(lambda _module, args: seen.append(args[0][0])),
    ]
    block(hidden[None])
    for handle in handles:
        handle.remove()
    return seen[0].numpy()


# Gradients and time


def test_gradients_reach_the_waveform(double, samples):
    given = samples.clone().requires_grad_()
    double(given)[20].max().backward()
    direction = torch.randn(samples.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # Of full scale. Next to the faintest mel values (power 1e-9) curvature is strong: at 1e-6 central differences are
    # 2e-4 off, at a tenth of it a hundredth as much, and rounding (1e-14 / step) only 1e-7.
    step = 1e-7
    ahead, behind = (double(samples + sign * step * direction)[20].max() for sign in (1, -1))
    slope = (given.grad * direction).sum()
    assert slope.abs() > 1e-3
    torch.testing.assert_close(slope, (ahead - behind) / (2 * step), rtol=1e-5, atol=0)


@pytest.mark.parametrize("frame", [3, 10, 20])
def test_a_frame_hears_719_samples_around_its_time(double, samples, frame):
    given = samples.clone().requires_grad_()
    double.stem_output(double.log_mel(given))[0, frame].square().sum().backward()
    heard, grid = np.flatnonzero(given.grad[0]), hama_grid(samples.shape[1])
    centre = round(grid.times[frame] * 16_000)
    assert (heard[0], heard[-1]) == (centre - FIELD, centre + FIELD)


@pytest.mark.parametrize("at", [3200, 4000, 5130, 7999])
def test_an_impulse_answers_in_the_frames_around_it(double, at):
    """A click in faint noise moves exactly the frames whose field holds it, and the change is centred on it."""
    quiet = 1e-4 * torch.randn(1, 12_000, generator=torch.Generator().manual_seed(at), dtype=torch.float64)
    clicked = quiet.clone()
    clicked[0, at] += 0.5
    change = double.stem_output(double.log_mel(clicked)) - double.stem_output(double.log_mel(quiet))
    size, grid = change[0].norm(dim=1).numpy(), hama_grid(12_000)
    centres = grid.times * 16_000
    np.testing.assert_array_equal(size > 0, np.abs(centres - at) <= FIELD)
    # The steep logarithm makes the answer nearly as strong at the edge of the field: the mean is good to half a frame.
    assert abs((size * centres).sum() / size.sum() - at) < 160


def test_the_ends_of_a_clip_have_frames():
    assert hama_grid(32_000).times[[0, -1]] == pytest.approx([0, 2.0])  # 0 s and 2 s: both lie on the clip's ends
    assert hama_grid(31_999).times[-1] == pytest.approx(1.98)
    assert hama_grid(480_000).frames == 1500


def test_vocabulary_is_the_packages(model):
    theirs = pytest.importorskip("hama.asr").ASRModel().decoder_tokens
    assert vocabulary() == tuple(theirs)
    assert (vocabulary()[WORD_BOUNDARY], vocabulary()[BLANK]) == ("<wb>", "<blank>")
    assert model.network.projection.out_features == len(vocabulary()) == 191


# The untrained twin


def test_the_random_twin_is_reproducible_and_keeps_the_filter_bank(model):
    state = torch.random.get_rng_state()
    twin, again, other = random_hama(model, 1), random_hama(model, 1), random_hama(model, 2)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(weight.requires_grad for weight in twin.parameters())
    for name, weight in twin.state_dict().items():
        torch.testing.assert_close(weight, again.state_dict()[name], rtol=0, atol=0)
        kept = name in {"cosines", "sines", "mel_bank"}
        assert torch.equal(weight, model.network.state_dict()[name]) == kept
        assert torch.equal(weight, other.state_dict()[name]) == (kept or "norm" in name)
    assert encoder_pass(twin, torch.rand(1, 4000), own=13).hidden.isfinite().all()


# Files


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not hama_weights.installed()
    with pytest.raises(UserError, match=r"not installed: run `pip install hama==1\.7\.0`"):
        hama_model()


def test_changed_file_is_refused(monkeypatch, tmp_path):
    data = bytearray(hama_weights.NETWORK.read())
    data[-1] ^= 1
    (tmp_path / "changed.hama").write_bytes(data)
    monkeypatch.setattr(hama_weights.Asset, "path", lambda asset: tmp_path / "changed.hama")
    with pytest.raises(UserError, match=r"instead of a9fcfe73e179….*pip install --force-reinstall hama==1\.7\.0"):
        hama_weights.NETWORK.read()


def container(element: int = 0) -> bytes:
    """A `.hama` file with one array of three numbers."""
    table = b"HAMAPK\x01\x02" + struct.pack("<IH", 1, 3) + b"abc" + struct.pack("<BBIQQ", element, 1, 3, 0, 12)
    return table + b"\0" * (-len(table) % 16) + struct.pack("<3f", 1, 2.5, -3)


def test_reader_reads_what_was_written():
    np.testing.assert_array_equal(read_arrays(container())["abc"], np.array([1, 2.5, -3], np.float32))


@pytest.mark.parametrize("broken", [container()[:20], container()[:-4], container(element=7), b"PK\x03\x04"])
def test_broken_files_are_refused(broken):
    with pytest.raises(UserError, match=r"\.hama file"):
        read_arrays(broken)


def test_every_array_of_the_file_finds_a_place():
    arrays = read_arrays(hama_weights.NETWORK.read())
    state = hama_state(arrays)
    assert sum(values.size for values in arrays.values()) == sum(values.size for values in state.values())
    assert set(state) == set(hama.HamaNetwork().state_dict())


def test_one_clip_at_a_time(model):
    with pytest.raises(ValueError, match=r"one clip of shape \(1, n\)"):
        model.network(torch.zeros(2, 1600))
