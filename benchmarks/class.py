"""A class at one machine: how long visitors wait, and whether anybody is refused, in the page's own protocol.

    python benchmarks/class.py                  # all cases, each with a server of its own
    python benchmarks/class.py same mixed       # some of them
    python benchmarks/class.py --app ../other   # of another working copy

Seconds depend on the machine and on what else it does; the ratios to one visitor alone, in the same run, less so.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.visitor import PATIENCE, Page, Visit, Visitor, all_at_once

ROOT = Path(__file__).resolve().parent.parent
PORT = 7870
CLASS = 60  # visitors
WITHIN = 10.0  # s in which they come
ZEROING = "?technique=value_zeroing&clip={}"
CLIPS = ("en_f_weasels", "en_f_statement", "en_f_question", "en_m_illdisposed")
LESSONS = (
    "?technique=value_zeroing&clip=en_f_weasels&layer=1",
    "?technique=attention&clip=en_f_weasels&layer=1",
    "?technique=word_evidence&clip=en_f_weasels",
    "?technique=attention&clip=en_f_weasels&stack=cross&layer=4&head=2",
)
OTHERS = ("attention_norm", "context_mixing", "head_roles", "decoder_lens", "attribution")
FORGOTTEN = 130.0  # s in which the server has looked twice for visitors who have left
WARM = 20.0  # s for the server's own warm-up, where a case is not about a cold start


@asynccontextmanager
async def server(app: Path, warm: float = WARM) -> AsyncIterator[tuple[httpx.AsyncClient, Page, int]]:
    """The app of a working copy, its page, and its process."""
    with tempfile.TemporaryDirectory() as place:
        env = os.environ | {"GRADIO_SERVER_PORT": str(PORT), "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": place}
        process = subprocess.Popen([sys.executable, "app.py"], cwd=app, env=env, stdout=subprocess.DEVNULL)
        limits = httpx.Limits(max_connections=500)
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}", limits=limits) as http:
                page = await first_page(http)
                await asyncio.sleep(warm)
                yield http, page, process.pid
        finally:
            process.terminate()
            process.wait(30)


async def first_page(http: httpx.AsyncClient) -> Page:
    """The page, as soon as the port answers."""
    while True:
        try:
            return await Page.read(http)
        except httpx.TransportError:
            await asyncio.sleep(0.05)


async def alone(app: Path, link: str) -> Visit:
    """What one visitor waits who has the machine to himself."""
    async with server(app) as (http, page, _):
        return await Visitor(page, http).open(link)


async def same(app: Path) -> None:
    """60 visitors open one link within 10 s."""
    link = ZEROING.format(CLIPS[1])
    one = await alone(app, link)
    async with server(app) as (http, page, _):
        visits = await all_at_once([Visitor(page, http).open(link) for _ in range(CLASS)], WITHIN)
    told("60 open one link", visits, one)


async def mixed(app: Path) -> None:
    """60 visitors: 40 on lessons, 15 on other bundled views, 5 more on a view of their own each."""
    links = [LESSONS[number % len(LESSONS)] for number in range(40)]
    links += [f"?technique={OTHERS[n % len(OTHERS)]}&clip={CLIPS[n % 3]}" for n in range(15)]
    links += [
        f"{ZEROING.format(CLIPS[number % 4])}&units={'phones' if number % 2 else 'words'}" for number in range(5)
    ]
    async with server(app) as (http, page, _):
        visits = await all_at_once([Visitor(page, http).open(link) for link in links], WITHIN)
    told("60 on different views", visits)


async def slowest(app: Path) -> None:
    """Somebody runs spectrogram occlusion, another asks for value zeroing."""
    link = ZEROING.format(CLIPS[1])
    one = await alone(app, link)
    async with server(app) as (http, page, _):
        long = asyncio.create_task(Visitor(page, http).open(f"?technique=spectrogram_occlusion&clip={CLIPS[0]}"))
        await asyncio.sleep(10)
        visits = [await asyncio.wait_for(Visitor(page, http).open(link), 300)]
        long.cancel()
        await asyncio.gather(long, return_exceptions=True)
    told("beside spectrogram occlusion", visits, one)


async def visits(app: Path, count: int = 500) -> None:
    """Many bare visits one after the other: the memory of the server, before and after those who left are forgotten.

    Ours come faster than the server forgets (`page/upkeep.py`): it is given the time, then as many come again.
    """
    async with server(app) as (http, page, process):
        for number in range(2 * count):
            if number == count:
                await asyncio.sleep(FORGOTTEN)
                print(f"{FORGOTTEN:.0f} s later: {megabytes(process):.0f} MB", flush=True)
            await one_visit(page, http)
            if (number + 1) % 100 == 0:
                print(f"after {number + 1} visits: {megabytes(process):.0f} MB", flush=True)


async def one_visit(page: Page, http: httpx.AsyncClient) -> None:
    """Open the page as a browser does, and leave."""
    visitor = Visitor(page, http)
    beats = asyncio.create_task(heartbeat(http, visitor.session))
    await visitor.arrive()
    await visitor.leave()
    beats.cancel()
    await asyncio.gather(beats, return_exceptions=True)


async def heartbeat(http: httpx.AsyncClient, session: str) -> None:
    """What a browser keeps open as long as its page is."""
    async with http.stream("GET", f"/gradio_api/heartbeat/{session}", timeout=PATIENCE) as beats:
        async for _ in beats.aiter_raw():
            pass


async def cold(app: Path) -> None:
    """From the first answer of the port to the first map of a lesson's link."""
    async with server(app, warm=0.0) as (http, page, _):
        visit = await Visitor(page, http).open(LESSONS[0])
    told("cold start to a lesson", [visit])


def told(case: str, visits: list[Visit], one: Visit | None = None) -> None:
    """One line: how many were refused, and percentiles in seconds, beside one alone."""
    refused = sorted({visit.refused for visit in visits if visit.refused})
    line = f"{case}: {sum(bool(visit.refused) for visit in visits)} of {len(visits)} refused {refused[:2]}"
    for what in ("first", "done"):
        found = sorted(value for visit in visits if (value := getattr(visit, what)) is not None)
        if found:
            ninety_fifth = found[min(len(found) - 1, int(0.95 * len(found)))]
            line += f"; {what}: median {statistics.median(found):.1f} s, p95 {ninety_fifth:.1f} s"
            own = getattr(one, what, None)
            line += f" = {ninety_fifth / own:.1f} × one alone ({own:.1f} s)" if own else ""
    print(line, flush=True)


def megabytes(process: int) -> float:
    """What a process holds of the memory (Linux)."""
    fields = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


CASES = {case.__name__: case for case in (same, mixed, slowest, visits, cold)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="case", help=f"some of: {', '.join(CASES)}; none: all of them")
    parser.add_argument("--app", type=Path, default=ROOT, help="the working copy whose app.py is started")
    asked = parser.parse_args()
    if unknown := set(asked.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    for name in asked.cases or CASES:
        begin = time.perf_counter()
        asyncio.run(CASES[name](asked.app))
        print(f"    ({name} took {time.perf_counter() - begin:.0f} s)", flush=True)
