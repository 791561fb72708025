"""A small class at one machine, speaking the page's own protocol: nobody is refused, hangs, or ends another's run."""

import asyncio
import contextlib
import inspect
import re
import threading
import time
from urllib.parse import parse_qsl

import httpx
import pytest

import app
from benchmarks.visitor import Page, Visitor, all_at_once
from methods import TECHNIQUES, technique
from methods.core.errors import UserError
from page import ready as ready_views
from page import shell
from page.lessons import LESSONS
from page.runs import jobs
from page.runs.machine import MACHINE

LINK = "?technique=attention&clip=en_f_weasels&layer=1"
KINDS = ("attention", "attention_norm")
END = re.compile("No luck|went wrong|cannot|needs|reads")
SOON = 2.0  # s within which Stop frees the machine
SLOW = 0.1  # s that are put into every step where a test needs time


@pytest.fixture(scope="module")
def address():
    page = shell.build()
    _, url, _ = page.queue(**app.QUEUE).launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **app.LAUNCH
    )
    yield url
    page.close()


@pytest.fixture(autouse=True)
def small(tiny_model, monkeypatch):
    """A model of two layers under every name, and an empty memory."""
    monkeypatch.setattr(MACHINE.loads, "_load", lambda _name: tiny_model)
    MACHINE.store.clear()


@pytest.fixture
def slow(monkeypatch):
    """Every step takes a while; which job each step was of."""
    advance, taken = jobs.Job.advance, []

    def slower(job):
        if job.name != "listening":
            time.sleep(SLOW)
            taken.append(job.number)
        return advance(job)

    monkeypatch.setattr(jobs.Job, "advance", slower)
    return taken


def in_class(address, lesson):
    """Run a lesson with visitors of this page."""

    async def held():
        async with httpx.AsyncClient(base_url=address) as http:
            page = await Page.read(http)
            return await lesson(lambda: Visitor(page, http))

    return asyncio.run(asyncio.wait_for(held(), 120))


async def free(within=SOON):
    """Until nobody's job is left on the machine."""
    end = time.monotonic() + within
    while MACHINE.turns.waiting:
        assert time.monotonic() < end, "a job that nobody watches goes on"
        await asyncio.sleep(0.02)


async def ready(visitor, link=LINK):
    """A visitor in front of the Run button; the event that it begins."""
    visitor.query = link
    await visitor.arrive()
    technique = re.search("technique=([a-z_]+)", link)[1]
    await visitor.build(technique)
    return visitor.page.event(visitor.page.named(f"run-{technique}"), "click")


def test_twelve_visitors_of_one_link_share_one_computation(address, slow):
    visits = in_class(address, lambda new: all_at_once([new().open(LINK) for _ in range(12)], within=0.5))
    assert [visit.refused for visit in visits] == [""] * 12
    assert all(visit.first and visit.done for visit in visits)
    assert len(set(slow)) == 1
    again = in_class(address, lambda new: new().open(LINK))
    assert again.done and len(set(slow)) == 1  # it was there


def test_what_was_made_ready_is_not_computed_for_a_visitor(address, slow):
    view = ready_views.view_of({"technique": "attention", "clip": "en_f_weasels", "layer": "1"})
    asyncio.run(ready_views.make_ready([view]))
    made = len(set(slow))
    assert made == 1
    visit = in_class(address, lambda new: new().open(LINK))
    assert visit.done and len(set(slow)) == made


def test_the_views_made_ready_are_lessons_and_defaults_each_once():
    every = ready_views.first_links(everything=True)
    assert len({tuple(sorted(link.items())) for link in every}) == len(every)
    assert [link["technique"] for link in ready_views.first_links(everything=False)] == ["value_zeroing", "attention"]
    assert all(dict(parse_qsl(lesson.link[1:])) in every for lesson in LESSONS)
    assert all({"technique": name} in every for name in TECHNIQUES)


def test_the_states_made_ready_are_those_that_techniques_ask_for():
    made = {(window, subtract) for name, window, subtract in ready_views.STATES if name == "prompts"}
    for name in TECHNIQUES:
        options = {key: one.default for key, one in inspect.signature(technique(name).analyse).parameters.items()}
        if "corpus" in options and "window" in options:
            assert (options["window"], options.get("subtract_silence", False)) in made, name


def test_six_who_ask_for_different_things_all_get_an_end(address, monkeypatch):
    """Delays and errors injected: every run ends in a result or a sentence, which each watcher is told once."""
    advance = jobs.Job.advance

    def moody(job):
        if job.number % 3 == 0 and job.spent:
            problem = UserError("No luck today.") if job.number % 2 else RuntimeError("a bug")
            return job.stopped(problem)
        time.sleep(0.01 * (job.number % 3))
        return advance(job)

    monkeypatch.setattr(jobs.Job, "advance", moody)
    clips = ("en_f_weasels", "en_f_statement", "en_f_question")
    links = [
        f"?technique={what}&clip={clip}" for clip in clips for what in ("attention", "value_zeroing", "two_lenses")
    ]
    visits = in_class(address, lambda new: all_at_once([new().open(link) for link in links], within=0.2))
    assert all(visit.done or re.search("No luck|went wrong|cannot|needs|reads", visit.refused) for visit in visits), (
        visits
    )
    assert any(visit.done for visit in visits) and any(visit.refused for visit in visits)


def test_stop_frees_the_machine_and_ends_nobody_elses_run_even_when_it_is_pressed_twice(address, slow):
    async def lesson(new):
        first, second = new(), new()
        events = [await ready(first), await ready(second)]
        runs = [asyncio.create_task(watched(who, event)) for who, event in zip((first, second), events, strict=True)]
        await asyncio.sleep(5 * SLOW)
        answers = await asyncio.gather(first.cancel(events[0]), first.cancel(events[0]))
        assert [answer.status_code for answer in answers] == [200, 200]
        await runs[1]  # the other one's run has come to its end
        return await ready(first)

    async def watched(visitor, event):
        with contextlib.suppress(RuntimeError):
            return [message["msg"] async for message in visitor.messages(event)]

    in_class(address, lesson)
    assert MACHINE.turns.waiting == 0 and slow


def test_the_last_who_stops_or_closes_the_page_frees_the_machine(address, slow):
    async def lesson(new):
        visitor = new()
        event = await ready(visitor)
        async for message in visitor.messages(event):
            if message["msg"] == "process_generating" and MACHINE.turns.waiting:
                break
        await asyncio.gather(visitor.cancel(event), visitor.cancel(event))
        await free()
        leaver = new()
        event = await ready(leaver)
        async for message in leaver.messages(event):
            if message["msg"] == "process_generating":
                break
        await leaver.leave()
        await free(within=15)  # Gradio looks every ten seconds whether somebody is there

    in_class(address, lesson)


def test_a_model_that_does_not_come_is_a_sentence_and_nobody_else_notices(address, tiny_model, monkeypatch):
    never = threading.Event()

    def load(name):
        if name != "openai/whisper-tiny.en":
            never.wait(60)
        return tiny_model

    monkeypatch.setattr(MACHINE.loads, "_load", load)
    monkeypatch.setattr(MACHINE.loads, "_longest", 60.0)

    async def lesson(new):
        hanging = asyncio.create_task(new().open(f"{LINK}&model=openai/whisper-base"))
        await asyncio.sleep(0.3)
        other = await new().open(LINK)
        assert not hanging.done()
        MACHINE.loads._longest = 1.0
        return other, await hanging

    other, hung = in_class(address, lesson)
    never.set()
    assert other.done and not other.refused
    assert "openai/whisper-base has not come within 1 s" in hung.refused


def test_a_run_over_a_corpus_that_nobody_asked_for_waits_for_the_button(address, slow):
    async def lesson(new):
        visitor = new()
        event = await ready(visitor, "?technique=cka&clip=en_f_weasels")
        flag = next(n for n in event["inputs"] if visitor.page.components[n]["type"] == "checkbox")
        status = event["outputs"].index(visitor.page.named("status-cka"))
        visitor.values[flag] = True
        messages = [message async for message in visitor.messages(event)]
        return [m["output"]["data"][status] for m in messages if m["msg"] == "process_generating"]

    shown = in_class(address, lesson)
    assert "Press “Run”" in str(shown) and not slow


def test_later_pictures_are_drawn_with_what_the_sliders_say_now(address, slow):
    async def lesson(new):
        visitor = new()
        event = await ready(visitor)
        layer = next(n for n in event["inputs"] if visitor.page.components[n]["props"].get("label") == "Layer")
        redraw = next(e for e in visitor.page.events.values() if [layer, "input"] in [list(t) for t in e["targets"]])
        status = event["outputs"].index(visitor.page.named("status-attention"))
        lines = []
        run = asyncio.create_task(collect(visitor, event, status, lines))
        while not lines:
            await asyncio.sleep(0.02)
        visitor.values[layer] = 2
        await visitor.ask(redraw)
        await run
        return lines

    async def collect(visitor, event, status, lines):
        async for message in visitor.messages(event):
            data = (message.get("output") or {}).get("data") or []
            if len(data) > status and data[status]:
                lines.append(data[status])

    lines = in_class(address, lesson)
    assert "layer 2" in str(lines[-1]) or "layer 2" in str(lines[1:])
