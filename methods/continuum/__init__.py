"""**Which of two sounds does each layer hear when one turns into the other, and does the context tip the scale?**

A sound is changed step by step into another one, and every step is heard in two contexts. Three measures say how
much of sound A a layer still finds in it. The *CTC lens* takes P(A) / (P(A) + P(B)), each at its highest within the
sound, as a CTC head reads the layer. The *probe* is the probability of A by logistic regression on the layer's state,
trained on phones of the bundled prompts, never on the recordings from which the steps are made. *Nearness* is
1 − d(A) / (d(A) + d(B)), cosine distances of the state to the two ends of its own series: no head, no training.

*How to read it.* A layer that sorts sounds into categories has a steep curve; acoustics change evenly. Where a context
favours A, its whole curve lies higher: the *context effect* is the area between the two curves, positive if the first
context favours A. Listen to the steps: yours is the ear to compare with. Dashed: the same with random weights.

*What it cannot show.* A morph of spectra is a rough continuum, and a change of one formant is not how mouths go from
one vowel to another. Two contexts differ in more than the neighbouring sound: words, position, loudness. One series
has no error bar; repeat it with other recordings before you believe a small effect. A head that never gives either
sound any probability still has a share of A: look at the highest probability in the status line.

*Source.* de Heer Kloots & Zuidema, Human-like Linguistic Biases in Neural Speech Models: Phonetic Categorization and
Phonotactic Constraints in Wav2Vec2.0, Interspeech 2024 (arXiv 2407.03005); words tipping the scale: Ganong 1980
(doi 10.1037/0096-1523.6.1.110).
"""

from methods.continuum.analysis import REACH, SENSE, analyse
from methods.continuum.figure import draw_curves, draw_measure, picture_height, plot
from methods.continuum.result import MEASURES, Continuum, Measure

__all__ = [
    "MEASURES",
    "REACH",
    "SENSE",
    "Continuum",
    "Measure",
    "analyse",
    "draw_curves",
    "draw_measure",
    "picture_height",
    "plot",
]
