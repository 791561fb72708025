"""A transcript whose words are shaded by doubt; a pointer, a tap or the keyboard shows what else could have been.

Plain HTML: what a word tells stands in an attribute and is shown by the style sheet, so that the text itself stays
what was written, for copying and for screen readers.
"""

import html
import math
from collections.abc import Iterator

from methods.word_confidence import LEAST_EVIDENCE, WordConfidence

DARKEST = 0.6  # opacity of the shade of a word that has no probability at all
DOUBTFUL = 0.5  # below this certainty a word is underlined too: never by colour alone
MOST_SHOWN = 3  # alternatives of a piece
MOST_PIECES = 6  # of a word whose alternatives are told
KEY = (
    "<p class='quiet sure-key'>The darker, the less sure. <span class='sure-doubtful'>Dotted</span>: under 50%. "
    f"<span class='sure-unheard'>Wavy</span>: hardly any evidence from the sound (under {LEAST_EVIDENCE:g} nat). "
    "Point at a word or tap it for what else it could have been.</p>"
)


def shaded_text(result: WordConfidence, lead: str = "") -> str:
    """HTML of the result's text, after some words of our own; the key comes with it."""
    words = "".join(_parts(result)) or "<b>nothing</b>"
    return f"<p class='sure'>{html.escape(lead)}{words}</p>{KEY if result.words else ''}"


def plain_text(text: str, lead: str = "") -> str:
    """The same of a text about which nothing more is known yet."""
    return f"<p class='sure'>{html.escape(lead)}<b>{html.escape(text) or 'nothing'}</b></p>"


def _parts(result: WordConfidence) -> Iterator[str]:
    """The words, and what stands between them, in order."""
    at, certainty, unheard = 0, result.certainty(), result.unheard()
    for number, word in enumerate(result.words):
        yield _between(result, at, word.first)
        whole = word.label if result.by_paths else "".join(result.pieces[word.pieces])
        text = whole.lstrip()
        yield html.escape(whole[: len(whole) - len(text)])
        shade = DARKEST * (1 - certainty[number])
        kind = " sure-unheard" if unheard[number] else " sure-doubtful" if certainty[number] < DOUBTFUL else ""
        told = html.escape(tip(result, number), quote=True)
        yield (
            f"<span class='sure-word{kind}' tabindex='0' style='--doubt:{shade:.2f}' data-tip='{told}' "
            f"aria-description='{told}'>{html.escape(text)}</span>"
        )
        at = word.stop
    if not result.by_paths:
        yield html.escape("".join(result.pieces[at:-1]))


def _between(result: WordConfidence, first: int, stop: int) -> str:
    if result.by_paths:
        return "" if not first else " | " if " | " in result.text else " "
    return html.escape("".join(result.pieces[first:stop]))


def tip(result: WordConfidence, number: int) -> str:
    """What is told about one word, in lines."""
    word = result.words[number]
    p, (silence, mean) = result.certainty()[number], (result.word_evidence(b)[number] for b in ("silence", "mean"))
    kind = "probability per symbol" if result.by_paths else "probability"
    lines = [f"{word.label}: {kind} {percent(p)}"]
    lines.append(f"evidence from the sound: {silence:+.1f} nats (against silence), {mean:+.1f} (its own average)")
    for piece in range(word.first, min(word.stop, word.first + MOST_PIECES)):
        lines.append(_instead(result, piece))
    return "\n".join([*lines, *(["…"] if word.stop - word.first > MOST_PIECES else [])])


def _instead(result: WordConfidence, piece: int) -> str:
    own = f"{shown(result, result.pieces[piece])} {percent(math.exp(result.logprobs[piece]))}"
    return f"{own}, else {alternatives(result, piece)}"


def alternatives(result: WordConfidence, piece: int, most: int = MOST_SHOWN) -> str:
    """The likeliest others of a piece with their probabilities, as text."""
    pairs = zip(result.alternatives[piece], result.alternative_logprobs[piece], strict=True)
    return ", ".join(f"{shown(result, name)} {percent(math.exp(value))}" for name, value in list(pairs)[:most])


def shown(result: WordConfidence, piece: str) -> str:
    """A piece as it is read: “…ing” goes on with the word before it; other ones begin a word or are signs."""
    text = piece.strip() or " "
    if text.startswith("(") and text.endswith(")") and len(text) > 1:
        return text  # a name of what is no text
    goes_on = not result.by_paths and not piece.startswith(" ") and text[0].isalnum()
    name = f"…{text}" if goes_on else text
    return name if any(map(str.isalpha, text)) else f"“{name}”"  # a number beside a number could not be told apart


def percent(p: float) -> str:
    """A probability in the shortest form that does not claim certainty."""
    if p < 0.001 or p > 0.999:
        return "<0.1%" if p < 0.5 else ">99.9%"
    return f"{100 * p:.1f}%" if p < 0.01 or p > 0.99 else f"{100 * p:.0f}%"
