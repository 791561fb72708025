"""**What does the model lose without this head?**

Each attention head is switched off alone: what it would write is replaced by nothing, or by its mean over the clip
(over the tokens in a decoder), and all else stays as it is. The number is what the transcript then loses in
log-probability, token by token; for a CTC model, the whole string of symbols. Press a head to read what the model now
writes, or name several that are off together.

*How to read it.* Red: the text becomes unlikelier without the head; blue: likelier. Most heads cost little, a few
carry the answer (colours end at the 95th percentile, numbers do not). The order *worst first* must fall faster than
random orders, or the single losses say nothing of heads together; *harmless first* shows how many can go at once. A
head that is missed at zero and not at its mean was needed for its usual size, not for its news. In the middle picture
the clearest pattern (CAD: looking at itself and its neighbours) is set against the loss. Its p is the share of
shuffles that are as far from 0: heads change places within their layers, since whole layers may go together.

*What it cannot show.* Heads stand in for each other: one that costs nothing alone may be needed when its double is
off, and one that costs much may only hold a value that the layers above expect. Zero is something no layer was
trained on. A loss is that of this text in this clip. With random weights a loss is no news that is
missed, only what any change does to an answer that was never learnt.

*Source.* Michel, Levy & Neubig, NeurIPS 2019 (arXiv 1905.10650); Voita et al., ACL 2019 (10.18653/v1/P19-1580); for
speech Shams et al., BlackboxNLP 2024 (2024.blackboxnlp-1.16) and Calm-Whisper, Interspeech 2025 (arXiv 2505.12969).
"""

from methods.head_ablation.analysis import SENSE, analyse
from methods.head_ablation.figure import diagonality_points, filling_points, limit_of, order_curves, plot
from methods.head_ablation.result import TITLES, AblationControls, HeadAblation

__all__ = [
    "SENSE",
    "TITLES",
    "AblationControls",
    "HeadAblation",
    "analyse",
    "diagonality_points",
    "filling_points",
    "limit_of",
    "order_curves",
    "plot",
]
