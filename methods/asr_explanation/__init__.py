"""**How little of the sound is enough for the same transcript?**

The clip is cut into short frames. Hundreds of times a random choice of them is silenced and the model listens again:
it passes if enough of its own words (or phones) are still there. Three rankings come of it: **SFL** (statistics of
which frames were kept when it passed, from software testing), **causal responsibility** (with how many others
silenced a part first becomes decisive, refined step by step) and **LIME** (a linear model of the similarity). From
each ranking frames are added until the transcript passes; then every frame that is not needed leaves again. What
remains can be heard.

*How to read it.* A ranking has found what the model lives on if its first set that passes is **smaller** than those
of random rankings and of the loudest frames first, a strong rival in speech. The minimal set is small after any
ranking, a random one too: it tells how little the model can do with, and whose it is says little. *Halves agree* is
the rank correlation of the scores from one half of the versions with those from the other: near 0 they are chance.
Redundancy is the share of frames that could each be missing: high where the sound says everything twice.

*What it cannot show.* There are many smallest sets, and this is one of them. Speech chopped by silence is nothing that
the model was trained on, so frames may be kept only because a gap without them sounds like another consonant. Whisper
by default reads the clip with 6 s of silence instead of its 30 s window, and may spell a word otherwise there: all is
compared with the exact window's text, and a set passes with as many right words as the whole clip has in the window
that is used. What is left in the end is heard in the exact window too, and often says less there: for sets that are
sure to be enough choose that window.

*Source.* Wu, Bell & Rajan, Explanations for automatic speech recognition, ICASSP 2023 (arXiv 2302.14062); formulas:
Ochiai, Tarantula, Zoltar, Wong-II; responsibility: Chockler & Halpern 2004.
"""

from methods.asr_explanation.analysis import SENSE, analyse
from methods.asr_explanation.figure import plot
from methods.asr_explanation.result import AsrExplanation, Explanation

__all__ = ["SENSE", "AsrExplanation", "Explanation", "analyse", "plot"]
