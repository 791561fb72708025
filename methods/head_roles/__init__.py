"""**What is each head for: looking around itself, at fixed places, or everywhere?**

Every encoder head gets a few numbers from its attention among the clip's own frames (rows renormalised over them).
**CAD** is the area under D(r), the share of a row's attention that falls within a relative radius r; the mean distance
and the half-width that holds 90% of the mass say the same in milliseconds. *Globalness* is the entropy of a row,
*verticality* how much all rows agree on few frames, *diagonality* how near a row stays to itself; a head is named
after the one in which it stands out most among all heads of the model. *Head similarity* is the mean cosine between
two heads of a layer, and with phones the map shows from which phone to which phone a head looks.

*How to read it.* CAD is 1 on the diagonal and **2/3 for attention spread evenly**, not 1/2: at the dashed line a head
shows no locality. CAD is relative to the clip's length, so compare clips by the milliseconds. In Whisper the
cross-attention heads that OpenAI lists as aligned are marked, with the rank correlation of token and looked-at frame
(punctuation left out: it is not said). For head similarity the published order, summed over a Conformer's layers, is
attention 6.37, key 0.57, query 0.53, value 0.13 (Audhkhasi et al., dev set): expect the order, not the numbers.

*What it cannot show.* Looking is not using: a weight may sit on a value of nothing. Query, key and value spaces of a
head can be rotated without any change to the model, so their cosines mean little; the per-head outputs and the
centred scores do not depend on that choice. A name is relative to the other heads of the same model, also at random.

*Source.* CAD: Shim, Choi & Sung, ICLR 2022. Globalness, verticality, diagonality: Yang, Liu & Lee, 2020 (arXiv
2006.03265). Band: Alastruey et al., ACL SRW 2022. Similarity: Audhkhasi et al., 2022 (arXiv 2209.06096).
"""

from methods.head_roles.analysis import GAUGE_FREE, analyse
from methods.head_roles.figure import plot, radius_curve, score_curve, similarity_curve
from methods.head_roles.result import OBJECTS, HeadRoles

__all__ = [
    "GAUGE_FREE",
    "OBJECTS",
    "HeadRoles",
    "analyse",
    "plot",
    "radius_curve",
    "score_curve",
    "similarity_curve",
]
