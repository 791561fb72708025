"""**Where does each layer look to recognise a phone, and is that the same for every voice?**

For each phone, the gradient of its log-probability, read off a layer at the phone's own frames, is followed back to
the spectrogram. Focus is the share of that gradient which lies inside the phone's own interval; the rest lies in its
neighbours, by their distance, or further away. Speakers, accents or any other groups of recordings are compared layer
by layer, on the same phones; accents and groups are those that a column of that name in your own corpus's `index.csv`
tells.

*How to read it.* At the convolutions nearly all must lie in the phone itself: they hear no further than some tens of
milliseconds. Higher up, a falling focus means that context is used. Dotted is an even spread over the recording, which
long phones in short recordings raise; orange is the same network with random weights, which shows how far the
architecture alone spreads a gradient. A group whose focus differs is heard with more, or less, context. Bars are
standard errors over recordings, whose phones are alike (no bar: a single one); how other speakers would differ is not
in them.

*What it cannot show.* Two speakers are two voices, two microphones and two accents at once: with one speaker in a
group, an accent cannot be told from a person. In a longer recording a gradient has more places to lie elsewhere, so
compare groups of equally long ones (the status line has their lengths). A gradient is the effect of a tiny change,
not of taking the phone away. Heads on lower layers read what is linearly there; where they recognise little, their
gradient explains little.

*Source.* Prasad & Jyothi, How Accents Confound: Probing for Accent Information in End-to-End Speech Recognition
Systems, ACL 2020. There the network was DeepSpeech 2 and the groups were seven accents of English.
"""

from methods.phone_focus.analysis import OWN_GROUPS, SENSE, analyse, chosen_items
from methods.phone_focus.figure import focus_curves, neighbour_bars, plot
from methods.phone_focus.result import REACH, PhoneFocus

__all__ = [
    "OWN_GROUPS",
    "REACH",
    "SENSE",
    "PhoneFocus",
    "analyse",
    "chosen_items",
    "focus_curves",
    "neighbour_bars",
    "plot",
]
