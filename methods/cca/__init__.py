"""**How much of the sound, the phones, the words or the first layer can be found in each layer by a linear map?**

CCA looks for directions in two spaces whose values go together over the same items, and does not mind any invertible
linear map of either: it asks what is in there, where CKA asks how it is laid out. One line compares each layer with
layer 0 (CCA-intra), others with log-mel energies, phones, words or movements. PWCCA weights each direction by how much
of the smaller space it accounts for; SVCCA first drops the 1% of least variance.

*How to read it.* Fitted and scored on the same items, CCA is near 1 for noise unless items outnumber dimensions many
times: the dotted line (in sample) and the same for shuffled pairs show how much of it is an illusion. The full line is
scored on recordings that were not fitted, with a ridge chosen on others, three times (with fewer than three
recordings, on stretches of them, which know their neighbours); on shuffled pairs it is about 0 here (each recording
with another one, in order, since frames of one recording are alike whatever is compared; one alone is moved along by
half). Random weights say what the architecture keeps of the sound by itself; acoustic features are a level of their
own, drawn where they have no fewer dimensions than what is looked for (with fewer the score would flatter them).

*What it cannot show.* Words of the bundled prompts are few and repeat: CCA-word is a rough figure here. Held-out
values are lower bounds that grow with data, so compare layers, not corpora. One number hides the spectrum below it.

*Source.* Raghu et al., NeurIPS 2017 (arXiv 1706.05806) for SVCCA; Morcos, Raghu & Bengio, NeurIPS 2018 (arXiv
1806.05759) for PWCCA; Pasad, Chou & Livescu, ASRU 2021 (arXiv 2107.04734) for speech and the scoring protocol.
"""

from methods.cca.analysis import NAMES, SENSE, analyse
from methods.cca.figure import plot
from methods.cca.result import Cca, CcaControls

__all__ = ["NAMES", "SENSE", "Cca", "CcaControls", "analyse", "plot"]
