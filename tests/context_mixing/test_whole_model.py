"""The whole model's rollout: the three stacks' own maps, one large matrix multiplied plainly, and known lengths."""

import io

import numpy as np
import pytest
import torch

from methods import context_mixing
from methods.context_mixing import three_scores, whole_model
from methods.context_mixing.rollout import rollout
from methods.core import mixing
from methods.core.errors import UserError
from methods.core.mixing import norms
from methods.core.models import decoder_states, encoder_states, load_model, transcribe
from page.export import downloads

# Products of a few dozen row-stochastic matrices in float64: some eps (2.2e-16) per term.
EXACT = {"rtol": 1e-11, "atol": 1e-13}
OPTIONS = {"transcript": "ab cd", "language": "en", "random_seeds": (0, 1)}


@pytest.fixture(scope="module")
def whole(clip, tiny_model, segments):
    return context_mixing.analyse(clip, tiny_model, segments=segments, stack="whole", **OPTIONS)


def test_the_maps_are_those_of_each_stack(clip, tiny_model, segments, whole):
    for stack in mixing.STACKS:
        single = context_mixing.analyse(clip, tiny_model, segments=segments, stack=stack, **OPTIONS)
        for number, score in enumerate(three_scores.SCORES):
            np.testing.assert_array_equal(getattr(whole, stack)[number], getattr(single, score))
            np.testing.assert_array_equal(getattr(whole.random[1], stack)[number], getattr(single.random[1], score))
        np.testing.assert_array_equal(getattr(whole, f"{stack}_ratio"), single.ratio)


def shares(matrix):
    return matrix / matrix.sum(-1, keepdims=True)


def one_large_matrix(whole, score, per_frame, kept):
    """Text and sound in one state; every attention is a square matrix over both. `kept`: rows that a stack keeps."""
    number = tuple(three_scores.SCORES).index(score)
    lengths = whole.frames if per_frame else 1.0
    n, t = len(whole.labels), len(whole.tokens)
    holds_it = score == "zeroing"
    state = np.eye(t + n)
    for layer, maps in enumerate(whole.encoder[number] / lengths):
        step = np.eye(t + n)
        keep = np.zeros(n) if holds_it else kept["encoder"][layer]
        step[t:, t:] = np.diag(keep) + (1 - keep)[:, None] * shares(maps)
        state = step @ state
    found = []
    for layer in range(whole.layers):
        first, second = np.eye(t + n), np.eye(t + n)
        keep = np.zeros(t) if holds_it else kept["decoder"][layer]
        first[:t, :t] = np.diag(keep) + (1 - keep)[:, None] * shares(whole.decoder[number, layer])
        keep = kept["cross"][layer]
        second[:t, :t] = np.diag(keep)
        second[:t, t:] = (1 - keep)[:, None] * shares(whole.cross[number, layer] / lengths)
        state = second @ first @ state
        found.append(state[:t])
    return np.stack(found)


@pytest.mark.parametrize("score", three_scores.SCORES)
@pytest.mark.parametrize("kept", [0.5, 0.2, "measured"])
@pytest.mark.parametrize("per", ["published", "frame", "mass"])
def test_it_is_the_rollout_of_one_large_matrix(whole, score, kept, per):
    per_frame = per == "frame" or (per == "published" and score != "zeroing")
    rows = {stack: 1 - getattr(whole, f"{stack}_ratio") for stack in mixing.STACKS}
    if kept != "measured":
        rows = {stack: np.full_like(values, kept) for stack, values in rows.items()}
    expected = one_large_matrix(whole, score, per_frame, rows)
    found = whole.rollout(score, per=per, kept=kept)
    np.testing.assert_allclose(np.concatenate([found.text, found.sound], -1), expected, **EXACT)
    np.testing.assert_allclose(found.text.sum(-1) + found.sound.sum(-1), 1, **EXACT)
    assert (found.text[:, ~np.tri(len(whole.tokens), dtype=bool)] == 0).all()


def test_with_a_half_the_sounds_part_says_nothing_about_the_model(whole):
    """1 - 1/2ˡ after layer l, in the trained network and in the random ones: methods.md B5's arbitrary residual."""
    for part in (whole, *whole.random):
        for values in part.curves("heard").values():
            np.testing.assert_allclose(values, 1 - 0.5 ** np.arange(1, 3), **EXACT)
    measured = [part.curves("heard", kept="measured")["Attention"] for part in (whole, whole.random[0])]
    assert np.abs(measured[0] - measured[1]).max() > 0.01
    # Nothing kept past cross-attention: all is sound; all kept: none is.
    assert (whole.rollout("norm", kept=0.0).text == 0).all()
    assert (whole.rollout("norm", kept=1.0).sound == 0).all()


def test_measured_ratios_are_lengths_of_vectors(clip, tiny_model, whole):
    """The library's own modules: what comes out of an attention module, less its bias, and what it is added to."""
    ids = torch.tensor([transcribe(clip, tiny_model, text="ab cd", language="en").ids])
    network, seen = tiny_model.network, {}
    stacks = {"encoder": network.model.encoder.layers, "decoder": network.model.decoder.layers}

    def keep(key, bias):
        def hook(_module, _args, output):
            seen[key] = (output[0] if isinstance(output, tuple) else output)[0] - bias

        return hook

    handles = [
        layer.self_attn.register_forward_hook(keep((stack, i), layer.self_attn.out_proj.bias))
        for stack, layers in stacks.items()
        for i, layer in enumerate(layers)
    ]
    features = tiny_model.front_end(clip.samples, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.no_grad():
        output = network(features, decoder_input_ids=ids, output_hidden_states=True, use_cache=False)
    for handle in handles:
        handle.remove()
    spans = [range(11), range(11, 15), range(25, 48), range(48, 65)]
    hidden = {"encoder": output.encoder_hidden_states, "decoder": output.decoder_hidden_states}
    for (stack, layer), added in seen.items():
        kept = hidden[stack][layer][0]
        ratio = (added.norm(dim=-1) / (added.norm(dim=-1) + kept.norm(dim=-1))).numpy()
        expected = [ratio[span.start : span.stop].mean() for span in spans] if stack == "encoder" else ratio
        # Single precision, and the whole window where we compute the clip's own rows: 1e-6 relative.
        np.testing.assert_allclose(getattr(whole, f"{stack}_ratio")[layer], expected, rtol=1e-5)
    states = decoder_states(clip, tiny_model, tuple(ids[0].tolist()))
    for layer, site in enumerate(states.cross_sites):  # across stacks it is Kobayashi's mixing ratio
        np.testing.assert_allclose(whole.cross_ratio[layer], norms.mixing_ratio(site).numpy(), rtol=1e-6)


def test_measured_rollout_of_one_stack(clip, tiny_model, segments):
    result = context_mixing.analyse(clip, tiny_model, segments=segments, **OPTIONS)
    kept = 1 - result.ratio
    first = kept[0][:, None] * np.eye(4) + result.ratio[0][:, None] * result.shares("attention")[0]
    np.testing.assert_allclose(result.rollout("attention", kept="measured")[0], first, **EXACT)
    np.testing.assert_array_equal(result.rollout("zeroing", kept="measured"), rollout(result.zeroing, residual=False))
    np.testing.assert_array_equal(result.rollout("norm", kept=1.0), np.broadcast_to(np.eye(4), (2, 4, 4)))
    site = encoder_states(clip, tiny_model).sites[0]
    assert three_scores.added_share(site, [range(65)], site.weights()) == pytest.approx(
        np.average(result.ratio[0], weights=result.frames), abs=0.1
    )


def test_table_and_downloads_hold_every_share(whole):
    table = whole.table()
    n, t, layers = len(whole.labels), len(whole.tokens), whole.layers
    assert len(table) == layers * t * (n + t) and table.columns.is_unique
    rows = table.groupby(["layer", "row_index"])[["norm_share", "norm_share_measured", "random_1_zeroing_share"]].sum()
    np.testing.assert_allclose(rows, 1, **EXACT)
    sound = table[table["source"] == "sound"]
    np.testing.assert_array_equal(sound["zeroing_share"], whole.sound[2].ravel())
    assert set(sound["column"]) == set(whole.labels) and sound["column_start_s"].notna().all()
    assert len(whole.by_layer()) == 3 * layers
    with np.load(io.BytesIO(downloads.npz(whole)), allow_pickle=False) as file:
        assert file["random_sound"].shape == (2, 3, layers, t, n)
        np.testing.assert_array_equal(file["text"], whole.text)


@pytest.mark.parametrize("source", ["sound", "text"])
def test_figure_shows_what_the_next_token_comes_from(whole, source):
    views = context_mixing.views(whole, layer=2, source=source)
    shown = getattr(whole.rollout("norm"), source)[1, whole.prompt - 1 :, whole.prompt * (source == "text") :]
    np.testing.assert_array_equal(views["norm"].values, shown)
    assert len({view.top for view in views.values()}) == 1
    assert views["norm"].rows[0].label == f"→ {whole.tokens[whole.prompt]}"
    figure = context_mixing.plot(whole, layer=2, source=source, kept="measured")
    maps = [ax.collections[0] for ax in figure.axes[:6]]
    assert len({mesh.get_clim() for mesh in maps}) == 1 and "random weights" in figure.axes[3].get_title()
    assert len([ax for ax in figure.axes if ax.get_xlabel() == "layer"]) == len(whole_model.PANELS)


def test_what_cannot_be_rolled_out_is_a_sentence(clip, segments, whole):
    with pytest.raises(UserError, match="has no decoder"):
        context_mixing.analyse(clip, load_model("hama-ctc"), segments=segments, stack="whole")
    for kept in (-0.1, 1.5, "half", float("nan")):
        with pytest.raises(UserError, match=r"from 0 to 1|cannot be"):
            context_mixing.views(whole, kept=kept)
    with pytest.raises(UserError, match="“sea”"):
        context_mixing.views(whole, source="sea")
