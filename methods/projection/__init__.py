"""**What does a layer look like? Which sounds lie near each other when it is squeezed into a plane?**

Each point is one phone, vowel, word or frame of the recordings, at the place that a projection gives to its hidden
state. Press a point to hear it. Colour is its label, shape its speaker. Play moves through the layers; each map is
turned towards the one before, because only distances mean anything, not where up is.

*How to read it.* Look at the numbers beside the map before believing it. *Trustworthiness* tells whether points that
are neighbours on the map are neighbours in the full space (1: all). *Neighbours* is the share of a point's ten nearest
that have its label, in the plane and in the full space, against chance, MFCC and random weights. A phone's frames are
each other's neighbours because it lasts: for frames, chance is what the labels of whole phones would give, dealt out
anew among phones of about as many points, in each space and over all recordings (what is alike in one counts). LDA has
seen the labels: it learns from half of the recordings (of each label, where a recording has only one; else of each
speaker) and shows the others, and its accuracy, on labels that it has learnt, stands beside that of an LDA of shuffled
labels. For vowels, arrows show where F1 (opener mouth) and F2 (tongue further forward) rise, with how much of them the
plane explains.

*What it cannot show.* Sizes of clusters and gaps between them mean nothing in t-SNE and UMAP. Visible clusters are no
proof of learning language: look at the same map with random weights, and of MFCC. A plane holds only part of the
variance (given for PCA and classical MDS), and with several speakers the first axis often is the speaker.

*Source.* Dieck et al., Interspeech 2022, 5130–5134, and Choi & Yeo 2022 (arXiv 2210.15386) for vowels; van der Maaten
& Hinton, JMLR 2008; McInnes et al. 2018 (arXiv 1802.03426); Venna & Kaski 2001 for trustworthiness.
"""

from methods.projection.analysis import SENSE, analyse
from methods.projection.figure import plot
from methods.projection.result import Projection

__all__ = ["SENSE", "Projection", "analyse", "plot"]
