"""The block above an erasure for less: the silence that Whisper reads after a clip is still what it was.

Only the clip's own frames are changed. In the first block that reads them, the queries, keys and values of the other
1,350 of 1,500 positions (of a clip of 3 s) are therefore those of the unchanged run, and so is what these positions
take of each other. A softmax over own frames and silence is put together from its two parts, each weighed by the sum
of its exponentials (as Dao et al. 2022, arXiv 2205.14135, do it block by block): the same numbers up to rounding, for
a fifth of the attention and three quarters of the matrix products. In the blocks above, everything has changed.
"""

from dataclasses import dataclass
from typing import Any

import torch

from methods.core.interventions.blocks import by_head, fed_forward, joined, keys_and_values, mixed


@dataclass(frozen=True, eq=False)
class Silence:
    """What one block knows of the positions after the clip, all (1, heads, positions after it, …)."""

    block: Any
    own: int  # positions before them: the clip's own frames
    queries: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor
    taken: torch.Tensor  # what each of them takes of the others alone, (…, head dim)
    weight: torch.Tensor  # log of the sum of the exponentials of their scores, (…, 1)

    def after(self, stream: torch.Tensor) -> torch.Tensor:
        """(1, positions, dim) after the block, when `stream` is the unchanged one but for the own frames."""
        attention, own = self.block.self_attn, self.own
        read = self.block.self_attn_layer_norm(stream[:, :own])
        keys, values = keys_and_values(attention, read)
        both = (torch.cat([keys, self.keys], 2), torch.cat([values, self.values], 2))
        of_own = mixed(attention, read, *both, causal=False)
        stream = stream + joined(attention, torch.cat([of_own, self._of_silence(keys, values)], 2))
        return stream + fed_forward(self.block, stream)

    def _of_silence(self, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """(1, heads, positions after the clip, head dim) what they take of each other and of the own frames."""
        scores = self.queries @ keys.transpose(2, 3)
        whole = torch.logaddexp(self.weight, scores.logsumexp(-1, keepdim=True))
        return (self.weight - whole).exp() * self.taken + (scores - whole).exp() @ values


def silence(block: Any, stream: torch.Tensor, own: int) -> Silence:
    """Of (1, positions, dim), the unchanged run's stream that enters the block."""
    attention, read = block.self_attn, block.self_attn_layer_norm(stream[:, own:])
    queries = by_head(attention.q_proj(read) * attention.scaling, attention.num_heads)
    keys, values = keys_and_values(attention, read)
    scores = queries @ keys.transpose(2, 3)
    weight = scores.logsumexp(-1, keepdim=True)
    return Silence(block, own, queries, keys, values, (scores - weight).exp() @ values, weight)
