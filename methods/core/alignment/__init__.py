"""What is said when, and which frames is that? The door to the modules that know; see each for its accuracy.

Times come from one of three places: English forced alignment (`forced`, about 20 ms), a decoder's cross-attention
(`attention_timing`, any language, about 100 ms), or the user's own TextGrid (`textgrid`).
"""

import torch

from methods.core import models
from methods.core.alignment.attention_timing import dtw_path, group_words, median_filter, token_boundaries
from methods.core.alignment.forced import Alignment, forced_alignment
from methods.core.alignment.textgrid import Tiers, read_textgrid, write_textgrid
from methods.core.audio import Clip
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
from methods.core.models.sites import DecoderPass
from methods.core.models.speech_model import SpeechModel, Transcript

__all__ = [
    "Alignment",
    "AlignmentError",
    "FrameGrid",
    "FrameRule",
    "Segment",
    "Tiers",
    "dtw_path",
    "forced_alignment",
    "group_words",
    "median_filter",
    "read_textgrid",
    "token_boundaries",
    "wav2vec2_grid",
    "whisper_grid",
    "without_overlap",
    "words",
    "write_textgrid",
]


def words(
    clip: Clip, model: SpeechModel, *, transcript: str | None = None, language: str | None = None
) -> tuple[Segment, ...]:
    """Which words are said when? The model's own words, or those of a transcript that is known to be right.

    Without a transcript: what the model hears, timed by its cross-attention (about ±0.1 s; the first word starts at 0
    by construction). With an English transcript: forced alignment (about ±20 ms). With one in another language:
    cross-attention again. Raises AlignmentError where no times can be found.
    """
    if not model.writes_text:
        if transcript is None:
            raise UserError(f"{model.id} writes no text, so it has no words; give a transcript or a TextGrid.")
        return forced_alignment(clip, transcript).words
    heard = models.transcribe(clip, model, text=transcript, language=language)
    if transcript is not None and heard.language in (None, "en"):
        return forced_alignment(clip, transcript).words
    return attended_words(clip, model, transcript=transcript, language=language)


@torch.inference_mode()
def attended_words(
    clip: Clip, model: SpeechModel, *, transcript: str | None = None, language: str | None = None
) -> tuple[Segment, ...]:
    """Words timed by where the decoder's alignment heads look (OpenAI's recipe; see `token_boundaries`).

    Uses the heads that are published for the model, or, like OpenAI, all heads of the upper half of the layers.
    """
    text = models.transcribe(clip, model, text=transcript, language=language)
    if not text.tokens:
        return ()
    return words_of_pass(models.decoder_states(clip, model, text.ids), text, model, clip.seconds)


def words_of_pass(read: DecoderPass, text: Transcript, model: SpeechModel, seconds: float) -> tuple[Segment, ...]:
    """Words timed by where the decoder's alignment heads looked in a pass over this text."""
    sites, listed = read.cross_sites, model.decoding.alignment_heads
    heads = listed or [(site.layer, h) for site in sites[len(sites) // 2 :] for h in range(len(site.query))]
    maps = {layer: sites[layer].weights()[..., : sites[layer].own_keys] for layer, _ in heads}
    attention = torch.stack([maps[layer][head] for layer, head in heads]).numpy()
    # Row t predicts token t + 1: from the prompt's last row, which predicts the first word, to the end of the text.
    boundaries = token_boundaries(attention, rows=slice(len(text.prompt) - 1, None))
    try:
        return group_words(text.token_texts, boundaries[:-1], text.language or "en", seconds=seconds)
    except AlignmentError as problem:
        if text.given:
            raise
        raise AlignmentError(
            f"The text that {model.id} wrote has more words than {seconds:.2f} s of sound have frames of 20 ms, most "
            "likely because it went round in a loop, so they have no times; give the transcript of what is said, or "
            "choose another model."
        ) from problem
