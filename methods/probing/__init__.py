"""**Which phone, word or speaker is it? How well can a linear probe tell from each layer?**

A probe is a linear classifier that reads one layer's hidden states. It is trained on some recordings and tested on
others, so the curve says how plainly a layer shows what you ask for. Phones are asked one vector per phone (the mean
over its frames) unless you choose the centre frame or every frame.

*How to read it.* Compare the line with its controls, never with 100%. MFCC and log-mel energies are what a probe can
do without a model; random weights are the same architecture untrained; the dotted line always says the most frequent
class. On the control task each place in a word (or phone with its neighbour; none if nothing finer than the classes is
known) has an arbitrary label: accuracy there is memory, and *selectivity* (accuracy less control accuracy) is what is
left. Both are of the items whose place in a word is in training too, for nobody could know the others' labels; the
axis says how many these are. Bands are 95% intervals: a ridge probe is trained and tested anew without each tenth of
the recordings (speakers, if split by them); those of logistic probes leave the training as it was, and with fewer than
five recordings there is none; where all is right, each recording counts as one trial. Sex and language are split by
speaker if there are enough of them.

*What it cannot show.* That something can be read off does not mean that the model uses it. The bundled prompts are one
speaker, share words, and have automatic labels (about ±20 ms): the line for other speakers shows how little of the
score may carry over. A deeper layer with a lower score may hold the same in a form that is not linear.

*Source.* Alain & Bengio 2016 (arXiv 1610.01644); Hewitt & Liang, EMNLP 2019 (arXiv 1909.03368) for control tasks;
English, Kelleher & Carson-Berndsen, SIGMORPHON 2022 (doi 10.18653/v1/2022.sigmorphon-1.9) for phonetic features.
"""

from methods.probing.analysis import SENSE, analyse
from methods.probing.figure import plot
from methods.probing.result import Probing

__all__ = ["SENSE", "Probing", "analyse", "plot"]
