"""**Does the model only hear the words, or also how they are said, and where?**

The recording is changed in ways that leave its words alone: its pitch, its tempo, its level, noise, a room. After each
change the model is asked how likely it still finds what it wrote of the unchanged clip, and what it writes now. Or one
phone or word is changed by Praat: its melody flattened, its length stretched, a formant moved. Every changed recording
can be heard.

*How to read it.* The curve is the change of the log-probability against the unchanged recording, which is marked at 0.
A flat curve means that the property does not matter over that range. Loudness is a check: wav2vec 2.0's input is
scaled to one level, so its curve must be 0. Whisper's is not (20 dB shift every cell of its log-mel by half a unit),
so a flat curve is not forced by its input; look whether random weights give one too. Beside it are the share of words
that stay (1 − error rate), and the same network with random weights.

*What it cannot show.* PSOLA and linear prediction leave traces of their own: “resynthesised” shows what the method
does when it changes nothing. A steep curve says that a property matters to this sentence in this voice, not that the
model uses it to decide. Pitch that is moved by five semitones with fixed formants is a voice that nobody has. The
log-probability of a CTC string also depends on how many frames there are: with random weights that is all there is.

*Source.* Pastor, Koudounas, Attanasio, Hovy & Baralis, EACL 2024 (arXiv 2309.07733), with its grids; loudness is our
own addition. PSOLA: Moulines & Charpentier 1990, in Praat; rooms: Allen & Berkley 1979.
"""

from methods.paralinguistics.analysis import SENSE, WHOLE_CLIP, analyse
from methods.paralinguistics.figure import kept_curve, plot, response_curve
from methods.paralinguistics.properties import PROPERTIES
from methods.paralinguistics.result import Paralinguistics

__all__ = [
    "PROPERTIES",
    "SENSE",
    "WHOLE_CLIP",
    "Paralinguistics",
    "analyse",
    "kept_curve",
    "plot",
    "response_curve",
]
