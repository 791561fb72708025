"""The Python lines that make the numbers on the page again."""

import inspect
import json
import shlex
from pathlib import Path

from methods import technique as technique_module
from methods.core import corpus as corpora
from methods.core.corpus import articulation
from methods.core.options import own_options
from methods.core.results import Json, Provenance, Result
from page.examples import EXAMPLES
from page.recipe import Values
from page.session import Session

# Written out in their own way.
NOT_OPTIONS = {"clip", "corpus", "model", "segments", "phones", "transcript", "random_seeds"}

ELSEWHERE = {  # corpora that are made in another way
    "prompts + voices": 'corpora.bundled("prompts").joined(corpora.bundled("voices"))',
    articulation.SYNTHETIC: "articulation.bundled()",
    articulation.OWN: "articulation.read_zip('YOUR_CORPUS.zip')",
}


def snippet(result: Result, technique: str, session: Session, shown: Values) -> str:
    """A script to run beside this repository, for the result on screen. A visitor's own file is named by hand."""
    origin, options = result.provenance, result.provenance["options"]
    if "corpus" in origin:
        return _over_corpus(result, technique, session, shown)
    file = _file(session, origin["clip_sha256"])
    drawing = ", ".join(f"{name}={value!r}" for name, value in shown.items() if value is not None)
    return f"""from methods import {technique}
from methods.core.alignment import Segment
from methods.core.audio import load_clip
from methods.core.models import load_model

clip = load_clip({file!r})
model = load_model({origin["model"]!r})
{_segments(options)}
result = {technique}.analyse({", ".join(["clip", "model", *_arguments(technique, options)])})
result.table().to_csv("{technique}.csv", index=False)
{technique}.plot(result, {drawing}).savefig("{technique}.svg")
{_command(result, technique)}"""


def _command(result: Result, technique: str) -> str:
    """How the same is asked of every recording of a folder, as a comment: a command for the terminal."""
    module = technique_module(technique)
    options = result.provenance["options"]
    kept = {name: options[name] for name in own_options(module.analyse) if options.get(name) not in (None, "", [], ())}
    written = [f"--option {shlex.quote(f'{name}={_spelled(value)}')}" for name, value in kept.items()]
    parts = [
        f"run {technique}",
        f"--model {shlex.quote(result.provenance['model'])}",
        "--corpus YOUR_FOLDER",
        *written,
    ]
    return (
        "\n# The same for every recording of a folder, in a terminal:\n# python -m methods " + " ".join(parts) + "\n"
    )


def _spelled(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _over_corpus(result: Result, technique: str, session: Session, shown: Values) -> str:
    origin, options = result.provenance, result.provenance["options"]
    drawing = ", ".join(["result", *(f"{name}={value!r}" for name, value in shown.items() if value is not None)])
    model = "None" if origin["model"] is None else f"load_model({origin['model']!r})"
    beside, more = _beside(options, session)
    return f"""from methods import {technique}
from methods.core.corpus import articulation
from methods.core import corpus as corpora
from methods.core.audio import load_clip
from methods.core.models import load_model
from methods.core.alignment.textgrid import read_textgrid

{_corpus(origin, session)}{beside}
model = {model}
result = {technique}.analyse({", ".join(["corpus", "model", *_arguments(technique, options), *more])})
result.table().to_csv("{technique}.csv", index=False)
{technique}.plot({drawing}).savefig("{technique}.svg")
"""


def _corpus(origin: Provenance, session: Session) -> str:
    name = origin["corpus"]
    if name in ELSEWHERE:
        return f"corpus = {ELSEWHERE[name]}"
    if name in corpora.CORPORA and corpora.bundled(name).sha256 == origin["corpus_sha256"]:
        return f"corpus = corpora.bundled({origin['corpus']!r})"
    if origin["corpus"] != session.clip.name:
        return "corpus = corpora.read_zip('YOUR_CORPUS.zip')"
    file = _file(session, session.clip.sha256)
    return f"""tiers = read_textgrid(open({_textgrid(origin, session)!r}, "rb").read())
corpus = corpora.of_clip(load_clip({file!r}), tiers["words"], tiers.get("phones", ()))"""


def _file(session: Session, sha256: str) -> str:
    bundled = session.example and session.clip.sha256 == sha256
    return f"examples_audio/{EXAMPLES[session.example].file}" if bundled else "YOUR_RECORDING.wav"


def _textgrid(origin: Provenance, session: Session) -> str:
    """The one that comes with the clip, if that is what was used; else the one that the page offers for download."""
    tiers = EXAMPLES[session.example].tiers() if session.example else {}
    known = corpora.of_clip(session.clip, tiers.get("words", ()), tiers.get("phones", ()))
    if not tiers or known.sha256 != origin["corpus_sha256"]:
        return "YOUR_RECORDING.TextGrid"
    return str(Path(_file(session, session.clip.sha256)).with_suffix(".TextGrid"))


def _beside(options: Provenance, session: Session) -> tuple[str, list[str]]:
    """The line and the argument for a clip that a technique over many clips reads as well."""
    if not options.get("clip_sha256"):
        return "", []
    return f"\nclip = load_clip({_file(session, options['clip_sha256'])!r})", ["clip=clip"]


def _arguments(technique: str, options: Provenance) -> list[str]:
    """The options of `analyse` that a result remembers, as they are written in Python."""
    taken = inspect.signature(technique_module(technique).analyse).parameters
    written = ["segments=segments"] if "segments" in taken and options.get("segments") else []
    if "transcript" in taken and options.get("transcript_given"):
        written.append(f"transcript={options['transcript']!r}")
    if "phones" in taken and options.get("phones"):
        written.append("phones=phones")
    kept = [name for name in taken if name not in NOT_OPTIONS and options.get(name) is not None]
    written += [f"{name}={options[name]!r}" for name in kept]
    if "random_seeds" in taken and "random_seeds" in options:
        written.append(f"random_seeds={tuple(options['random_seeds'])!r}")
    return written


def _segments(options: Provenance) -> str:
    """The words or phones that a result was made for, as Python."""
    if options.get("segments") and options.get("layers"):
        return "from methods.core.mixing import single_frames\nsegments = single_frames(clip, model)"
    return "\n".join(_listed(name, options[name]) for name in ("segments", "phones") if options.get(name))


def _listed(name: str, cut: list) -> str:
    lines = (f"    Segment({label!r}, {start!r}, {end!r})," for label, start, end in cut)
    return "\n".join((f"{name} = (", *lines, ")"))
