"""A visitor without a browser: the page's own protocol (queue, event stream, one session each), as Gradio 6 speaks it.

async with httpx.AsyncClient(base_url=url) as http:
    page = await Page.read(http)
    visit = await Visitor(page, http).open("?technique=value_zeroing&clip=en_f_weasels")
    visit.first, visit.done   # s from the click on the link to the first picture, and to the last control
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

PATIENCE = httpx.Timeout(600.0)  # s; what takes longer is a fault


@dataclass(frozen=True)
class Page:
    """What the browser is told at first: components by id, and events."""

    components: dict[int, dict[str, Any]]
    events: dict[int, dict[str, Any]]

    @classmethod
    async def read(cls, http: httpx.AsyncClient) -> "Page":
        """The page as it is for everybody."""
        return cls.of((await http.get("/config", timeout=PATIENCE)).json())

    @classmethod
    def of(cls, config: dict[str, Any]) -> "Page":
        """A page, or the part of one that a render makes."""
        return cls({each["id"]: each for each in config["components"]}, {e["id"]: e for e in config["dependencies"]})

    def named(self, elem_id: str) -> int:
        """The component with this id in the document."""
        return next(number for number, each in self.components.items() if each["props"].get("elem_id") == elem_id)

    def event(self, component: int | None, kind: str) -> dict[str, Any]:
        """The event of this kind that the server handles; None: of the page as a whole."""
        for event in self.events.values():
            for target, what in event["targets"]:
                if what == kind and (component is None or target == component) and event["backend_fn"]:
                    return event
        raise LookupError(f"no event {kind} of {component}")


@dataclass
class Visit:
    """When something was there, s after the link was opened; None: it never came."""

    first: float | None = None  # the first picture of the technique
    done: float | None = None  # with all its controls
    heard: float | None = None  # what the model hears
    refused: str = ""  # what was said instead
    messages: list[str] = field(default_factory=list)


class Visitor:
    """One session."""

    def __init__(self, page: Page, http: httpx.AsyncClient) -> None:
        self.page, self.http, self.session = page, http, secrets.token_hex(6)
        self.values: dict[int, Any] = {}
        self.query = ""
        self.running: dict[int, str] = {}  # event -> the id under which it was begun last
        self._inboxes: dict[str, asyncio.Queue] = {}
        self._stream: asyncio.Task | None = None

    async def open(self, link: str, run: bool = True) -> Visit:
        """Follow a link to a technique, as a browser does: read it, listen, build the tab, run."""
        begin, visit, self.query = time.perf_counter(), Visit(), link
        try:
            await self.arrive()
            visit.heard = time.perf_counter() - begin
            technique = dict(part.split("=", 1) for part in link.lstrip("?").split("&")).get("technique")
            if technique and run:
                await self.build(technique)
                await self.run(technique, visit, begin)
        except (RuntimeError, httpx.HTTPError) as problem:
            visit.refused = str(problem) or type(problem).__name__
        return visit

    async def arrive(self) -> None:
        """Read the link and listen to its clip."""
        load = self.page.event(None, "load")
        await self.ask(load)
        hear = next(e for e in self.page.events.values() if e["trigger_after"] == load["id"] and e["backend_fn"])
        await self.ask(hear)

    async def build(self, technique: str) -> None:
        """Have the tab made by the server."""
        button = self.page.named(f"build-{technique}")
        async for message in self.messages(self.page.event(button, "click")):
            made = (message.get("output") or {}).get("render_config")
            if made:
                part = Page.of(made)
                self.page = Page(self.page.components | part.components, self.page.events | part.events)

    async def run(self, technique: str, visit: Visit, begin: float) -> None:
        """Press Run and watch."""
        event = self.page.event(self.page.named(f"run-{technique}"), "click")
        status = event["outputs"].index(self.page.named(f"status-{technique}"))
        seen = 0
        async for message in self.messages(event):
            visit.messages.append(message["msg"])
            if message["msg"] in ("process_generating", "process_completed"):
                shown = (message.get("output") or {}).get("data") or []
                # The first answer comes whole, later ones as what is new in each output.
                news = shown[status] if status < len(shown) else None
                if visit.first is None and news and (seen or isinstance(news, str)):
                    visit.first = time.perf_counter() - begin
                seen += 1
        visit.done = time.perf_counter() - begin

    async def ask(self, event: dict[str, Any]) -> list[Any]:
        """Run an event to its end; the values of its outputs are remembered, as a browser remembers them."""
        data: list[Any] = []
        async for message in self.messages(event):
            if message["msg"] == "process_completed":
                data = message["output"].get("data") or []
        for number, value in zip(event["outputs"], data, strict=False):
            if not (isinstance(value, dict) and value.get("__type__") == "update"):
                self.values[number] = value
        return data

    async def messages(self, event: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """All that the server says of one event. Raises RuntimeError with its sentence if it refuses or fails."""
        asked = {
            "data": [self.value(number) for number in event["inputs"]],
            "event_data": None,
            "fn_index": event["id"],
            "trigger_id": event["targets"][0][0] if event["targets"] else None,
            "session_hash": self.session,
        }
        joined = await self.http.post(f"/gradio_api/queue/join{self.query}", json=asked, timeout=PATIENCE)
        if joined.status_code != httpx.codes.OK:
            raise RuntimeError(joined.json().get("detail", joined.text))
        event_id = joined.json()["event_id"]
        self.running[event["id"]] = event_id
        inbox = self._inboxes[event_id] = asyncio.Queue()
        if self._stream is None or self._stream.done():
            self._stream = asyncio.create_task(self._listen())
        while True:
            message = await inbox.get()
            if message["msg"] == "process_completed":
                del self._inboxes[event_id]
            yield message
            if message["msg"] == "process_completed":
                if not message["success"]:
                    raise RuntimeError(str((message.get("output") or {}).get("error")))
                return

    async def _listen(self) -> None:
        """One stream for all events of a session, as in the browser; opened again when the server has closed it."""
        while self._inboxes:
            try:
                await self._hear_out()
            except httpx.HTTPError:  # the page was closed
                return

    async def _hear_out(self) -> None:
        where, about = "/gradio_api/queue/data", {"session_hash": self.session}
        async with self.http.stream("GET", where, params=about, timeout=PATIENCE) as answer:
            async for line in answer.aiter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("event_id") in self._inboxes:
                    self._inboxes[message["event_id"]].put_nowait(message)
                if message.get("msg") == "close_stream":
                    return

    async def leave(self) -> None:
        """Close the page."""
        if self._stream is not None:
            self._stream.cancel()
            await asyncio.gather(self._stream, return_exceptions=True)

    async def cancel(self, event: dict[str, Any]) -> httpx.Response:
        """Press Stop."""
        asked = {"session_hash": self.session, "fn_index": event["id"], "event_id": self.running.get(event["id"])}
        return await self.http.post("/gradio_api/cancel", json=asked, timeout=PATIENCE)

    def value(self, number: int) -> Any:
        """What the browser sends of a component; states stay with the server."""
        component = self.page.components[number]
        if component["type"] == "state":
            return None
        return self.values.get(number, component["props"].get("value"))


async def all_at_once(visits: list[Any], within: float) -> list[Any]:
    """Visitors who come one after the other within so many seconds."""

    async def later(number: int, visit: Any) -> Any:
        await asyncio.sleep(within * number / max(1, len(visits)))
        return await visit

    return await asyncio.gather(*(later(number, visit) for number, visit in enumerate(visits)))
