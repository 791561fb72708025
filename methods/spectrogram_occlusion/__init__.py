"""**Which patches of the spectrogram does each written word rest on?**

The spectrogram that Whisper reads is cut into small patches that follow its own edges, at three sizes. Again and
again about half of the patches are painted over with a neutral value, and the decoder is made to read its own
transcript once more. How far its next-token distribution moves away at each token (Kullback-Leibler divergence, in
nats) is the harm that this mask did. A cell's relevance for a token is the mean harm of the masks that hid it.

*How to read it.* Relevance is in standard deviations of the harm: 0 is an average cell, red is above it.
Look first at the **split-half correlation**: two maps made from half of the masks each must agree far
better than maps of chance, or the picture is noise and wants more masks. The curves say whether the map is true: take
its best cells away and the text should break sooner than with random cells or with the loudest ones. **Random
weights**: a map that correlates as much with an untrained network's map shows the sound rather than the model.
**Size** is the share of the picture that is relevant: smaller than chance's is sharp, whether or not it is true.

*What you hear.* A masked spectrogram is no sound. The players turn the hidden cells of the clip down to silence and
keep its own phase: a sound that no mask of the test had, so the model is asked again what it hears in exactly that.

*What it cannot show.* Painting over makes spectrograms that no microphone records, and the neutral value is a choice
(nothing in speech is absent; 0 is not neutral for Whisper). With few masks only coarse patches can be trusted. By
default the network reads the clip with 6 s of silence instead of its 30 s window, which is quicker and not quite the
same input; the exact window can be chosen.

*Source.* SPES: Fucci, Gaido, Savoldi, Negri, Cettolo & Bentivogli 2024 (arXiv 2411.01710). Superpixels: Achanta et
al., SLIC, IEEE TPAMI 2012.
"""

from methods.spectrogram_occlusion.analysis import SENSE, analyse
from methods.spectrogram_occlusion.figure import plot
from methods.spectrogram_occlusion.result import Level, SpectrogramOcclusion, Twin

__all__ = ["SENSE", "Level", "SpectrogramOcclusion", "Twin", "analyse", "plot"]
