"""Word and phone times on real speech, against times that were compared with hand labels."""

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest

from methods.core.alignment.forced import forced_alignment
from methods.core.alignment.textgrid import read_textgrid
from methods.core.audio import Clip, load_clip
from methods.core.frames import AlignmentError
from methods.core.speech import pronunciation

EXAMPLES = Path(__file__).parents[3] / "examples_audio"
WEASELS = EXAMPLES / "cc-by-sa-3.0" / "en_f_weasels.wav"
ILL_DISPOSED = EXAMPLES / "public-domain" / "en_m_illdisposed.wav"
NOISY = EXAMPLES / "cc-by-sa-3.0" / "en_f_weasels_noisy_5dB.wav"

# s, from the alignment that was compared with hand labels (mean difference 19 ms) when the clips were chosen.
WEASEL_STARTS = {"Weasels": 0.10, "have": 0.89, "eaten": 1.23, "our": 1.56, "phone": 1.70, "system": 2.10}
ILL_DISPOSED_STARTS = {
    "He": 0.21, "was": 0.34, "not": 0.56, "an": 1.13, "ill-disposed": 1.30, "young": 2.11, "man": 2.34,
}  # fmt: skip
CLOSE = 0.03  # s: three of pocketsphinx's frames, for another padding or another noise

ARPABET = set(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()  # noqa: SIM905
)


@pytest.mark.parametrize(
    ("path", "transcript", "starts"),
    [
        (WEASELS, "Weasels have eaten our phone system.", WEASEL_STARTS),
        (ILL_DISPOSED, "He was not an ill-disposed young man.", ILL_DISPOSED_STARTS),
    ],
    ids=["weasels", "ill-disposed"],
)
def test_real_words_begin_where_they_should(path, transcript, starts):
    clip = load_clip(path)
    alignment = forced_alignment(clip, transcript)
    assert [w.label for w in alignment.words] == list(starts)
    np.testing.assert_allclose([w.start for w in alignment.words], list(starts.values()), rtol=0, atol=CLOSE)
    assert all(a.end <= b.start for a, b in itertools.pairwise(alignment.words))
    assert all(a.end <= b.start for a, b in itertools.pairwise(alignment.phones))
    assert alignment.words[-1].end <= clip.seconds
    assert {p.label for p in alignment.phones} <= ARPABET
    assert alignment.phones[0].start == alignment.words[0].start
    assert alignment.phones[-1].end == alignment.words[-1].end


def test_the_alignments_shipped_with_the_examples_are_ours():
    clip = load_clip(WEASELS)
    shipped = read_textgrid(WEASELS.with_suffix(".TextGrid").read_bytes(), seconds=clip.seconds)
    ours = forced_alignment(clip, "weasels have eaten our phone system")
    assert [p.label for p in ours.phones] == [p.label for p in shipped["phones"]]
    np.testing.assert_allclose(
        [p.start for p in ours.phones], [p.start for p in shipped["phones"]], rtol=0, atol=CLOSE
    )


def test_a_number_is_one_segment_and_a_guess_is_noted():
    alignment = forced_alignment(load_clip(WEASELS), "Weezells have eaten our phone system")
    assert alignment.words[0].label == "Weezells"
    assert alignment.words[0].start == pytest.approx(WEASEL_STARTS["Weasels"], abs=CLOSE)
    assert any(note.startswith("pronunciation of “weezells” guessed: W") for note in alignment.notes)
    again = forced_alignment(load_clip(WEASELS), "Weezells have eaten our phone system")
    assert again == alignment  # the guess of one run is not a known word of the next


def test_spelled_numbers_are_one_segment_each():
    digits = EXAMPLES / "cc-by-sa-3.0" / "en_f_digits_3_1_4_1_5.wav"
    alignment = forced_alignment(load_clip(digits), "3.1 4 1 5")  # "point" is not said, but nothing else would hold it
    assert [w.label for w in alignment.words] == ["3.1", "4", "1", "5"]
    assert "“3.1” was read as “three point one”" in alignment.notes


def test_a_clip_that_begins_abruptly_is_aligned():
    clip = load_clip(WEASELS)
    cut = Clip(np.concatenate([np.zeros(160, np.float32), clip.samples[3200:]]), "cut")
    alignment = forced_alignment(cut, "weasels have eaten our phone system")
    assert alignment.words[1].start == pytest.approx(WEASEL_STARTS["have"] - 0.19, abs=CLOSE)
    assert alignment.words[0].start >= 0


@pytest.mark.parametrize(
    ("transcript", "complaint"),
    [
        ("please enter a new extension followed by pound", "No alignment was found.*cross-attention.*TextGrid"),
        ("weasels " * 40, "No alignment was found"),
        ("weasels слово", "“слово” is not in the English dictionary.*respell"),
        (" … [noise]", "holds no word"),
        ("a" * 2001, "2001 characters"),
    ],
)
def test_what_cannot_be_aligned_is_explained(transcript, complaint):
    with pytest.raises(AlignmentError, match=complaint):
        forced_alignment(load_clip(WEASELS), transcript)


def test_heavy_noise_is_reported_and_not_guessed_at():
    with pytest.raises(AlignmentError, match="too much noise"):
        forced_alignment(load_clip(NOISY), "Weasels have eaten our phone system.")


def test_without_letter_to_sound_an_unknown_word_is_named(monkeypatch):
    monkeypatch.setattr(pronunciation, "_letter_to_sound", lambda: None)
    pronunciation.guessed_phones.cache_clear()
    with pytest.raises(AlignmentError, match="“Weasley” is not in the English dictionary"):
        forced_alignment(load_clip(WEASELS), "Weasley have eaten")
    pronunciation.guessed_phones.cache_clear()


def test_threads_do_not_disturb_each_other():
    jobs = [
        (WEASELS, "weasels have eaten our phone system"),
        (ILL_DISPOSED, "he was not an ill disposed young man"),
    ] * 3
    clips = [(load_clip(path), text) for path, text in jobs]
    alone = [forced_alignment(*job) for job in clips[:2]] * 3
    together = [None] * len(clips)

    def work(i: int) -> None:
        together[i] = forced_alignment(*clips[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(clips))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone
