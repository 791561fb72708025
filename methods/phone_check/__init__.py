"""**Which phones does the model doubt, and what did it hear instead?**

You say which phones should be there: by a transcript, which is looked up in the English dictionary, or by your own
TextGrid. A head that tells phones then says how well each fits, layer by layer. The margin of a phone is how far it
lies above its best rival, in nats: at 0 both fit alike, at −2.3 the rival is ten times as likely. Where Witt and Young
measure, a phone's log-probability is averaged over its own frames. The other form needs no times at all: it compares
the whole string with the same string in which this one phone is replaced by each other, or left out, summed over all
alignments.

*How to read it.* Never read a bare number. Some phones are hard for the head whoever says them, so each is put among
the same phones of native speakers, in recordings that the head has not been trained on. “Doubted” is a phone that
fits worse than 95 in 100 of those; where there are fewer than 20, no percentile is given. One phone in twenty of any
native speaker is doubted by that rule, so look for a doubt with a plausible rival, and listen to it. The rival ∅ means
that the string fits better without the phone. With random weights the share of phones found must be about that of
guessing. Heads of CTC name a sound in one or two frames, often not those in which it is said: with them the form
without times is the better one, which the curve of native speakers shows.

*What it cannot show.* It is no assessment of a person. The heads have learnt from little speech of few voices, the
comparison is with four readers, and an accent, a child's voice, a telephone or noise lowers the numbers as a mistake
does. The dictionary has one way to say most words; whoever says another, rightly, is doubted.

*Source.* Goodness of pronunciation: Witt & Young, Speech Communication 30, 2000, 10.1016/S0167-6393(99)00044-8.
Without times, for CTC: Cao, Fan, Svendsen & Salvi 2025, arXiv 2507.16838; here the best other string is compared, not
the sum of all, so that it has a name. CTC: Graves et al. 2006, 10.1145/1143844.1143891.
"""

from methods.phone_check.analysis import analyse
from methods.phone_check.figure import found_curves, native_quantiles, phone_marks, plot
from methods.phone_check.replaced import likelihoods
from methods.phone_check.result import (
    DOUBTED,
    FEWEST,
    FORMS,
    NOTHING,
    Form,
    NativePhones,
    PhoneCheck,
    PhoneControls,
    margins,
)

__all__ = [
    "DOUBTED",
    "FEWEST",
    "FORMS",
    "NOTHING",
    "Form",
    "NativePhones",
    "PhoneCheck",
    "PhoneControls",
    "analyse",
    "found_curves",
    "likelihoods",
    "margins",
    "native_quantiles",
    "phone_marks",
    "plot",
]
