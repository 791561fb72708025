"""What the model hears, above every view: the plain text at once, then its words shaded by how sure the model is."""

from methods import word_confidence
from methods.core import models
from methods.core.models.speech_model import SpeechModel
from page.session import Heard, Session
from page.widgets.shaded_words import plain_text, shaded_text


def heard_html(heard: Heard) -> str:
    """The text, before more is known about it; nothing for a model that writes none."""
    if heard.text is not None:
        return plain_text(heard.text.text, lead(heard))
    return plain_text(heard.reading.text, lead(heard)) if heard.reading is not None else ""


def lead(heard: Heard) -> str:
    """The words before the text: whose it is, and in which language."""
    if heard.text is None:
        return "The model hears: "
    verb = "The model reads your text" if heard.text.given else "The model hears"
    return f"{verb}{f' ({heard.text.language})' if heard.text.language else ''}: "


def sure_html(session: Session, model: SpeechModel) -> str | None:
    """The same text with its words shaded; None where there is nothing to shade.

    A visitor's text is read by models with a decoder; of others, what they hear themselves is judged.
    """
    said = session.text if model.writes_text else None
    heard = Heard(text=models.transcribe(session.clip, model, text=said) if model.writes_text else None)
    if not model.writes_text and models.ctc_vocabulary(model) is None:
        return None
    try:
        result = word_confidence.analyse(session.clip, model, transcript=said, random_seeds=())
    except word_confidence.NothingHeardError:
        return None
    return shaded_text(result, lead(heard))
