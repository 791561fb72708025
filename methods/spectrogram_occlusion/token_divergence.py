"""How far each token's distribution moves when something is hidden: Kullback-Leibler divergence in nats."""

import numpy as np
import torch

from methods.core.explain.rereading import Rereader
from methods.core.models.devices import beside
from methods.core.results import read_only


def divergence(whole: torch.Tensor, masked: torch.Tensor) -> np.ndarray:
    """(tokens,) Kullback-Leibler divergence of `masked` from `whole`, natural logarithms; not below 0 by rounding."""
    return (whole.exp() * (whole - masked.double())).sum(-1).clamp_min(0.0).numpy()


@torch.inference_mode()
def hidden_text(reader: Rereader) -> np.ndarray:
    """(tokens + 1, tokens) divergence of each token's distribution when one earlier token's embedding is zero."""
    text, decoder = reader.transcript, reader.model.network.model.decoder
    ids, first = beside(reader.model.network, torch.tensor([text.prompt + text.tokens])), len(text.prompt)
    states, found = reader.unchanged, np.full((len(text.tokens) + 1, len(text.tokens)), np.nan)
    with reader.model.lock:

        def tables(hidden: int | None) -> torch.Tensor:
            embedded = decoder.embed_tokens(ids).clone()
            if hidden is not None:
                embedded[0, first + hidden] = 0.0
            read = decoder(inputs_embeds=embedded, encoder_hidden_states=states, use_cache=False).last_hidden_state
            return reader.model.network.proj_out(read[0, first - 1 :]).log_softmax(-1).cpu().double()

        whole = tables(None)
        for token in range(len(text.tokens)):
            found[token + 1 :, token] = divergence(whole, tables(token))[token + 1 :]
    return read_only(found)
