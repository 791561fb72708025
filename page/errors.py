"""One place that turns what went wrong into one toast.

Gradio shows the sentence of a toast as HTML; ours quote links, labels and file names, and are text.
"""

import contextlib
import functools
import html
import inspect
import logging
import secrets
from collections.abc import Callable, Generator
from typing import Any

import gradio as gr

from methods.core.errors import OutOfTimeError, UserError

TOLD = (UserError, OutOfTimeError)  # what is shown as its sentence
MISFIT = """What was sent is not what is asked for: a file must be one that was uploaded (in Python by
gradio_client's handle_file("clip.wav")), not a number, a path or another server's address, and there must be as many
arguments as view_api() lists.""".replace("\n", " ")

log = logging.getLogger("inside_speech_models")


def as_text(sentence: str) -> str:
    """A sentence as HTML that reads like it. Quotation marks stay: none of it stands within a tag."""
    return html.escape(sentence, quote=False)


def warning(sentence: str) -> None:
    """A toast that stops nothing."""
    gr.Warning(as_text(sentence))


def note(sentence: str) -> None:
    """A toast that says what was done; it stays long enough to act on it."""
    gr.Info(as_text(sentence), duration=20)


def toast(handler: Callable, said: Callable[[str], str] = as_text) -> Callable:
    """Show a user's error as its sentence, and a bug as an apology with a number that is also in the log.

    Outputs stay as they are, so nothing that the visitor made is lost. `said` makes of a sentence what its reader
    takes: HTML for the page.
    """
    if inspect.isasyncgenfunction(handler):

        @functools.wraps(handler)
        async def flow(*args: Any, **kwargs: Any) -> Any:
            with _told(said):
                async with contextlib.aclosing(handler(*args, **kwargs)) as parts:
                    async for part in parts:
                        yield part

        return flow
    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def wait(*args: Any, **kwargs: Any) -> Any:
            with _told(said):
                return await handler(*args, **kwargs)

        return wait
    return _toast_at_once(handler, said)


def _toast_at_once(handler: Callable, said: Callable[[str], str]) -> Callable:
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*args: Any, **kwargs: Any) -> Any:
            with _told(said):
                yield from handler(*args, **kwargs)

        return stream

    @functools.wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _told(said):
            return handler(*args, **kwargs)

    return call


@contextlib.contextmanager
def _told(said: Callable[[str], str]) -> Generator[None, None, None]:
    try:
        yield
    except TOLD as problem:
        raise _mendable(said(str(problem))) from problem
    except gr.Error:
        raise
    except Exception as bug:
        raise _apology(bug) from bug


class Page(gr.Blocks):
    """Blocks that answer input of another kind with a sentence; Gradio's own answer to a program is empty.

    What a browser sends always fits: this is for programs that give a number, or the path of a file that was not
    uploaded, where a file is asked for, or too few arguments.
    """

    async def preprocess_data(self, *args: Any, **kwargs: Any) -> Any:
        """The inputs as the handlers take them."""
        try:
            return await super().preprocess_data(*args, **kwargs)
        except gr.Error:
            raise
        except Exception as problem:
            log.info("input refused", exc_info=problem)
            raise _mendable(MISFIT) from problem


def _mendable(sentence: str) -> gr.Error:
    return gr.Error(sentence, title="This cannot be used as it is", duration=12, print_exception=False)


def _apology(bug: Exception) -> gr.Error:
    number = secrets.token_hex(4)
    log.error("bug %s", number, exc_info=bug)
    return gr.Error(
        f"Something went wrong on our side (number {number}). Your clip is still here; try again, or report it.",
        title="Our mistake",
        print_exception=False,
    )
