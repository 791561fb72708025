"""Lessons: a question to guess at, a view to look at, and an answer whose numbers the tests compute again."""

import html
import json
from typing import NamedTuple
from urllib.parse import parse_qsl

from page.top.clip_area import FIRST_MODEL

WORDS = ("weasels", "have", "eaten", "our", "phone", "system")
WRITTEN = ("“Weasles”", *(f"“{word}”" for word in WORDS[1:]))  # by Whisper tiny.en
LAYERS = ("0 (input)", "1", "2", "3", "4")


class Mark(NamedTuple):
    """What a lesson asks about, on its picture: marked where the picture has all of it, else not mentioned."""

    said: str  # what is marked, after “Marked: ”
    cells: tuple[tuple[str, str], ...] = ()  # (row, column) as the map names them, (curve, layer), (tier, word)
    # Part of the title of the map, or of the name of the curves' vertical axis; empty: the first that fits.
    on: str = ""
    words: str = ""  # or words of the line about the run: they and the number after them are marked


class Lesson(NamedTuple):
    """One step of the path."""

    title: str
    question: str
    link: str  # the view
    answer: str
    mark: Mark


LESSONS = (
    Lesson(
        "A word listens to itself first, then opens up",
        "How much of what a word takes in comes from its own sound: in layer 1, and in layer 4? Guess two shares.",
        "?technique=value_zeroing&clip=en_f_weasels&layer=1",
        "At layer 1 of Whisper tiny.en most of a word's reliance is on its own frames (self share about .8); move the "
        "layer slider to 4 and it falls to about .6. With random weights it is 1/6 in every layer: with six words, "
        "no preference at all, only longer words weigh more.",
        Mark("what each word takes from itself", tuple(zip(WORDS, WORDS, strict=True))),
    ),
    Lesson(
        "Attention is not contribution",
        "Will a map of attention weights look like a map of what attention changes?",
        "?technique=attention&clip=en_f_weasels&layer=1",
        "Compare this map with value zeroing of the same layer: attention spreads much wider than what it changes, "
        "because weights say nothing about the size of the value that is read, nor about the residual stream.",
        Mark("how much each word looks at itself", tuple(zip(WORDS, WORDS, strict=True))),
    ),
    Lesson(
        "Some attention goes to silence that is not in your clip",
        "The clip lasts 3 s and Whisper always hears 30. How much attention falls on the silence that was added?",
        "?technique=attention&model=openai/whisper-base&clip=en_f_weasels&layer=6",
        "Whisper always hears 30 s. In the last layers of Whisper base more than a quarter of the attention falls on "
        "the padding after the clip: the status line gives the padding mass for every layer and head.",
        Mark("the share that falls on the silence, in the line above the picture", words="padding mass"),
    ),
    Lesson(
        "Heads that follow the speech",
        "Does a head of the decoder follow the speech from left to right? What would its map look like?",
        "?technique=attention&clip=en_f_weasels&stack=cross&layer=4&head=2",
        "This cross-attention head of Whisper tiny.en is on OpenAI's published list of alignment heads: tokens walk "
        "through the clip from left to right. Such heads can tell when a word is said. Try head 6, which is not "
        "on the list.",
        Mark("where the head looks while “phone” is written: at “phone”", (("our → phone", "phone"),)),
    ),
    Lesson(
        "One sound, two spellings",
        "Two French words sound alike. Where does the decoder read whether it is one message or several?",
        "?technique=value_zeroing&model=openai/whisper-base&clip=fr_f_vos_messages&stack=decoder&layer=3",
        "“Message” and “messages” sound alike in French; only “vos” says that it is plural. In layer 3 of Whisper "
        "base's decoder, “messages” takes about 43% from “vos”, in layer 6 only 2%: the cue is read in the middle.",
        Mark("what “messages” takes from “vos”", (("messages", "vos"),)),
    ),
    Lesson(
        "Phones take shape in the middle of the encoder",
        "In which layer can a linear probe tell phones best, and does it still work for other speakers?",
        "?technique=probing&target=phone",
        "A linear probe tells 34 phones with .71 accuracy from Whisper tiny.en's layer 0 and .83 from layer 3; MFCC "
        "give .46, and random weights get worse with depth. On other speakers the lowest layers fail (.18) and the "
        "upper ones do not (.74): what is learnt is not only one woman's voice.",
        Mark("layers 0 and 3 of the trained model", (("trained", "0"), ("trained", "3")), on="accuracy"),
    ),
    Lesson(
        "From the sound to the phone, to what stands beside it",
        "What does each layer hold that nothing else explains: the sound, the phone, its neighbours, or the word?",
        "?technique=encoding_probe&block=neighbours",
        "The sound alone explains .26 of the variance of Whisper tiny.en's layer 0 that nothing else can, and .03 of "
        "layer 4. What only the phone explains is most at layer 2 (.07); what only its neighbours explain comes later "
        "(.05 at layers 3 and 4), and the word last (.03 at layer 4). With random weights neither phone, neighbours "
        "nor word explain anything that the sound does not.",
        Mark(
            "where the sound, the phone, its neighbours and the word have most for themselves",
            (("acoustics", "0"), ("phone", "2"), ("neighbours", "3"), ("neighbours", "4"), ("word", "4")),
            on="unique shares, trained",
        ),
    ),
    Lesson(
        "A recogniser forgets the voice",
        "Can the pitch of a voice be read off the last block of a network that only has to name phones?",
        "?technique=acoustic_probing&target=f0&model=hama-ctc",
        "F0 can be read off the first blocks of hama-ctc with r = .96; its last block, which only has to name phones, "
        "keeps .55. Random weights keep .90 to .92 in every block, and log-mel energies alone give .94: what the "
        "first block adds to the sound is small, and what the last one lacks was forgotten in training.",
        Mark(
            "the first and the last block of the trained network",
            (("trained, held out", "0"), ("trained, held out", "4")),
        ),
    ),
    Lesson(
        "Layers that look alike because they know the time",
        "Layers 0 and 4 have a CKA of .77. Have they learnt the same?",
        "?technique=cka",
        "With the states of silence at the same positions subtracted, layers 0 and 4 of Whisper tiny.en share little "
        "(debiased CKA .33); left in, they seem akin (.77), because both say how late it is in the 30 s. Random "
        "weights give .81: a high CKA alone tells nothing of learning.",
        Mark("layer 0 beside layer 4, silence left in", (("0", "4"),), on="silence not subtracted"),
    ),
    Lesson(
        "A word is heard where it is said",
        "One word after the other is taken out of the recording. Which answer loses most, and what is written then?",
        "?technique=word_evidence&clip=en_f_weasels",
        "Take each word out of the recording: every answer loses most without its own word (the diagonal), and with "
        "random weights nothing changes. Then listen: without “weasels” the model writes “Have eaten our phone "
        "system.” But the order of importance is hardly more than length: taking away the longest words first does "
        "nearly as well (comprehensiveness 51 against 53 nats; random orders 42).",
        Mark("what each answer loses without its own word", tuple(zip(WRITTEN, WORDS, strict=True))),
    ),
    Lesson(
        "A t that is no t",
        "The dictionary has a T in “eaten”. Is one heard, and what else if not?",
        "?technique=phone_check&clip=en_f_weasels",
        "The dictionary has a T in “eaten”. Whisper tiny.en's last layer hears rather a D: the string with it fits "
        "5.9 nats better, and all of 35 native T's fit better than this one. Listen to it: Americans seldom say [t] "
        "there. Of the 24 phones, 22 beat every rival; with random weights at most 1 does. Now type “Measles have "
        "eaten our phone system” into the transcript and press Align: the M is doubted, and W named, by 33 nats.",
        Mark("the T of “eaten”", (("phones", "IY [T] AH"),)),
    ),
    Lesson(
        "A sum of phones, and what it proves",
        "Is [d] − [t] + [p] = [b], and is that something that a network has to learn?",
        "?technique=phone_arithmetic&layer=1",
        "Is [d] − [t] + [p] = [b]? Of the sums of consonants, .69 come out in Whisper tiny.en's layer 1, where "
        "guessing gets .08. That is learnt only in part: MFCC give .52, random weights .53, and [p] alone, with "
        "nothing added, .38. And offsets are consistent (.93), but no more so than with random weights (.92) or in "
        "MFCC (.94).",
        Mark("the sums that come out in layer 1", (("trained", "1"),), on="share of sums that come out"),
    ),
    Lesson(
        "A model that writes where nobody speaks",
        "What does Whisper write where nobody speaks, and what in its numbers tells that it is made up?",
        "?technique=word_confidence&model=openai/whisper-base&clip=no_speech_noise",
        "White noise, and Whisper base writes “1,5 cm”, in Norwegian. The sound adds at most 2 nats to a word, and "
        "against its own average under 1; in “Weasels” each word gets at least 2.9. Whisper tiny.en writes “You” "
        "against what it hears (−2.2). Both give no-speech over 80%, and write all the same; hama-ctc hears "
        "nothing. Little evidence is not always a mistake: in “Which folder?” the “I” is sure, and right, because "
        "the text before it is enough (+0.5).",
        Mark("what the sound adds to each word", (("evidence", "1,5"), ("evidence", "cm"))),
    ),
    Lesson(
        "A silenced word comes back from its own place alone",
        "“Weasels” is silenced. Whose clean states, put back, bring the word back?",
        "?technique=causal_tracing&clip=en_f_weasels&answer=1&corruption=silence",
        "Silence “weasels” in the recording, then put back what one layer held at one word: only “weasels” itself "
        "brings the word back (1.0 of the loss in every layer), all others at most .09. Spoil all of the sound with "
        "noise instead, ask about the whole transcript, and the same word brings back about half of it (.43 to .56).",
        Mark("what “weasels” itself brings back, in each layer", tuple((layer, "weasels") for layer in LAYERS)),
    ),
    Lesson(
        "The word is decided in the decoder's last two layers",
        "The sound is spoilt. At which token of the decoder, and in which layer, is “system” decided?",
        "?technique=causal_tracing&clip=en_f_weasels&answer=6&site=decoder%20residual",
        "In noise “system” is lost. Put clean states at single tokens of the decoder: what brings it back is the "
        "token that is read last, “phone”, from which the next word is written: .06, .48, .86 and 1 of the gap "
        "in its four layers. Layer 0 holds no sound, so nothing (0).",
        Mark("what the token “phone” brings back, in each layer", tuple((layer, "phone") for layer in LAYERS)),
    ),
    Lesson(
        "One head holds the sentence together",
        "Of 72 heads, how many can be switched off without harm, and what happens without the worst?",
        "?technique=head_ablation&clip=en_f_weasels&of=1&row=0&column=0",
        "Of the 72 heads of Whisper tiny.en 49 cost the transcript less than a nat. Without head 1 of "
        "self-attention in the decoder's first layer it loses 31, and the model writes “We we we we we our "
        "our”. With random weights no head costs a nat.",
        Mark(
            "head 1 of self-attention in the decoder's first layer", (("layer 1", "1"),), on="decoder, self-attention"
        ),
    ),
    Lesson(
        "Phones are used in the middle; at the end the loss is no news",
        "All that a linear probe can read of phones is erased from one layer. Where does the text suffer most?",
        "?technique=erasure&clip=en_f_weasels",
        "Erase phones from layer 2 of Whisper tiny.en: a probe that told .69 of the frames is at .07, the commonest "
        "phone, and the transcript loses 46 nats, where labels of other recordings cost 8 at most and random "
        "directions 2. Erased from layer 4, which the decoder reads, phones cost 8, and labels of other recordings up "
        "to 12. On recordings that nothing was fitted on a probe still tells .36.",
        Mark("without phones in layers 2 and 4", (("phone", "2"), ("phone", "4")), on="nats that the text loses"),
    ),
)


def address(number: int) -> str:
    """The link of a lesson, counted from 1: its view, with the question above it."""
    return f"{LESSONS[number - 1].link}&lesson={number}"


def banners() -> str:
    """HTML of all lessons; `ism.lesson` shows the one that the link names."""
    return "".join(_banner(number, lesson) for number, lesson in enumerate(LESSONS, 1))


def _banner(number: int, lesson: Lesson) -> str:
    before, after = (_step(number + by, text) for by, text in ((-1, "← Back"), (1, "Next →")))
    asked = html.escape(json.dumps(_asked(lesson)), quote=True)
    return (
        f'<section class="lesson" id="lesson-{number}" aria-label="Lesson {number}" data-mark="{asked}">'
        f"<h3><b>Lesson {number} of {len(LESSONS)}.</b> {html.escape(lesson.question)}</h3> "
        f'<p class="lesson-mark" hidden><i aria-hidden="true"></i>Marked: {html.escape(lesson.mark.said)}.</p>'
        "<details><summary><span>Guess first, then look: </span>the answer</summary>"
        f"<p><b>{html.escape(lesson.title)}.</b> {html.escape(lesson.answer)}"
        f'</p></details><p class="lesson-steps">{before}{after}<a data-view="" href="?">All lessons</a></p></section>'
    )


def _asked(lesson: Lesson) -> dict[str, object]:
    """What `lesson_marks.js` looks for, and on which view: another clip or model is not what was asked."""
    view = dict(parse_qsl(lesson.link.removeprefix("?")))
    asked = {name: view.get(name, usual) for name, usual in (("clip", ""), ("model", FIRST_MODEL))}
    return {"technique": view["technique"], **asked, **lesson.mark._asdict()}


def _step(number: int, text: str) -> str:
    if not 1 <= number <= len(LESSONS):
        return ""
    return f'<a href="{html.escape(address(number), quote=True)}">{text}</a>'
