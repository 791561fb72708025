"""The start page: what this is, what one can ask, and lessons whose answers are known."""

import gradio as gr

from methods import TECHNIQUES
from page.contents import question

WELCOME = """## What does a speech model hear, and how does it come to its words?
Choose a clip, look inside, and check every picture against the same network with random weights: if both look alike,
the picture shows the architecture or the clip, not what the model has learnt.
"""

LESSONS = (
    (
        "A word listens to itself first, then opens up",
        "?technique=value_zeroing&clip=en_f_weasels&layer=1",
        "At layer 1 of Whisper tiny.en most of a word's reliance is on its own frames (self share about .8); move the "
        "layer slider to 4 and it falls to about .6. With random weights it is 1/6 in every layer: with six words, "
        "no preference at all, only longer words weigh more.",
    ),
    (
        "Attention is not contribution",
        "?technique=attention&clip=en_f_weasels&layer=1",
        "Compare this map with value zeroing of the same layer: attention spreads much wider than what it changes, "
        "because weights say nothing about the size of the value that is read, nor about the residual stream.",
    ),
    (
        "Some attention goes to silence that is not in your clip",
        "?technique=attention&model=openai/whisper-base&clip=en_f_weasels&layer=6",
        "Whisper always hears 30 s. In the last layers of Whisper base more than a quarter of the attention falls on "
        "the padding after the clip: the status line gives the padding mass for every layer and head.",
    ),
    (
        "Heads that follow the speech",
        "?technique=attention&clip=en_f_weasels&stack=cross&layer=4&head=2",
        "This cross-attention head of Whisper tiny.en is on OpenAI's published list of alignment heads: tokens walk "
        "through the clip from left to right. Such heads can tell when a word is said. Try head 6, which is not "
        "on the list.",
    ),
    (
        "One sound, two spellings",
        "?technique=value_zeroing&model=openai/whisper-base&clip=fr_f_vos_messages&stack=decoder&layer=3",
        "“Message” and “messages” sound alike in French; only “vos” says that it is plural. In layer 3 of Whisper "
        "base's decoder, “messages” takes about 43 % from “vos”, in layer 6 only 2 %: the cue is read in the middle.",
    ),
    (
        "Phones take shape in the middle of the encoder",
        "?technique=probing&target=phone",
        "A linear probe tells 34 phones with .71 accuracy from Whisper tiny.en's layer 0 and .83 from layer 3; MFCC "
        "give .46, and random weights get worse with depth. On other speakers the lowest layers fail (.18) and the "
        "upper ones do not (.74): what is learnt is not only one woman's voice.",
    ),
    (
        "From the sound to the phone, to what stands beside it",
        "?technique=encoding_probe&block=neighbours",
        "The sound alone explains .26 of the variance of Whisper tiny.en's layer 0 that nothing else can, and .03 of "
        "layer 4. What only the phone explains is most at layer 2 (.07); what only its neighbours explain comes later "
        "(.05 at layers 3 and 4), and the word last (.03 at layer 4). With random weights neither phone, neighbours "
        "nor word explain anything that the sound does not.",
    ),
    (
        "A recogniser forgets the voice",
        "?technique=acoustic_probing&target=f0&model=hama-ctc",
        "F0 can be read off the first blocks of hama-ctc with r = .96; its last block, which only has to name phones, "
        "keeps .55. Random weights keep .90 to .92 in every block, and log-mel energies alone give .94: what the "
        "first block adds to the sound is small, and what the last one lacks was forgotten in training.",
    ),
    (
        "Layers that look alike because they know the time",
        "?technique=cka",
        "With the states of silence at the same positions subtracted, layers 0 and 4 of Whisper tiny.en share little "
        "(debiased CKA .33); left in, they seem akin (.77), because both say how late it is in the 30 s. Random "
        "weights give .81: a high CKA alone tells nothing of learning.",
    ),
    (
        "A word is heard where it is said",
        "?technique=word_evidence&clip=en_f_weasels",
        "Take each word out of the recording: every answer loses most without its own word (the diagonal), and with "
        "random weights nothing changes. Then listen: without “weasels” the model writes “Have eaten our phone "
        "system.” But the order of importance is hardly more than length: taking away the longest words first does "
        "nearly as well (comprehensiveness 51 against 53 nats; random orders 42).",
    ),
    (
        "A t that is no t",
        "?technique=phone_check&clip=en_f_weasels",
        "The dictionary has a T in “eaten”. Whisper tiny.en's last layer hears rather a D: the string with it fits "
        "5.9 nats better, and all of 35 native T's fit better than this one. Listen to it: Americans seldom say [t] "
        "there. Of the 24 phones, 22 beat every rival; with random weights at most 1 does. Now type “Measles have "
        "eaten our phone system” into the transcript and press Align: the M is doubted, and W named, by 33 nats.",
    ),
    (
        "A sum of phones, and what it proves",
        "?technique=phone_arithmetic&layer=1",
        "Is [d] − [t] + [p] = [b]? Of the sums of consonants, .69 come out in Whisper tiny.en's layer 1, where "
        "guessing gets .08. That is learnt only in part: MFCC give .52, random weights .53, and [p] alone, with "
        "nothing added, .38. And offsets are consistent (.93), but no more so than with random weights (.92) or in "
        "MFCC (.94).",
    ),
    (
        "A model that writes where nobody speaks",
        "?technique=word_confidence&model=openai/whisper-base&clip=no_speech_noise",
        "White noise, and Whisper base writes “1,5 cm”, in Norwegian. The sound adds at most 2 nats to a word, and "
        "against its own average under 1; in “Weasels” each word gets at least 2.9. Whisper tiny.en writes “You” "
        "against what it hears (−2.2). Both give no-speech over 80 %, and write all the same; hama-ctc hears "
        "nothing. Little evidence is not always a mistake: in “Which folder?” the “I” is sure, and right, because "
        "the text before it is enough (+0.5).",
    ),
    (
        "A silenced word comes back from its own place alone",
        "?technique=causal_tracing&clip=en_f_weasels&answer=1&corruption=silence",
        "Silence “weasels” in the recording, then put back what one layer held at one word: only “weasels” itself "
        "brings the word back (1.0 of the loss in every layer), all others at most .09. Spoil all of the sound with "
        "noise instead, ask about the whole transcript, and the same word brings back about half of it (.43 to .56).",
    ),
    (
        "The word is decided in the decoder's last two layers",
        "?technique=causal_tracing&clip=en_f_weasels&answer=6&site=decoder%20residual",
        "In noise “system” is lost. Put clean states at single tokens of the decoder: what brings it back is the "
        "token that is read last, “phone”, from which the next word is written: .06, .48, .86 and 1 of the gap "
        "in its four layers. Layer 0 holds no sound, so nothing (0).",
    ),
    (
        "One head holds the sentence together",
        "?technique=head_ablation&clip=en_f_weasels&of=1&row=0&column=0",
        "Of the 72 heads of Whisper tiny.en 49 cost the transcript less than a nat. Without head 1 of "
        "self-attention in the decoder's first layer it loses 31, and the model writes “We we we we we our "
        "our”. With random weights no head costs a nat.",
    ),
    (
        "Phones are used in the middle; at the end the loss is no news",
        "?technique=erasure&clip=en_f_weasels",
        "Erase phones from layer 2 of Whisper tiny.en: a probe that told .69 of the frames is at .07, the commonest "
        "phone, and the transcript loses 46 nats, where labels of other recordings cost 8 at most and random "
        "directions 2. Erased from layer 4, which the decoder reads, phones cost 8, and labels of other recordings up "
        "to 12. On recordings that nothing was fitted on a probe still tells .36.",
    ),
)


def start_page() -> None:
    """Lay out the start page."""
    gr.Markdown(WELCOME)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            gr.Markdown("\n\n".join(map(overview, dict.fromkeys(group for group, _ in TECHNIQUES.values()))))
        with gr.Column(min_width=300):
            gr.Markdown("### Lessons with known answers\n" + "\n".join(map(_lesson, LESSONS)))
    gr.Markdown(CREDITS)


def overview(group: str) -> str:
    """The questions of one group of techniques, each a link."""
    names = [name for name, (its_group, _) in TECHNIQUES.items() if its_group == group]
    return "\n".join([f"### {group}", *map(_technique, names)])


def _technique(name: str) -> str:
    title = TECHNIQUES[name][1]
    return f"- [**{title}**](?technique={name}): {question(name)}"


def _lesson(lesson: tuple[str, str, str]) -> str:
    title, link, answer = lesson
    return f"1. [**{title}**]({link})  \n   {answer}"


CREDITS = """### Where it comes from
The programme follows the tutorial *Interpretability Techniques for Speech Models*, Interspeech 2025, and the papers
named in each tab. The formulas are implemented anew, and each is tested against an independent computation. In a
notebook the same numbers are a function call away: open “Python that makes these numbers again” under any plot."""
