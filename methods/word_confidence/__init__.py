"""**Is the model sure of each word, and does it listen or guess?**

A model that writes gives every piece of text a probability. High or low, that says how sure it is, not why: a fluent
guess can be sure of itself. So each piece is read twice more without the sound. *Evidence from the sound* is what
hearing adds, in nats: the logarithm of the piece's probability, less the same after the same text when the decoder
reads the states of digital silence, or the clip's own states averaged over all of its frames.

*How to read it.* Evidence of 5 nats makes a piece 150 times as likely as without the sound: the model listens. Around
0 the text before would have been enough: a guess, right or wrong. Below 0 it writes against what it hears. The two
baselines differ, and both are shown: silence takes away voice and words, the average only their order in time. Entropy
(bits) is how wide the choice was: 1 bit is a toss between two pieces, 5 bits among 32. Compare with the same network
with random weights, whose evidence is about 0. Models with a CTC head write no text piece by piece: there a symbol's
probability is what the head gives it at its frames, weighted over all paths that spell the text (forward-backward);
its rivals are the other labels at those same frames, the blank (“nothing new”) among them.

*What it cannot show.* Probability is the model's own opinion, and models are often too sure. Evidence tells that the
sound spoke for a word, not that the word is right. Probabilities are those before the decoding rules: Whisper forbids
some tokens, so that what it writes need not be the likeliest. The no-speech probability is no safeguard: models write
words over noise.

*Source.* Entropies and alternatives after arXiv 2509.25516 (EMNLP 2025); hallucination: Calm-Whisper, 2025, arXiv
2505.12969; paths of a CTC head: Graves et al. 2006, 10.1145/1143844.1143891.
"""

from methods.word_confidence.analysis import analyse
from methods.word_confidence.by_ctc import NothingHeardError
from methods.word_confidence.ctc_paths import occupancy
from methods.word_confidence.figure import evidence_bars, plot
from methods.word_confidence.result import (
    BASELINES,
    LEAST_EVIDENCE,
    Baseline,
    SureWord,
    WordConfidence,
    WordConfidenceControls,
)

__all__ = [
    "BASELINES",
    "LEAST_EVIDENCE",
    "Baseline",
    "NothingHeardError",
    "SureWord",
    "WordConfidence",
    "WordConfidenceControls",
    "analyse",
    "evidence_bars",
    "occupancy",
    "plot",
]
