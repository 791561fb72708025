"""Players under a result that are made when they are asked for, from the visitor's own recordings."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from methods.core.corpus import Corpus
from methods.core.errors import UserError
from methods.core.results import Result
from page.errors import toast
from page.recipe import Own, Shell, Tab
from page.run_events import result_of
from page.runs.machine import Held
from page.session import Session, present
from page.top import corpus_area


def connect(tab: Tab, shell: Shell, plots: Sequence[Any], hear: Callable, also: Sequence[str], heard: gr.HTML) -> None:
    """A press on one of the plots is to be heard: `hear(result, session, own, corpus, *also, event)` makes players."""

    def hear_kept(pressed: gr.EventData, held: Held | None, *asked: Any) -> Any:
        # What was pressed stands first: Gradio hands it to no function that hides it among `*asked`.
        return hear(None if held is None else result_of(held), *asked, pressed)

    inputs = [tab.result, shell.session, shell.corpus, *(tab.controls[name] for name in ("corpus", *also))]
    for plot in plots:
        plot.select(toast(hear_kept), inputs, [heard], show_progress="hidden", api_visibility="private")


def recordings(result: Result, session: Session, own: Own, corpus: str) -> Corpus:
    """The recordings that a result was made of, if they are still those that are chosen."""
    sounds = corpus_area.chosen(corpus_area.with_corpus(present(session), own), corpus)
    if sounds.sha256 != result.provenance["corpus_sha256"]:
        raise UserError("The plot shows other recordings than those chosen now; press “Run” to hear them.")
    return sounds
