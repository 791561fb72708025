"""How a target's number is read off a network's output: the recipes behind `targets.build`.

Each maker returns what of a `Target` depends on the kind, as `Explained`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.lenses.ctc import runs
from methods.core.models import wav2vec2, whisper
from methods.core.models.devices import beside
from methods.core.models.speech_model import SpeechModel, Transcript
from methods.core.speech.words import Word, find_words, text_words

Readout = Callable[[SpeechModel, Any], torch.Tensor]  # the network's output -> one number


@dataclass(frozen=True)
class Explained:
    """What is explained: everything about a `Target` that depends on its kind."""

    label: str  # for titles
    unit: str  # "nats" or "logit"
    readout: Readout
    word: str | None  # the word, token, language or class; None for a whole text


def explained_word(transcript: Transcript, wanted: str | None, occurrence: int | None = None) -> Word:
    """The word (or words in a row) of the text that is meant; the longest if none is named, as content words are long.

    Raises UserError where it is absent, or there more than once and no occurrence is named.
    """
    words = text_words(transcript)
    if not words:
        raise UserError("The transcript has no word to explain; give one in which a word is said.")
    if wanted is None:
        return max(words, key=lambda word: len(word.label))
    found = find_words([word.label for word in words], wanted, "target", occurrence)
    first, last = words[found.start], words[found.stop - 1]
    label = " ".join(word.label for word in words[found.start : found.stop])
    return Word(label, range(first.tokens.start, last.tokens.stop))


# Whisper


def of_text(
    model: SpeechModel,
    text: Transcript,
    kind: str,
    *,
    wanted: str | None,
    occurrence: int | None,
    against: str | None,
) -> Explained:
    """A word, a token, a contrast or the whole of a text that the decoder is forced to read."""
    if not text.tokens:
        raise UserError(f"{model.id} writes no word for this clip, so there is none to explain; give a transcript.")
    match kind:
        case "token":
            return token(text, wanted, occurrence)
        case "word":
            return word(text, wanted, occurrence)
        case "contrast":
            return contrast(model, text, wanted, occurrence, against)
    return whole(model, text)


def _logprobs(
    model: SpeechModel, states: torch.Tensor, before: tuple[int, ...], wanted: tuple[int, ...]
) -> torch.Tensor:
    """(tokens,) natural log-probability of each wanted token after `before`, teacher-forced; gradients flow."""
    ids = beside(model.network, torch.tensor([(*before, *wanted[:-1])]))
    rows, decoder = beside(model.network, torch.tensor(wanted)[:, None]), model.network.model.decoder
    read = decoder(ids, encoder_hidden_states=states, use_cache=False).last_hidden_state[0, len(before) - 1 :]
    return model.network.proj_out(read).log_softmax(-1).gather(1, rows)[:, 0]


def _spoken(before: tuple[int, ...], wanted: tuple[int, ...]) -> Readout:
    return lambda model, states: _logprobs(model, states, before, wanted).sum()


def whole(model: SpeechModel, text: Transcript) -> Explained:
    readout = _spoken(text.prompt, (*text.tokens, model.decoding.end))
    return Explained("the whole transcript", "nats", readout, None)


def word(text: Transcript, wanted: str | None, occurrence: int | None) -> Explained:
    word = explained_word(text, wanted, occurrence)
    ids = text.ids
    readout = _spoken(ids[: word.tokens.start], ids[word.tokens.start : word.tokens.stop])
    return Explained(f"“{word.label}”", "nats", readout, word.label)


def token(text: Transcript, wanted: str | None, occurrence: int | None) -> Explained:
    labels = [piece.strip() for piece in text.token_texts]
    if wanted is None:
        number = max(range(len(labels)), key=lambda i: len(labels[i]))
    else:
        number = find_words(labels, wanted, "target", occurrence).start
    at = len(text.prompt) + number
    readout = _spoken(text.ids[:at], text.ids[at : at + 1])
    return Explained(f"token “{labels[number]}”", "nats", readout, labels[number])


def contrast(
    model: SpeechModel, text: Transcript, wanted: str | None, occurrence: int | None, against: str | None
) -> Explained:
    word = explained_word(text, wanted, occurrence)
    before = text.ids[: word.tokens.start]
    first, second = text.ids[word.tokens.start : word.tokens.stop], whisper.spelled(model, _needed(against))
    if first == second:
        raise UserError(f"“{word.label}” against itself is always 0; name another word.")
    if first[: len(second)] == second or second[: len(first)] == first:
        # “livres” may be “livre” and one token more: then only what comes next can tell that the word has ended.
        ending = (*text.ids, model.decoding.end)[word.tokens.stop : word.tokens.stop + 1]
        first, second = first + ending, second + ending

    def readout(model: SpeechModel, states: torch.Tensor) -> torch.Tensor:
        return _logprobs(model, states, before, first).sum() - _logprobs(model, states, before, second).sum()

    label = f"“{word.label}” rather than “{against.strip()}”"
    return Explained(label, "nats", readout, word.label)


def _needed(against: str | None) -> str:
    if not (against or "").strip():
        raise UserError("A contrast needs two words; name the one that the target is compared with.")
    return against


def opening(model: SpeechModel, states: torch.Tensor) -> torch.Tensor:
    """(vocabulary,) scores right after the start token, where Whisper decides on the language."""
    start = beside(model.network, torch.tensor([[model.decoding.start]]))
    read = model.network.model.decoder(start, encoder_hidden_states=states, use_cache=False).last_hidden_state
    return model.network.proj_out(read[0, -1])


def language(clip: Clip, model: SpeechModel, wanted: str | None, against: str | None) -> Explained:
    languages = model.decoding.languages
    code = whisper.chosen_language(model, _heard_opening(clip, model), wanted)
    if against is not None:
        whisper.chosen_language(model, None, against)
    if code == against:
        raise UserError(f"The language {code!r} against itself is always 0; name another one.")
    others = [against] if against else [name for name in languages if name != code]
    rivals = [languages[name] for name in others]

    def readout(model: SpeechModel, states: torch.Tensor) -> torch.Tensor:
        scores = opening(model, states)
        return scores[languages[code]] - scores[rivals].logsumexp(0)

    label = f"language {code} rather than {against or 'any other'}"
    return Explained(label, "nats", readout, code)


def _heard_opening(clip: Clip, model: SpeechModel) -> torch.Tensor:
    return whisper.opening(model, models.encoder_states(clip, model).output)


# CTC


def _likelihood(scores: torch.Tensor, labels: tuple[int, ...], blank: int) -> torch.Tensor:
    """ln P(the frames spell exactly these labels), from (frames, symbols) scores."""
    logs = scores.log_softmax(-1)[:, None].cpu()  # not every GPU has this loss
    lengths = torch.tensor([len(logs)]), torch.tensor([len(labels)])
    return -F.ctc_loss(logs, torch.tensor([labels], dtype=torch.long), *lengths, blank=blank, reduction="sum")


def ctc(
    clip: Clip,
    model: SpeechModel,
    *,
    wanted: str | None,
    occurrence: int | None,
    against: str | None,
    transcript: str | None,
) -> Explained:
    vocabulary = models.ctc_vocabulary(model)
    words = _symbols(model, transcript) if transcript else _heard_symbols(clip, model)
    if not any(words):
        raise UserError(
            f"{model.id} finds no symbol in this clip, so there is none to explain; say what is said in it."
        )
    blank, full = vocabulary.blank, _joined(vocabulary.space, words)
    if wanted is None and against is None:

        def string(model: SpeechModel, scores: torch.Tensor) -> torch.Tensor:
            return _likelihood(scores, full, blank)

        return Explained("the whole string", "nats", string, None)
    names = [vocabulary.joint.join(vocabulary.labels[i] for i in word) for word in words]
    number = _place(names, wanted, occurrence)
    new = _symbols(model, against) if against else []
    other = _joined(vocabulary.space, [*words[:number], *new, *words[number + 1 :]])
    if full == other:
        raise UserError(f"“{names[number]}” against itself is always 0; name another word.")

    def readout(model: SpeechModel, scores: torch.Tensor) -> torch.Tensor:
        return _likelihood(scores, full, blank) - _likelihood(scores, other, blank)

    label = f"“{names[number]}” rather than {f'“{against}”' if against else 'nothing there'}"
    return Explained(label, "nats", readout, names[number])


def _place(names: list[str], wanted: str | None, occurrence: int | None) -> int:
    if wanted is None:
        return max(range(len(names)), key=lambda i: len(names[i]))
    # A word of phones has spaces inside, which would be read as several words.
    return find_words([name.replace(" ", "·") for name in names], wanted.strip().replace(" ", "·"), "target",
                      occurrence).start  # fmt: skip


def _joined(space: int | None, words: list[tuple[int, ...]]) -> tuple[int, ...]:
    found: list[int] = []
    for word in words:
        found += [space] if found and space is not None else []
        found += word
    return tuple(found)


def _heard_symbols(clip: Clip, model: SpeechModel) -> list[tuple[int, ...]]:
    vocabulary = models.ctc_vocabulary(model)
    best = models.ctc_log_probabilities(clip, model).argmax(-1).tolist()
    words: list[list[int]] = [[]]
    for label, _ in runs(best, vocabulary.blank):
        if label == vocabulary.space:
            words.append([])
        else:
            words[-1].append(label)
    return [tuple(word) for word in words if word]


def _symbols(model: SpeechModel, said: str) -> list[tuple[int, ...]]:
    """The ids of each word of a text (letters) or of phones with spaces between them and “ | ” between words."""
    vocabulary = models.ctc_vocabulary(model)
    known = {label.casefold(): number for number, label in enumerate(vocabulary.labels)}
    parts = said.split("|") if vocabulary.joint else said.split()
    words = [[known.get(s.casefold()) for s in (p.split() if vocabulary.joint else p)] for p in parts]
    if not any(words) or any(symbol is None for word in words for symbol in word):
        example = " ".join(vocabulary.labels[1:9])
        raise UserError(f"“{said}” holds symbols that {model.id} does not know; use its own, such as: {example}.")
    return [tuple(word) for word in words if word]


# Classes


def classes(
    clip: Clip, model: SpeechModel, wanted: str | None, against: str | None, head: str | None, scale: str
) -> Explained:
    labels = wav2vec2.class_labels(model)
    head = head or _head_of(model, labels, [name for name in (wanted, against) if name is not None])
    if head not in labels:
        raise UserError(f"{model.id} has no classifier “{head}”; choose {' or '.join(labels)}.")
    names = labels[head]
    found = models.class_probabilities(clip, model)[head]
    number = _named(names, wanted or max(found, key=found.get))
    rival = None if against is None else _named(names, against)
    if number == rival:
        raise UserError(f"The class “{names[number]}” against itself is always 0; name another one.")

    def readout(model: SpeechModel, scores: dict[str, torch.Tensor]) -> torch.Tensor:
        row = scores[head][0] if scale == "logit" else scores[head][0].log_softmax(-1)
        return row[number] if rival is None else row[number] - row[rival]

    label = f"{head} “{names[number]}”" + ("" if rival is None else f" rather than “{names[rival]}”")
    unit = "logit" if scale == "logit" and rival is None else "nats"
    return Explained(label, unit, readout, names[number])


def _head_of(model: SpeechModel, labels: dict[str, tuple[str, ...]], named: list[str]) -> str:
    """The head that has all classes that were named; the first if none was. Raises UserError unless it is clear."""
    asked = {name.strip().casefold() for name in named}
    having = [head for head, names in labels.items() if asked <= {name.casefold() for name in names}]
    if not asked or len(labels) == 1 or len(having) == 1:
        return having[0] if having else next(iter(labels))  # one head alone has a sentence of its own about classes
    said = " and ".join(f"“{name.strip()}”" for name in named)
    if having:
        raise UserError(f"{said} may be meant of {' or '.join(having)} in {model.id}; name one of them as the head.")
    there = "; ".join(f"{head}: {', '.join(names)}" for head, names in labels.items())
    raise UserError(f"No classifier of {model.id} has {said} among its classes; choose from one of them ({there}).")


def _named(names: tuple[str, ...], wanted: str) -> int:
    plain = [name.casefold() for name in names]
    if wanted.strip().casefold() not in plain:
        raise UserError(f"There is no class “{wanted}”; choose one of {', '.join(names)}.")
    return plain.index(wanted.strip().casefold())


def answer(model: SpeechModel, output: Any, transcript: Transcript | None) -> str:
    """What the model says by itself, given its output: a transcript, a language, a string of symbols, or classes.

    A Whisper model is asked for its language where there is no transcript whose prompt it could be given.
    """
    if model.writes_text:
        if transcript is None:
            return whisper.chosen_language(model, opening(model, output), None)
        tokens, complete = whisper.greedy_ids(model, output, transcript.prompt)
        return model.tokenizer.decode(tokens).strip() + ("" if complete else " …")
    vocabulary = models.ctc_vocabulary(model)
    if vocabulary is not None:
        return vocabulary.spell([label for label, _ in runs(output.argmax(-1).tolist(), vocabulary.blank)])
    labels = wav2vec2.class_labels(model)
    return ", ".join(labels[head][int(scores[0].argmax())] for head, scores in output.items())
