"""**Is [d] − [t] + [p] = [b]? Do phones that differ in the same feature differ in the same direction?**

If a layer had an axis for voicing, the step from t to d would lead from p to b. The mean state of each phone is
taken over half of the recordings; the sum of three is looked up among the means of the other half, the three phones
themselves left out. All sums are tried in which both pairs differ in one feature of the textbook, and in the same one.

*How to read it.* The curve is the share of sums whose answer is the nearest phone. Read it against every control: MFCC
of the same stretches, which get many right because voiced sounds do sound alike; random weights; the given phone alone
(p, with nothing added), because b may be the nearest neighbour of p anyway; and names dealt anew, which keeps the
clouds and breaks only which phone is which. What is above all of them was learnt, and is an offset. The band is a 95%
interval over recordings; where all is right, each recording counts as one trial.

*What it cannot show.* Consistency asks the same without looking anything up: are offsets that should be alike more
alike than those of the same four phones re-paired? On the bundled prompts random weights score as high there as
Whisper does, so that a high consistency alone shows nothing learnt. Phones of one voice and few words differ in their
neighbours too. A plane holds most of four points, not all: its share is written beside it.

*Source.* arXiv 2602.18899 (ACL 2026), which has neither random weights nor the given phone alone; the latter after
Linzen 2016, 10.18653/v1/W16-2503. Consistency: Fournier, Dupoux & Dunbar 2020, 10.18653/v1/2020.conll-1.29, with
re-paired offsets of the same four phones.
"""

from methods.phone_arithmetic.analysis import SENSE, ArithmeticAsked, analyse
from methods.phone_arithmetic.arithmetic import consistency, plane, ranks
from methods.phone_arithmetic.contrasts import KINDS, Analogy, analogies
from methods.phone_arithmetic.figure import consistency_curves, found_curves, plane_plot, plot
from methods.phone_arithmetic.result import ArithmeticControls, PhoneArithmetic

__all__ = [
    "KINDS",
    "SENSE",
    "Analogy",
    "ArithmeticAsked",
    "ArithmeticControls",
    "PhoneArithmetic",
    "analogies",
    "analyse",
    "consistency",
    "consistency_curves",
    "found_curves",
    "plane",
    "plane_plot",
    "plot",
    "ranks",
]
