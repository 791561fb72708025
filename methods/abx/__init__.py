"""**Does X sound more like A or like B? How well does each layer keep two categories apart?**

A and X are two tokens of one category, say of /iy/, and B is of another, /ih/. The layer errs if it puts X nearer to
B. No classifier is trained: only distances between the states count. Chance is 50%.

*How to read it.* Lower is better. Compare the curve with MFCC (what the sound itself gives away) and with random
weights. *Within* takes all three from one speaker, *across* takes X from another one, and *against* sets the two
against each other: A is the right category by another speaker, B the wrong one by X's own, so errors above 50% mean
that the layer hears who before what. Press a cell of the table to hear A, B and X. Three tokens of one recording would
make it too easy: X is always from another recording than A and B where there is more than one. Bands are 95% intervals
from leaving out tenths of the recordings (none with fewer than five; where no error is made, as wide as if each
recording were one trial).

*What it cannot show.* A layer that keeps categories apart need not use them. Vectors averaged over a phone lose its
course (try the aligned frames). Without equal neighbours, part of what tells two phones apart is their context, which
the states hold as well. Labels are automatic (about ±20 ms). Published scores of other corpora hold triphone contexts
and thousands of tokens, and are not comparable with these.

*Source.* Schatz et al., Interspeech 2013, 1781–1785; Schatz 2016 (hal tel-01407461); fastabx: Poli, Chemla & Dupoux
2025 (arXiv 2505.02692), whose conventions are kept; same and different words: Carlin et al., Interspeech 2011.
"""

from methods.abx.analysis import SENSE, analyse
from methods.abx.figure import plot
from methods.abx.result import Abx

__all__ = ["SENSE", "Abx", "analyse", "plot"]
