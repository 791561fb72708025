"""Value zeroing's gentler sister: the values of a group of keys become the clip's mean value instead of nothing.

A zero vector is unlike any value that the layer has ever read; the mean keeps what all frames have in common (an
offset of the value space, the loudness of the clip) and takes away only what is special about the group.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from methods.core.layers import Site
from methods.core.zeroing import site_distances


@dataclass(frozen=True, eq=False)
class AgainstTheMean(Site):
    """The same attention module; its contributions are measured from that of the mean value over the clip's own keys.

    Its weights and output are those of the module itself, so that value zeroing of this site takes away
    weight × (contribution - mean contribution): the values of the zeroed keys become the mean.
    """

    def taken(self, keys: torch.Tensor | slice = slice(None)) -> torch.Tensor:
        return self.value[:, keys] - self.value[:, : self.own_keys].mean(1, keepdim=True)


def mean_distances(site: Site, rows: Sequence[range], columns: Sequence[range]) -> np.ndarray:
    """(rows, columns) as `zeroing.site_distances`, but the values of a group become the mean of the clip's own values.

    The silence that Whisper appends to a clip is not in the mean. In a decoder's self-attention the mean runs over all
    tokens, later ones included; rows before the ablated token still cannot change.
    """
    return site_distances(AgainstTheMean(**vars(site)), rows, columns)
