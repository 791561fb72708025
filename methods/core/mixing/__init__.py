"""Context mixing: what attention, attention norms and value zeroing share.

Each of them asks, within one layer, how much position i takes from position j. Here is the passage that they all look
at (a clip, its segments, the tokens that the decoder is teacher-forced on), the random-weights controls beside every
result, and the view that both the page and the figures draw.
"""

from methods.core.mixing.passage import (
    STACK_TITLES,
    STACKS,
    Asked,
    Passage,
    checked_layer,
    checked_size,
    heard,
    passage,
    possible_layers,
    possible_stacks,
    single_frames,
    twin,
    with_controls,
)
from methods.core.mixing.result import (
    MixingMap,
    MixingResult,
    Place,
    first_writer,
    labels,
    origin,
    required,
    row_shares,
    self_share,
    table,
)
from methods.core.mixing.view import View, build_view

__all__ = [
    "STACKS",
    "STACK_TITLES",
    "Asked",
    "MixingMap",
    "MixingResult",
    "Passage",
    "Place",
    "View",
    "build_view",
    "checked_layer",
    "checked_size",
    "first_writer",
    "heard",
    "labels",
    "origin",
    "passage",
    "possible_layers",
    "possible_stacks",
    "required",
    "row_shares",
    "self_share",
    "single_frames",
    "table",
    "twin",
    "with_controls",
]
