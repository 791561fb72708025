"""What a server that runs for weeks needs beside its page: sounds deleted in time, visitors forgotten, a quick end.

Each mends something of Gradio 6.31: its own cleaning dies for good when an upload comes at the wrong moment, a visitor
who has left keeps 0.4 MB for ever, and a link writes a visitor's state to the disk that nothing here uses.
"""

import contextlib
import datetime
import os
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any

import gradio as gr
from fastapi import Response
from gradio import route_utils
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

HOURS_KEPT = 6  # of what visitors upload and record, and of sounds made for them
NEVER = 10**9  # s; Gradio's own schedule, of which only the deletion at the end is wanted
ROUND = 60.0  # s between looks
ATTEMPTS = 20  # to delete files while others come in
RETURN = datetime.timedelta(minutes=15)  # for a visitor whose phone slept; after that his page begins anew
PAUSE = datetime.timedelta(hours=12)  # a page that is open and unused
MOST_GONE = 50  # visitors who have left and may come back
SHORTEST = datetime.timedelta(minutes=1)  # for which even then one of them is remembered
QUICK_END = 4.0  # s


def _closed(_request: Any) -> Response:
    return Response("not here", status_code=404)


class CompressedPage(GZipMiddleware):
    """The page itself is 0.6 MB of text, which a class loads over one room's network at once: a tenth when compressed.

    Nothing else: sounds are asked for in pieces, and events come as they happen.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compress the answer if the page was asked for."""
        root = scope.get("root_path", "").rstrip("/")
        if scope["type"] == "http" and scope["path"] in ("", "/", root, f"{root}/"):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


# The route stands before Gradio's own of the same name, which would write the visitor's session to the disk.
SERVER = {
    "routes": [Route("/gradio_api/deep_link", _closed, methods=["GET"])],
    "middleware": [Middleware(CompressedPage, compresslevel=5)],
}


def serve(page: gr.Blocks, queue: Mapping[str, Any], launch: Mapping[str, Any]) -> None:
    """Run the page until somebody ends it; then end at once, without a traceback, and leave no visitor's file."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        page.queue(**queue).launch(prevent_thread_lock=True, **launch)
        threading.Thread(target=_keep_up, args=(page,), name="upkeep", daemon=True).start()
        while page.is_running:
            time.sleep(0.2)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    killer = threading.Timer(QUICK_END, os._exit, (0,))
    killer.daemon = True
    killer.start()
    page.close(verbose=False)
    delete_files(page, None)
    os._exit(0)  # threads inside a network would keep Python waiting


def _keep_up(page: gr.Blocks) -> None:
    while True:
        time.sleep(ROUND)
        with contextlib.suppress(OSError):
            delete_files(page, HOURS_KEPT * 3600)
        forget_gone(page)


def delete_files(page: gr.Blocks, age: int | None) -> bool:
    """Delete what was brought or made more than `age` seconds ago (None: everything); whether that was possible.

    An upload that comes while the list is read ends Gradio's function with a RuntimeError: it is read again.
    """
    for _ in range(ATTEMPTS):
        try:
            route_utils.delete_files_created_by_app(page, age)
        except RuntimeError:
            continue
        return True
    return False


def forget_gone(page: gr.Blocks, now: datetime.datetime | None = None) -> int:
    """Forget visitors who have left: after a while, or, where there are many, the first of them; how many."""
    holder, now = page.app.state_holder, now or datetime.datetime.now()
    unused = {who: now - holder.time_last_used.get(who, now) for who in list(holder.session_data)}
    gone = [who for who, state in list(holder.session_data.items()) if state.is_closed]
    gone.sort(key=lambda who: unused.get(who, PAUSE), reverse=True)
    too_many = {who for who in gone[: max(0, len(gone) - MOST_GONE)] if unused.get(who, PAUSE) > SHORTEST}
    over = {who for who in gone if unused.get(who, PAUSE) > RETURN} | too_many
    over |= {who for who, pause in unused.items() if pause > PAUSE}
    for who in over:
        _forget(page, who)
    return len(over)


def _forget(page: gr.Blocks, who: str) -> None:
    holder = page.app.state_holder
    with holder.lock:
        holder.session_data.pop(who, None)
        holder.time_last_used.pop(who, None)
    messages, events = page._queue.pending_messages_per_session, page._queue.pending_event_ids_session
    for kept in (messages, events):
        if who in kept:
            del kept[who]
