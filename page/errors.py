"""One place that turns what went wrong into one toast."""

import functools
import inspect
import logging
import secrets
from collections.abc import Callable
from typing import Any

import gradio as gr

from methods.core.errors import UserError

log = logging.getLogger("inside_speech_models")


def toast(handler: Callable) -> Callable:
    """Show a user's error as its sentence, and a bug as an apology with a number that is also in the log.

    Outputs stay as they are, so nothing that the visitor made is lost.
    """
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*args: Any, **kwargs: Any) -> Any:
            try:
                yield from handler(*args, **kwargs)
            except UserError as problem:
                raise _mendable(problem) from problem
            except Exception as bug:
                raise _apology(bug) from bug

        return stream

    @functools.wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except UserError as problem:
            raise _mendable(problem) from problem
        except gr.Error:
            raise
        except Exception as bug:
            raise _apology(bug) from bug

    return call


def _mendable(problem: UserError) -> gr.Error:
    return gr.Error(str(problem), title="This cannot be used as it is", duration=12, print_exception=False)


def _apology(bug: Exception) -> gr.Error:
    number = secrets.token_hex(4)
    log.error("bug %s", number, exc_info=bug)
    return gr.Error(
        f"Something went wrong on our side (number {number}). Your clip is still here; try again, or report it.",
        title="Our mistake",
        print_exception=False,
    )
