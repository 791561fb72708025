"""Does the decoder use the order of the frames it reads? The two controls of the decoder lens that ask."""

import io
import itertools

import numpy as np
import pytest
import torch

from methods import decoder_lens
from methods.core import models
from methods.core.lenses import decoder
from page.export import downloads

# The same float32 sums in another order: errors of some eps (1.2e-7) of logits of order 10 to 30, through few layers.
ROUNDING = 5e-5


@pytest.fixture(scope="module")
def tiny_result(clip, tiny_model):
    return decoder_lens.analyse(clip, tiny_model, transcript="ab cd", language="en", random_seeds=(0, 1))


def test_the_decoder_reads_a_set(clip, tiny_model):
    """Whole states in another order are read just the same, to rounding: so that is no control for order."""
    states, own = (
        decoder.readable(tiny_model, decoder.streams(clip, tiny_model)),
        models.frame_grid(clip, tiny_model).frames,
    )
    forced = models.transcribe(clip, tiny_model, text="ab cd", language="en")
    order = torch.cat([torch.randperm(own, generator=torch.Generator().manual_seed(1)), torch.arange(own, 1500)])
    one, other = (
        decoder.forced_logprobs(tiny_model, s, forced.prompt, forced.tokens)[0] for s in (states, states[:, order])
    )
    np.testing.assert_allclose(one, other, atol=ROUNDING)


def test_shuffled_and_averaged_frames(clip, tiny_model, tiny_result):
    raw, silent = decoder.streams(clip, tiny_model), decoder.silent_streams(tiny_model)
    own = models.frame_grid(clip, tiny_model).frames
    moved = decoder_lens.shuffled(raw, silent, own)
    order = np.random.default_rng(0).permutation(own)
    for layer, frame in itertools.product(range(3), (0, 7, own - 1)):
        expected = silent[layer, frame] + raw[layer, order[frame]] - silent[layer, order[frame]]
        torch.testing.assert_close(moved[layer, frame], expected)
    assert torch.equal(moved[:, own:], raw[:, own:])  # the padding stays
    # What was moved adds up to what it was, and silence in any order is silence.
    torch.testing.assert_close(moved.sum(1), raw.sum(1), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(decoder_lens.shuffled(silent, silent, own), silent)
    read = decoder.readable(tiny_model, raw)
    even = decoder.averaged(read, own)
    np.testing.assert_allclose(even[:, 3].numpy(), read[:, :own].numpy().mean(1), atol=1e-6)
    assert even.shape == raw.shape and torch.equal(even[:, own:], read[:, own:])
    assert (even[:, :own] == even[:, :1]).all()
    # Against transformers' own decoder, which reads the last layer's states as it always does.
    forced = models.transcribe(clip, tiny_model, text="ab cd", language="en")
    ids = torch.tensor([forced.prompt + forced.tokens])
    wanted = [*forced.tokens, tiny_model.decoding.end]
    for states, found in (
        (decoder.readable(tiny_model, moved), tiny_result.controls.shuffled_logprobs),
        (even, tiny_result.controls.mean_logprobs),
    ):
        with torch.no_grad():
            given = {"encoder_outputs": (states[-1:].clone(),), "decoder_input_ids": ids}
            logits = tiny_model.network(**given).logits[0, len(forced.prompt) - 1 :]
        expected = logits.log_softmax(-1)[torch.arange(len(wanted)), wanted]
        np.testing.assert_allclose(found[-1], expected, atol=ROUNDING)
    table = tiny_result.table()[: tiny_result.logprobs.size]
    np.testing.assert_array_equal(table["shuffled_logprob"], tiny_result.controls.shuffled_logprobs.ravel())
    np.testing.assert_array_equal(table["mean_state_logprob"], tiny_result.controls.mean_logprobs.ravel())
    names = [curve.name for curve in decoder_lens.logprob_curves(tiny_result)]
    assert names == ["trained", "random encoder, 2 seeds", "hearing silence", "frames shuffled", "frames averaged"]
    with np.load(io.BytesIO(downloads.npz(tiny_result)), allow_pickle=False) as file:
        assert {"shuffled_logprobs", "mean_logprobs"} <= set(file.files)
