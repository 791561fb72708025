"""Which tier holds the words, which the phones, and what is silence: one rule for the page and for corpora."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from methods.core.frames import Segment, without_overlap

# Labels of silence and of noise that is no speech, of MFA, HTK and P2FA, WebMAUS, TIMIT and hand work. No word of a
# language is among them: people say “pause” and “silence”.
SILENCES = {
    *("", "sil", "sp", "spn", "ssil", "<sil>", "<sp>", "<spn>", "<eps>", "<p:>", "<p>", "<pause>", "<silence>"),
    *("#", "##", "_", "pau", "(pause)", "(.)", "(..)", "(...)", "h#"),
}
MAUS = ("ort-mau", "mau")  # whole names only: WebMAUS also writes KAN-MAU, which is neither
# The first one that there is and that has labels. English, French, German, Spanish, Italian, Dutch.
WORD_TIERS = (
    *("words", "word", "mots", "mot", "ort-mau", "wörter", "wort", "palabras", "palabra", "parole", "parola"),
    *("woorden", "woord", "orthography", "ortho", "ort"),
)
PHONE_TIERS = (
    *("phones", "phone", "phonemes", "phoneme", "segments", "segment", "mau", "phons", "phonèmes", "phonème"),
    *("laute", "laut", "phon", "fonemas", "fonema", "fonemi", "fonos", "klanken", "klank"),
)


@dataclass(frozen=True)
class ChosenTiers:
    """A TextGrid's words and phones without silences, and the names of the tiers that they came from."""

    words: tuple[Segment, ...] = ()
    phones: tuple[Segment, ...] = ()
    word_tier: str | None = None
    phone_tier: str | None = None


def chosen(tiers: Mapping[str, Sequence[Segment]]) -> ChosenTiers:
    """The words and phones among these tiers, by name."""
    words, phones = named(tiers, WORD_TIERS), named(tiers, PHONE_TIERS)
    return ChosenTiers(
        spoken(tiers[words]) if words is not None else (),
        spoken(tiers[phones]) if phones is not None else (),
        words,
        phones,
    )


def named(tiers: Mapping[str, Sequence[Segment]], names: Sequence[str]) -> str | None:
    """The tier that goes by one of these names, whatever its case.

    "ann - words" is such a name too; a whole name goes first, and a tier with labels before one without.
    """
    lower = {tier: tier.strip().lower() for tier in tiers}
    whole = [tier for wanted in names for tier in tiers if lower[tier] == wanted]
    endings = tuple(f"{mark}{name}" for mark in " -" for name in names if name not in MAUS)
    found = whole + [tier for tier in tiers if lower[tier].endswith(endings)]
    return next((tier for tier in found if spoken(tiers[tier])), next(iter(found), None))


def spoken(tier: Sequence[Segment]) -> tuple[Segment, ...]:
    """The tier without its silences, one segment after the other: overlaps are parted at their middles."""
    return without_overlap(segment for segment in tier if not is_silence(segment.label))


def is_silence(label: str) -> bool:
    """Does a label say that nobody speaks?"""
    return label.strip().lower() in SILENCES
