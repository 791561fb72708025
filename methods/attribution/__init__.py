"""**What in the sound made the model say this word, language or class?**

An attribution shares out one number, such as the log-probability of a word in the model's own transcript, among the
parts of the sound. Two kinds of method do it. Removal takes words, phones or windows of 70 ms away and looks at what
is lost: one at a time (leave one out), under a sliding window (occlusion), in random choices (LIME), or in all
choices (Shapley values). Gradients ask how the number would change if each sample, each cell of the log-mel
spectrogram or each unit of the convolutions' output changed a little; integrated gradients sum them up on the way
from silence to the clip. Such maps often disagree with each other and with the model, so each comes with its test.

*How to read it.* Positive scores speak for the target, negative ones against it, in the target's own unit. First look
at the strip below the map: does the answer go when the best pieces are taken away, faster than in random order, and
faster than by taking the loudest or the longest first? z counts standard deviations better than chance, for the area
under a curve over time: counted by pieces instead, whatever takes the longest first does well. With few pieces z
cannot grow large, so see also how many of the random orders are beaten. What stands in for the sound favours the map
that was made with it, so the order is judged a second time with something else instead. Then look at the agreement of
methods, at the same map of the clip 20 ms later, 20 ms earlier and in noise that can hardly be heard (a map that does
not survive what no listener minds is worth nothing, and random maps stay below the dashed line), and at random
weights: a map that does not change when the network forgets all it has learnt shows the sound and not the model. Then
listen to the top 10%, to what is left without it, and to as much of what is loudest.

*Heads of our own.* A published map is that of one training run. On request, five linear heads learn to tell vowels
from consonants by this model's states, each from another half of the bundled recordings; with Whisper tiny.en all are
right on some 96% of the phones in the other half. All are explained for this clip, by frames, windows, phones and
words. Where equally good heads have different maps, a map says more about its head than about the speech. Agreement
counts only where it lies above that of random maps and of heads with shuffled labels, and stays when loudness and
length are taken out.

*What it cannot show.* Speech has no natural “absent”: silence, noise and a cut give different answers, and all of them
make sounds that the model has never met. Pieces that stand in for each other get no score from leave one out. LIME and
sampled Shapley values are guesses from random choices; three other draws show how far they wander, and no interval is
given.
Whisper's log-mel is clamped relative to the clip's loudest cell, so that taking away the loudest word moves the floor
everywhere, and gradients to the waveform are zero below it. The clip-only window is another input than the 30 s that
Whisper was trained on: about ten times quicker, and not the same. Heads on one frozen network agree more readily than
networks that were trained apart.

*Source.* Simonyan et al. 2014; Smilkov et al. 2017; Sundararajan et al., ICML 2017; Ribeiro et al. 2016; Lundberg &
Lee 2017; for speech: Wu, Bell & Rajan 2024, Pastor et al. 2024, Shen et al. 2025; tests: DeYoung et al. 2020, Adebayo
et al. 2018.
"""

from methods.attribution.analysis import analyse
from methods.attribution.figure import plot
from methods.attribution.result import Attribution, AttributionControls

__all__ = ["Attribution", "AttributionControls", "analyse", "plot"]
