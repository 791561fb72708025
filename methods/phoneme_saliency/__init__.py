"""**Which phones carry the decision, and does an explanation in whole phones explain more than one in loose pixels?**

A saliency map says how much each cell of the spectrogram matters. Listeners think in speech sounds, so here the map is
gathered over phones: each phone gets one score, and the first few of them are the explanation. Whether it is true is
tested twice: by taking these phones out of the spectrogram and seeing what the model's answer loses (FF), and by
leaving nothing but them.

*What is explained.* The whole answer, one word of it, a word rather than another, the language (multilingual Whisper
models) or the class (classifiers). A contrast leaves out what speaks for both words alike, such as that there is
speech at all. A CTC model's word is found by its time, since it may spell other words than the page names.

*How to read it.* Without a good explanation much is lost; with nothing but it, little. Compare its curves only at
equal size: with the most salient single cells of the same area, with the most salient moments of the same duration,
with the loudest phones, and with random phones of the same total duration (the band). If random phones do as well,
duration explains the loss and the map explains nothing. The random-weights curve keeps the method and throws away what
was learnt.

*What it cannot show.* What takes a phone's place is a sound of its own: silence is rarely met inside a word. Phone
boundaries are right to some 20 ms, and sound of a phone lies in its neighbours too. The published study found phones
better than raw maps for detectors of synthetic speech; for other questions single cells may well lose more.

*Source.* Gupta, Ravanelli, Germain & Subakan, Phoneme Discretized Saliency Maps for Explainable Detection of
AI-Generated Voice, Interspeech 2024 (arXiv 2406.10422).
"""

from methods.phoneme_saliency.analysis import SENSE, SHARES, analyse
from methods.phoneme_saliency.figure import plot
from methods.phoneme_saliency.result import RIVALS, PhonemeSaliency, SaliencyControls

__all__ = ["RIVALS", "SENSE", "SHARES", "PhonemeSaliency", "SaliencyControls", "analyse", "plot"]
