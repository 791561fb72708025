"""**How much of a layer is sound, phone, neighbours, word or speaker, and how much does only one of them explain?**

Probing in the other direction: ridge regression predicts the hidden state of every phone (the mean over its frames)
from blocks of features: its *acoustics* (MFCC, also of the 100 ms before and after), which *phone* it is, its
*neighbours*, the *word*, its *place* in the word, *stress*, *speaker*, *duration*, and *time* in the clip. It is
trained on some recordings and judged on others. R² is the share of a layer's variance that all blocks explain
together; a block's **unique share** is what is lost when it alone is left out. The rest is *shared*: it can be told
from more than one block, as a phone can be told from its sound.

*How to read it.* Each layer has two bars, trained and (hatched) the same architecture with random weights: what both
have was not learnt. A block below 0 costs more by its noise than it tells; how far such noise goes shows *block in
random order*, whose rows were permuted within each recording (speakers: between recordings). MFCC in the place of
states are explained by their own block alone: every other unique share is 0 there. Bands are 95% intervals over the
recordings that were tested; how another training would differ is not in them, so that with 5 to 12 recordings they
held what others of their kind give in 81 to 85% of simulations.

*What it cannot show.* That the model uses what can be told of it. A share depends on the blocks it is measured
against: better acoustics would take more from the phone. One penalty serves all blocks, so that a large, weak block
(words) is held back; words that only one recording has cannot be told at all. Large dimensions count more, because
R² weighs each by its variance. In one voice the speaker has nothing to explain and is left out.

*Source.* Shen, Bentum, Lentz, Alishahi & Chrupała 2026, arXiv 2605.00607; variance partitioning: Borcard, Legendre &
Drapeau 1992 (doi 10.2307/1940179).
"""

from methods.encoding_probe.analysis import SENSE, analyse
from methods.encoding_probe.figure import plot
from methods.encoding_probe.result import EncodingProbe

__all__ = ["SENSE", "EncodingProbe", "analyse", "plot"]
