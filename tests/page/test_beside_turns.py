"""Of two who compute the second side, the newer one's answer is what stays."""

import asyncio
from types import SimpleNamespace

from page.beside import events
from page.beside.side import Turns
from page.top.trail import Trail


def test_a_newer_choice_takes_over_only_when_it_is_watched():
    turns = Turns()
    old, new = turns.next(), turns.next()
    old.take_over()
    assert not old.is_over() and not new.is_over()  # else the run that both watch would be dropped
    new.take_over()
    old.take_over()
    assert old.is_over() and not new.is_over()


def test_who_is_overtaken_while_he_looks_for_the_other_clip_says_nothing_any_more(monkeypatch):
    """What he would say, that an answer is on its way, came after the newer one's answer, and stayed for ever."""

    async def known(_visitor):
        return "key", None

    async def looked_for(*_):
        newer.take_over()
        return SimpleNamespace(work=known)

    async def all_of(shown):
        return [each async for each in shown]

    turns = Turns()
    old, newer = turns.next(), turns.next()
    monkeypatch.setattr(events.Pairing, "_other", looked_for)
    monkeypatch.setattr(events, "Held", lambda _: SimpleNamespace(found=1))
    pairing = events.Pairing(SimpleNamespace(), SimpleNamespace(work=known), "clip:en_f_question")
    assert asyncio.run(all_of(pairing.shown(Trail(), SimpleNamespace(), None, old))) == []
