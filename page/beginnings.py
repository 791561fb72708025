"""Why each view opens with what it opens with, in one line, and where another view shows the point better."""

import html
from typing import NamedTuple


class Beginning(NamedTuple):
    """What a visitor may expect of the first picture."""

    why: str
    better: str = ""  # a link to a view of another model or clip: nobody's choice is changed unasked
    named: str = ""  # and what it is called


BEGINNINGS = {
    "projection": Beginning(
        "phones by manner are a few groups that an eye can follow; 38 single phones are one menu away."
    ),
    "probing": Beginning("phones of one speaker, and the same probe on other voices beside them."),
    "acoustic_probing": Beginning(
        "F0 is in the sound itself: log-mel energies give it too, so a high score is no news."
    ),
    "encoding_probe": Beginning("four speakers: with one voice there would be no speaker to tell apart."),
    "live_probes": Beginning("the phones of this clip are known, so that one sees where a probe is right."),
    "rsa": Beginning("words, by the edit distance of their phones: there training and random weights part."),
    "cka": Beginning("one model beside itself, with the states of silence taken out and left in: they differ."),
    "cca": Beginning("all at once: downward goes what is lost of the sound, upward what is found of the words."),
    "abx": Beginning("phones of one woman: the middle layers err least, and random weights get worse with depth."),
    "discrete_units": Beginning("50 units, not many more than there are phones: a drawer could hold one phone."),
    "ctc_lens": Beginning("the last layer, where most phones are read; move the slider down to see them go."),
    "decoder_lens": Beginning(
        "your model. In Whisper tiny.en only the last layer can be read; in Whisper base, of six layers, "
        "the sentence gets likelier over the last four.",
        "?technique=decoder_lens&model=openai/whisper-base&clip=en_f_weasels",
        "See it in Whisper base",
    ),
    "two_lenses": Beginning("phones and words of one clip: the phones can be read layers before the words."),
    "continuum": Beginning("after “been” only r makes a word, before “etters” only l: context has something to tip."),
    "phone_check": Beginning("the dictionary has a T in “eaten”, and the speaker says none."),
    "phone_arithmetic": Beginning("consonants differ in voice, place and manner, so that there are sums to try."),
    "attention": Beginning(
        "the mean over heads of a middle layer; single heads are in the menu.",
        "?technique=attention&clip=en_f_weasels&stack=cross&layer=4&head=2",
        "See one head follow the speech",
    ),
    "attention_norm": Beginning("a middle layer of six different words, as in Attention: set the two side by side."),
    "value_zeroing": Beginning("six different words: the diagonal is what each takes from itself."),
    "context_mixing": Beginning("one middle layer, where attention and its norm agree and value zeroing does not."),
    "head_roles": Beginning("all heads at once: some keep to the diagonal, some look at the same few moments."),
    "cue_contribution": Beginning(
        "the first two words of your clip. A word that decides another one's spelling is in the French clips.",
        "?technique=cue_contribution&model=openai/whisper-base&clip=fr_f_vos_messages&pair=fr_f_vos_messages",
        "See “vos” decide in Whisper base",
    ),
    "attribution": Beginning("the longest word: it is known where it is said, so that one sees who finds it."),
    "word_evidence": Beginning("six different words: each should be missed most by its own answer."),
    "paralinguistics": Beginning("tempo: the words stay the same, so that a flat line means that only they count."),
    "spectrogram_occlusion": Beginning("the sentence as a whole; the menu has each word's own patches."),
    "phoneme_saliency": Beginning("the phones of this clip are known: whole ones can be kept or taken."),
    "asr_explanation": Beginning("one clear sentence: much can be taken away before a word is lost."),
    "phone_focus": Beginning("three speakers: the question is whether it is the same for every voice."),
    "word_confidence": Beginning("Whisper tiny.en misspells “weasels”, and its doubt shows it."),
    "causal_tracing": Beginning("the longest word: its own place should bring it back."),
    "head_ablation": Beginning("all heads, one after the other: few cost much."),
    "erasure": Beginning("phones: a probe can read them, and the transcript may or may not need them."),
}


def beginning(technique: str) -> str:
    """HTML of the line that a technique's view opens with."""
    told = BEGINNINGS[technique]
    link = f' <a href="{html.escape(told.better, quote=True)}">{html.escape(told.named)}</a>' if told.better else ""
    return f'<p class="quiet"><b>Why it opens like this:</b> {html.escape(told.why)}{link}</p>'
