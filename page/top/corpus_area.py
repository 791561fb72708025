"""The recordings that techniques over many clips run on: bundled corpora, the clip above, or a visitor's own zip."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import gradio as gr

from methods.core import corpus as corpora
from methods.core.corpus import Corpus
from methods.core.corpus.articulation import Articulation
from methods.core.errors import UserError, counted
from page.errors import toast
from page.own_corpus import OwnCorpus, uploaded
from page.session import Session
from page.widgets.told import Told

BOTH = "both"
CHOICES = [
    *((f"{name}: {what}", name) for name, what in corpora.CORPORA.items()),
    ("the clip above, alone", "clip"),
    ("your own corpus (upload it at the side)", "own"),
]
HOW = """A zip (20 MB) of sound files (up to 30 s each, 15 minutes in all, 400 files; FLAC is half the size of WAV),
each with a Praat **TextGrid** of the same name that has interval tiers named `words` and `phones`; other tiers can be
probed as labels of their own. Instead of TextGrids, one table `segments.csv` will do, with the columns `file`, `tier`,
`label`, `start`, `end` (seconds). Speakers: one folder each, or an `index.csv` with the columns `file`, `speaker`,
`sex`, `language`; columns `accent` and `group`, in either table, can be compared in Phone focus. For articulation: a
zip of EMA sentences in the `.mat` format of Haskins' HPRC. Your recordings are held in memory for this visit only and
are never part of a link."""


@dataclass(frozen=True)
class CorpusArea:
    """The components of a visitor's own corpus."""

    corpus: gr.State
    file: gr.File
    told: Told


def corpus_area() -> CorpusArea:
    """Lay out the upload."""
    title = "Your own corpus, for probing, RSA, CKA, CCA, ABX, projections, units, phone focus and erasure"
    with gr.Accordion(title, open=False):
        gr.Markdown(HOW, elem_classes="quiet")
        file = gr.File(label="Zip of recordings and TextGrids", file_types=[".zip"], type="filepath", elem_id="corpus")
        told = Told(elem_id="corpus-told", elem_classes="quiet")
    return CorpusArea(gr.State(None, time_to_live=3600), file, told)


def connect(area: CorpusArea) -> None:
    """Read the zip when it comes, forget the corpus when the file is taken away."""

    def read(path: str | None) -> tuple[OwnCorpus | None, str]:
        if path is None:
            return None, ""
        own = uploaded(path)
        found = own.read()
        if isinstance(found, Articulation):
            return own, f"{summary(found.corpus)} · movements: {', '.join(found.channels)}"
        return own, summary(found)

    # Beside the turns: whoever brings recordings never waits for anybody's run.
    area.file.change(
        toast(read),
        [area.file],
        [area.corpus, area.told],
        concurrency_id="reading",
        concurrency_limit=2,
        api_visibility="private",
    )


def summary(corpus: Corpus) -> str:
    """What was found in a corpus, in one line."""
    phones = Counter(phone.label for utterance in corpus.utterances for phone in utterance.phones)
    words = sum(len(utterance.words) for utterance in corpus.utterances)
    others = sorted({tier for utterance in corpus.utterances for tier in utterance.tiers})
    parts = [
        f"**{counted(len(corpus.utterances), 'recording')}**, {corpus.seconds:.0f} s",
        f"{counted(len(corpus.speakers), 'speaker')}: {_some(corpus.speakers, 6)}",
        f"{counted(words, 'word')}, {counted(sum(phones.values()), 'phone')} of {counted(len(phones), 'kind')}",
    ]
    further = [f"further tiers: {_some(others, 8)}"] if others else []
    return " · ".join([*parts, *further, *corpus.notes])


def _some(names: Sequence[str], most: int) -> str:
    return ", ".join(name[:60] for name in names[:most]) + ", …" * (len(names) > most)


def corpus_control(value: str = "prompts", *, both: bool = False) -> gr.Dropdown:
    """The choice of recordings in a technique's tab, `both` bundled corpora at once among them if wanted."""
    choices = [*CHOICES[:2], ("both of these: four speakers", BOTH), *CHOICES[2:]] if both else CHOICES
    return gr.Dropdown(choices, value=value, label="Recordings", interactive=True, min_width=240)


def chosen(session: Session, value: str) -> Corpus:
    """The corpus that a control's value names."""
    if value == "clip":
        return corpora.of_clip(session.clip, session.words or (), session.phones)
    if value == BOTH:
        return corpora.bundled("prompts").joined(corpora.bundled("voices"))
    if value != "own":
        return corpora.bundled(value)
    if session.corpus is None:
        raise UserError(
            "You have not given a corpus of your own yet; open “Your own corpus” at the side and upload a zip, or "
            "choose one of the bundled ones."
        )
    return session.corpus.corpus if isinstance(session.corpus, Articulation) else session.corpus


def own_articulation(session: Session) -> Articulation:
    """The visitor's own recordings of articulation."""
    if not isinstance(session.corpus, Articulation):
        raise UserError(
            "Your own corpus holds no movements of the vocal tract; upload a zip of HPRC's .mat files, or choose "
            "another corpus to use the synthetic vocal tract."
        )
    return session.corpus


def with_corpus(session: Session, corpus: OwnCorpus | None) -> Session:
    """The session with the visitor's own corpus at hand."""
    return replace(session, corpus=None if corpus is None else corpus.read())
