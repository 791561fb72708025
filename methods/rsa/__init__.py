"""**Does a layer find the same things alike as their sounds, phones, words, speakers or syntax do?**

Every pair of items (words, phones, whole recordings) gets a similarity twice: the cosine of their mean hidden states,
and a reference, such as the edit distance of their phones, the same label, shared subtrees of their parses, or how
alike they sound (MFCC aligned by dynamic time warping). RSA is the correlation of the two over all pairs.

*How to read it.* Pairs share items, and items of one recording are alike whatever is compared, so chance is what
shuffling whole *recordings* gives: the grey band holds 95% of 1,000 shuffles. With fewer than 5 recordings items are
moved along inside them too, by at most half, and what then has no partner is left out; a recording alone has only as
many shuffles as items, and nothing in it can be significant with fewer than 20. Moving along tells slow change from
relation only while a recording stays what it is: a trend, or one event, that both sides have at the same time passes
for agreement. What training adds is the distance to random weights, not to zero. MFCC and log-mel are the same without
a model. *Partial* takes out of the pairs of both sides what a straight line in the differences of duration, same or
other speaker, and likeness of sound explains; its square is the share of the remaining variance. A layer and a
reference that both follow duration in any other way still agree after it, and often significantly. *Residual* takes
duration (a cubic in its logarithm) and speaker out of each item before items are compared; what duration alone relates
is then significant in 2 to 4% of simulations, as it should be. Two sides that tell speakers apart, each in its own
way, agree after either; so where the speaker is out, recordings are shuffled within speakers, and what speakers alone
relate is significant in at most 6% (over all speakers it would be in 6 to 26%). A speaker's only recording stays in
its place there, and where speakers have so few that there are fewer than 120 orders, items are moved along as above.
Press a pair in the two matrices to hear both items.

*What it cannot show.* A correlation of similarities does not say which pairs carry it: look at the matrices. The
bundled words are few, of one speaker, and cut out by automatic alignment. Same-word pairs are rare, so the
point-biserial correlation with labels stays small even where words are told apart perfectly.

*Source.* Kriegeskorte, Mur & Bandettini 2008 (doi 10.3389/neuro.06.004.2008); Chrupała & Alishahi, ACL 2019 (arXiv
1906.01543) for strings and trees; Chrupała, Higy & Alishahi, ACL 2020 (arXiv 2004.07070) for speech; Mantel 1967;
for residuals Legendre & Anderson 1999, Freedman & Lane 1983.
"""

from methods.rsa.analysis import SENSE, analyse
from methods.rsa.figure import plot
from methods.rsa.result import KINDS, Rsa, RsaControls

__all__ = ["KINDS", "SENSE", "Rsa", "RsaControls", "analyse", "plot"]
