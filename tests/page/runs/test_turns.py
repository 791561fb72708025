"""Whose turn it is, who shares what, and what becomes of work that nobody wants any more. No Gradio, no model."""

import threading

import pytest

from methods.core.errors import UserError
from methods.core.progress import Step
from page.runs.store import Store
from page.runs.turns import MEMORY, Turns


class Machine:
    """Turns by hand: every step lasts as long as its work says, on a clock of its own."""

    def __init__(self, **options):
        self.now, self.taken, self.closed = 0.0, [], []
        self.store = Store(2**20)
        self.turns = Turns(self.store, clock=lambda: self.now, **options)

    def work(self, name, steps=3, seconds=1.0, shows=(), error_at=None):
        def begun():
            try:
                for number in range(steps):
                    yield Step(number / steps, f"{name} {number}", f"{name} part" if number in shows else None)
                    if number == error_at:
                        raise UserError(f"{name} cannot be done.")
                    self.now += seconds
                    self.taken.append(name)
            finally:
                self.closed.append(name)
            return f"{name} result"

        return begun

    def join(self, name, visitor, key=None, wake=lambda: None, **how):
        return self.turns.join(key or name, name, self.work(name, **how), visitor, wake)

    def run(self, steps=10**6):
        while steps and self.turns.advance():
            steps -= 1


def test_all_who_ask_the_same_get_one_computation():
    machine = Machine()
    watches = [machine.join("map", f"visitor {number}") for number in range(60)]
    machine.run()
    assert machine.taken == ["map"] * 3
    assert all(watch.news.ended and watch.news.shown == "map result" for watch in watches)
    late = machine.join("map", "late")
    assert late.news.ended and late.news.shown == "map result" and machine.turns.waiting == 0


def test_a_late_comer_sees_the_latest_partial_result_at_once():
    machine = Machine()
    machine.join("map", "first", shows=(1,), steps=4)
    machine.run(2)
    late = machine.join("map", "late")
    assert (late.news.shown, late.news.version, late.news.ended) == ("map part", 1, False)


def test_least_attained_service_goes_first_and_each_step_is_a_new_decision():
    machine = Machine()
    machine.join("long", "a", steps=9, shows=(0,))
    machine.run(4)  # the first shows something; three seconds are had
    machine.join("short", "b", steps=4, shows=(0,))
    machine.run(5)
    assert machine.taken == ["long"] * 3 + ["short"] * 3 + ["long"]  # b has caught up with a


def test_of_one_visitors_two_jobs_the_older_one_goes_on_though_the_clock_never_stands_still():
    machine = Machine()

    def later_at_every_look():
        machine.now += 1e-6
        return machine.now

    machine.turns._clock = later_at_every_look
    machine.join("older", "one", steps=5, shows=(0,))
    machine.join("newer", "one", steps=5, shows=(0,))
    machine.run()
    assert machine.taken == ["older"] * 5 + ["newer"] * 5


def test_first_results_go_before_controls_of_whoever_has_had_less():
    machine = Machine()
    machine.join("rich", "rich", steps=2)
    machine.run()
    machine.join("poor", "poor", steps=5, shows=(0,))
    machine.run(1)  # the poor one has a picture now
    machine.join("new", "rich", steps=2)
    machine.run()
    assert machine.taken[2:4] == ["new", "new"]


def test_a_job_that_shows_nothing_for_long_does_not_go_before_all_pictures_for_ever():
    machine = Machine()
    machine.join("shown", "b", steps=3, shows=(0,))
    machine.run(1)
    machine.join("mute", "a", steps=60)
    machine.run(16)
    assert machine.taken.count("mute") >= 10 and machine.taken.count("shown") >= 2


def test_what_a_visitor_had_is_forgotten_by_half_in_two_minutes():
    machine = Machine()
    machine.join("past", "a", steps=8)
    machine.run()
    machine.now += 3 * MEMORY  # 8 s count as 1 s
    machine.join("b", "b", steps=2, shows=(0, 1), seconds=2.0)
    machine.run(2)
    machine.join("a", "a", steps=2, shows=(0, 1))
    machine.run(2)
    assert machine.taken[-1] == "a"


def test_who_leaves_ends_nobody_elses_run_and_the_last_one_frees_the_machine():
    machine = Machine()
    first, second = machine.join("map", "a", steps=9, shows=(0,)), machine.join("map", "b")
    machine.run(2)
    machine.turns.leave(first)
    machine.run(2)
    assert machine.taken == ["map"] * 3 and not second.news.ended
    machine.turns.leave(second)
    machine.turns.leave(second)  # twice is once
    machine.run()
    assert machine.taken == ["map"] * 3 and machine.closed == ["map"] and machine.turns.waiting == 0
    assert machine.store.find("map") is None
    assert machine.store.find(("stopped", "map")) == "map part"  # still on screen, and to be downloaded


def test_who_comes_back_during_the_last_step_of_a_dropped_job_finds_it():
    machine = Machine()
    first = machine.join("map", "a")
    first.job.at_work = True
    machine.turns.leave(first)
    again = machine.join("map", "a")
    assert again.job is first.job


def test_every_watcher_of_a_job_that_raises_hears_it_once_and_the_next_asker_tries_afresh():
    machine = Machine()
    woken = []
    watches = [machine.join("map", who, error_at=1, wake=lambda who=who: woken.append(who)) for who in "ab"]
    machine.run()
    assert [str(watch.news.error) for watch in watches] == ["map cannot be done."] * 2
    assert woken.count("a") == woken.count("b") == 3
    again = machine.join("map", "c")
    machine.run()
    assert again.news.shown == "map result"


def test_a_job_has_its_time_and_those_who_wait_for_their_turn_lose_nothing():
    machine = Machine(longest=lambda: 5.0)
    greedy = machine.join("greedy", "a", steps=50)
    patient = machine.join("patient", "b", steps=4)
    machine.run()
    assert "stopped after 5 s, 12% done" in str(greedy.news.error) and "greedy" in machine.closed
    assert patient.news.shown == "patient result"


def test_who_waits_is_told_his_place_and_when_the_others_included_there_is_more_to_see():
    machine = Machine()
    machine.join("map", "teacher", shows=(2,), steps=4)
    machine.run()  # shows after 2 s, ends after 4
    machine.join("map", "a", key=1, shows=(2,), steps=4)
    place = machine.turns.place(machine.join("map", "b", key=2, shows=(2,), steps=4))
    assert (place.number, place.others, place.seconds) == (2, 1, pytest.approx(4.0))
    unknown = machine.turns.place(machine.join("never run before", "c"))
    assert unknown.seconds is None and unknown.others == 2


def test_with_threads_of_its_own_two_hundred_visitors_with_faults_all_get_an_end():
    """Delays and errors injected: every run ends in a result or a sentence."""
    turns = Turns(Store(2**20), at_once=2)
    ends = {}

    def work(number):
        def steps():
            for step in range(3):
                yield Step(step / 3, "…", number)
                if number % 7 == 0 and step == 1:
                    raise RuntimeError("a bug")
                if number % 5 == 0:
                    threading.Event().wait(0.001)
            return number

        return steps

    done = [threading.Event() for _ in range(200)]
    watches = []
    for visitor in range(200):
        number = visitor % 40
        wake = done[visitor].set
        watches.append(turns.join(number, "work", work(number), str(visitor), wake))
    turns.start()
    for visitor, watch in enumerate(watches):
        while not watch.news.ended:
            assert done[visitor].wait(10), visitor
            done[visitor].clear()
        ends[visitor] = watch.news.error or watch.news.shown
        turns.leave(watch)
    assert turns.waiting == 0
    for visitor, end in ends.items():
        assert isinstance(end, RuntimeError) if visitor % 40 % 7 == 0 else end == visitor % 40
