"""What is said when, and which frames is that? The door to the modules that know; see each for its accuracy.

Times come from one of three places: English forced alignment (`forced`, about 20 ms), a decoder's cross-attention
(`characters`, any language, about 30 ms in the middle, some words far off), or the user's own TextGrid (`textgrid`).
"""

from methods.core import models
from methods.core.alignment.attention_timing import dtw_path
from methods.core.alignment.characters import words_in_states
from methods.core.alignment.forced import Alignment, forced_alignment
from methods.core.alignment.textgrid import Tiers, read_textgrid, write_textgrid
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.errors import UserError
from methods.core.frames import (
    AlignmentError,
    FrameGrid,
    FrameRule,
    Segment,
    wav2vec2_grid,
    whisper_grid,
    without_overlap,
)
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.options import needs_made

__all__ = [
    "Alignment",
    "AlignmentError",
    "FrameGrid",
    "FrameRule",
    "Segment",
    "Tiers",
    "dtw_path",
    "forced_alignment",
    "read_textgrid",
    "wav2vec2_grid",
    "whisper_grid",
    "without_overlap",
    "words",
    "write_textgrid",
]

KEPT = 2**20  # bytes of word times in memory: a view asks for the same ones several times
_timed = BoundedCache(KEPT)


@needs_made
def words(
    clip: Clip, model: SpeechModel, *, transcript: str | None = None, language: str | None = None
) -> tuple[Segment, ...]:
    """Which words are said when? The model's own words, or those of a transcript that is known to be right.

    Without a transcript: what the model hears, timed by its cross-attention (`attended_words`). With an English
    transcript: forced alignment (about ±20 ms). With one in another language: cross-attention again.
    Raises AlignmentError where no times can be found.
    """
    if not model.writes_text:
        if transcript is None:
            raise UserError(
                f"{model.id} writes no text, so it has no words; give a transcript or a TextGrid.",
                mend={"segments": "words"},
            )
        return forced_alignment(clip, transcript).words
    heard = models.transcribe(clip, model, text=transcript, language=language)
    if transcript is not None and heard.language in (None, "en"):
        return forced_alignment(clip, transcript).words
    return attended_words(clip, model, transcript=transcript, language=language)


def attended_words(
    clip: Clip, model: SpeechModel, *, transcript: str | None = None, language: str | None = None
) -> tuple[Segment, ...]:
    """Words timed by where the decoder looks while it reads them letter by letter (see `characters`).

    Not to be had by forced alignment: any language, and whatever the model says that nobody said. No head need be
    listed for the model. Raises AlignmentError if there are more words than frames.
    """
    text = models.transcribe(clip, model, text=transcript, language=language)
    key = (model.key, clip.sha256, text.language, text.given, text.token_texts)
    return _timed.fetch(key, lambda: _found(clip, model, text), lambda words: 200 * len(words) + 200)


def _found(clip: Clip, model: SpeechModel, text: Transcript) -> tuple[Segment, ...]:
    states = models.encoder_states(clip, model)
    return words_in_states(text, model, states.output, models.frame_grid(clip, model).frames, clip.seconds)
