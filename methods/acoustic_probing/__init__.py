"""**How high is the voice, where are its formants, where is the tongue? Can a linear probe tell from each layer?**

Ridge regression reads a number off each layer: F0, the first three formants, intensity, the duration of a phone, or
the positions of tongue, lips and jaw. It is trained on some recordings and tested on others; the score is Pearson's r
between what it says and what was measured.

*How to read it.* MFCC and log-mel energies are what can be read without a model, random weights are the same
architecture untrained, and the *shifted* line trains on targets moved by half a recording: what is left of it comes
for nothing. A score on the training recordings far above the other one means too little data. Bands are 95% intervals:
probes are trained and tested anew without each tenth of the recordings; with fewer than five there is none, and with 5
to 20 that differ much among themselves they held the truth in 88 to 92% of simulations. Acoustic targets are usually
plainest in low layers and fade towards the output, which no longer needs them.

*What it cannot show.* The bundled movements are synthetic: VocalTractLab's model vocal tract speaking random
syllables, not people. They show the method and its controls. For people, bring EMA files of your own; what a probe
learnt from the synthetic set is no measure of theirs. F0, formants and intensity are Praat's estimates; a frame
without a voice has no F0, and digital silence no intensity.

*Source.* Cho, Wu, Mohamed & Anumanchipalli, ICASSP 2023 (arXiv 2210.11723) for articulation; Birkholz 2013
(doi 10.1371/journal.pone.0060603) for VocalTractLab; Boersma & Weenink, Praat.
"""

from methods.acoustic_probing.analysis import SENSE, analyse
from methods.acoustic_probing.figure import plot
from methods.acoustic_probing.result import AcousticProbing

__all__ = ["SENSE", "AcousticProbing", "analyse", "plot"]
