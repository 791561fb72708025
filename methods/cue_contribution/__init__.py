"""**Does the model look at the word that decides how another word is spelled?**

“Message” and “messages” sound the same in French; only the “votre” or “vos” before tells which to write. The *cue
contribution* is the share that the target takes from its cue in a layer, by attention, by norm and by value zeroing:
in the encoder from sound to sound, in cross-attention and the decoder for the states that write the target's tokens.
Beside it stand the same shares with random weights and for random stretches as long as the cue, and then the test of
consequence: the probability of the target's tokens when the cue's sound is silenced, when its tokens are replaced, and
when another cue is written in its place.

*How to read it.* A dot marks a share that at most one random stretch in twenty reaches: rank p = (1 + stretches with
as much) / (stretches + 1) ≤ .05. That takes 19 stretches that overlap neither each other nor the cue, so a short clip
has no dots; and one cell in twenty has one by chance, so their number stands beside the number that chance gives.
Stretches lie before the target, or on both sides of it where there is too little room; pauses are among them, and a
cue right before its target may have more than they for that alone. In the decoder they are runs of
text: the prompt, whose first token draws attention from everywhere, is not among them. An even spread over n words
gives 1/n for each word of the cue, except in value zeroing, which grows with a word's duration: compare that with its
random weights and stretches. If the target's probability falls when the cue is swapped in the text but not when its
sound is silenced, the decoder follows the text.

*What it cannot show.* A share says where a representation came from, not that the answer hung on it; hence the second
table. Silenced sound is unlike any recording, and in Whisper silencing a clip's loudest part lowers the floor of the
whole spectrogram. The token put in a cue's place is Whisper's <|endoftext|>, which also stands for unknown text; it
may upset the model more than the loss of the cue, so compare it with the same done to other words. Of the
starts that come from cross-attention, 6% are off by more than 0.1 s.

*Source.* Mohebbi, Chrupała, Zuidema & Alishahi, Homophone Disambiguation Reveals Patterns of Context Mixing in Speech
Transformers, EMNLP 2023 (arXiv 2310.09925).
"""

from methods.cue_contribution.analysis import SENSE, analyse
from methods.cue_contribution.figure import plot
from methods.cue_contribution.result import CueContribution, shown_stacks

__all__ = ["SENSE", "CueContribution", "analyse", "plot", "shown_stacks"]
