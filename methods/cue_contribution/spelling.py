"""How likely does a decoder find a spelling, before one sound? Asked many times: with other text, other spellings."""

from collections.abc import Sequence

import numpy as np
import torch

from methods.core.models.devices import beside
from methods.core.models.speech_model import SpeechModel


class SpellingScorer:
    """A decoder before one sound. What its cross-attention reads is projected once, and that is most of a pass."""

    def __init__(self, model: SpeechModel, output: torch.Tensor) -> None:
        self.model, self.output, self.heard = model, beside(model.network, output), None

    @torch.inference_mode()
    def logprobs(self, before: Sequence[int], spelling: Sequence[int]) -> np.ndarray:
        """(tokens,) natural log-probability of each token of a spelling after the ids `before`, teacher-forced."""
        with self.model.lock:
            logits = self._logits((*before, *spelling))
        rows = logits[len(before) - 1 : -1].log_softmax(-1)
        return rows.cpu().gather(1, torch.tensor(spelling)[:, None])[:, 0].double().numpy()

    def spelled(self, before: Sequence[int], spelling: Sequence[int]) -> tuple[float, float]:
        """Natural log-probability of a whole spelling, and the mean probability of its tokens."""
        logs = self.logprobs(before, spelling)
        return float(logs.sum()), float(np.exp(logs).mean())

    def _logits(self, ids: Sequence[int]) -> torch.Tensor:
        network, known = self.model.network, self.heard
        # The library's cache of both attentions, the text's part empty again.
        past = known and type(known)(type(known.self_attention_cache)(), known.cross_attention_cache)
        asked = {"encoder_hidden_states": self.output, "past_key_values": past, "use_cache": True}
        read = network.model.decoder(input_ids=beside(network, torch.tensor([ids])), **asked)
        self.heard = read.past_key_values
        return network.proj_out(read.last_hidden_state)[0]
