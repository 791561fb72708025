"""What the page says below the transcript: how sure the model is of it, and where its words' times come from."""

import numpy as np

from methods.core.errors import UserError
from methods.core.lenses.ctc import CtcReading
from methods.core.models.speech_model import Transcript
from methods.core.speech.words import cautions
from page.session import Heard, Session


def heard_line(session: Session, heard: Heard, model_id: str) -> str:
    """How sure the model is of what it hears, what speaks against it, and where the times of the words come from."""
    words = (
        f"Word times: {plain(session.timing)}." if session.words else plain(heard.untimed) or "No words were found."
    )
    words += f" {plain(session.about)}." if session.about else ""
    lines = [*_text_lines(heard.text), *_reading_lines(heard.reading), *_class_lines(heard.classes)]
    return "\n\n".join([*(lines or [f"{plain(model_id)} writes no text; look at what its layers hold."]), words])


def _text_lines(text: Transcript | None) -> list[str]:
    if text is None:
        return []
    sure = f"Probability per token: {float(np.exp(text.logprobs.mean())):.0%} (geometric mean)"
    silence = f"; no-speech probability {text.no_speech:.0%}" if text.no_speech and text.no_speech > 0.3 else ""
    doubts = [f"⚠ This may not be what is said: {'; '.join(cautions(text))}."] if cautions(text) else []
    return [*doubts, f"{sure}{silence}."]


def _reading_lines(reading: CtcReading | None) -> list[str]:
    if reading is None:
        return []
    blank = (reading.log_probabilities.argmax(-1) == reading.vocabulary.blank).mean()
    return [f"CTC head; {blank:.0%} of the frames are blank."]


def _class_lines(classes: dict[str, dict[str, float]]) -> list[str]:
    best = {head: max(scores.items(), key=lambda item: item[1]) for head, scores in classes.items()}
    return [f"The model decides: {plain(head)} = **{plain(name)}** ({p:.0%})" for head, (name, p) in best.items()]


def plain(text: str) -> str:
    """Transcripts and names may hold anything; Markdown must show it as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+-!|$&~" else letter for letter in text)


def deaf(problem: Exception) -> str:
    """What stands where the transcript would, when there is none: nobody is listening any more."""
    why = str(problem) if isinstance(problem, UserError) else "Something went wrong on our side; try again."
    return f"The model could not listen. {plain(why)}"
