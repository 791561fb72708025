"""The Python lines that make the numbers on the page again."""

import inspect
import json
import re
import shlex

from methods import technique as technique_module
from methods.core import corpus as corpora
from methods.core.corpus import articulation
from methods.core.options import from_text, own_options
from methods.core.results import Json, Provenance, Result
from page.examples import EXAMPLES, FOLDER
from page.recipe import Values
from page.session import BY_ATTENTION, Session

# Written out in their own way.
NOT_OPTIONS = {"clip", "corpus", "model", "segments", "phones", "words", "transcript", "random_seeds"}

EXAMPLES_FOLDER = "examples"  # the name in a script of the folder with the bundled clips
WHERE = "Run this in the folder of Inside Speech Models, where app.py is, or put that folder on PYTHONPATH."
IMPORTS = (
    "from pathlib import Path",
    "import methods",
    "from methods.core import corpus as corpora",
    "from methods.core.alignment import Segment",
    "from methods.core.alignment.textgrid import read_textgrid",
    "from methods.core.audio import load_clip",
    "from methods.core.corpus import articulation",
    "from methods.core.models import load_model",
)

ELSEWHERE = {  # corpora that are made in another way
    "prompts + voices": 'corpora.bundled("prompts").joined(corpora.bundled("voices"))',
    articulation.SYNTHETIC: "articulation.bundled()",
    articulation.OWN: "articulation.read_zip('YOUR_CORPUS.zip')",
}


def snippet(result: Result, technique: str, session: Session, shown: Values) -> str:
    """A script for the result on screen. A visitor's own file is named by hand; bundled ones are found anywhere."""
    origin, options = result.provenance, result.provenance["options"]
    if "corpus" in origin:
        return _over_corpus(result, technique, session, shown)
    file = _file(session, origin["clip_sha256"])
    drawing = ", ".join(f"{name}={value!r}" for name, value in shown.items() if value is not None)
    arguments = ["clip", "model", *_arguments(technique, options)]
    arguments += ["recording=recording"] if options.get("recording_name") else []
    return _script(
        technique,
        f"""clip = load_clip({file}){_recording(options)}
model = load_model({origin["model"]!r})
{_segments(options)}
result = {technique}.analyse({", ".join(arguments)})
result.table().to_csv("{technique}.csv", index=False)
{technique}.plot(result, {drawing}).savefig("{technique}.svg")
{_command(result, technique, session)}""",
    )


def _script(technique: str, lines: str) -> str:
    """The lines under their imports. Where the first import fails, Python prints it, and what it says on the right."""
    first = f"from methods import {technique}  # not found? {WHERE}"
    bundled = f"{EXAMPLES_FOLDER} = Path(methods.__file__).parents[1] / {FOLDER.name!r}\n"
    lines = (bundled if f"{EXAMPLES_FOLDER} /" in lines else "") + lines
    needed = [line for line in IMPORTS if re.search(rf"\b{line.split()[-1]}\b", lines)]
    return "\n".join([first, *needed, "", lines])


def _recording(options: Provenance) -> str:
    """The line for a second recording, of equal length, where one was taken."""
    name = options.get("recording_name")
    if not name:
        return ""
    file = f"{EXAMPLES_FOLDER} / {EXAMPLES[name].file!r}" if name in EXAMPLES else "'THE_OTHER_RECORDING.wav'"
    return f"\nrecording = load_clip({file})"


def _command(result: Result, technique: str, session: Session) -> str:
    """How the same is asked of every recording of a folder, as a comment: a command for the terminal."""
    taken, options = technique_module(technique).analyse, result.provenance["options"]
    kept = {name: options[name] for name, each in own_options(taken).items() if _is_said(options, name, each.default)}
    written = [f"--option {shlex.quote(f'{name}={_spelled(value)}')}" for name, value in kept.items()]
    model = f"--model {shlex.quote(result.provenance['model'])}"
    cut = [f"--units {_units(options, session)}"] if "segments" in inspect.signature(taken).parameters else []
    forced = ["--forced"] if options.get("transcript_given") else []
    line = " ".join((f"python -m methods run {technique}", model, "--corpus YOUR_FOLDER", *cut, *forced, *written))
    return f"\n# The same for every recording of a folder, in a terminal:\n# {line}\n"


def _is_said(options: Provenance, name: str, default: object) -> bool:
    """Whether a command has to say an option: nothing and an empty list are left out where they are the default."""
    if name not in options:
        return False
    plain = list(default) if isinstance(default, tuple) else default
    return options[name] not in (None, "", []) or options[name] != plain


def _units(options: Provenance, session: Session) -> str:
    """What the page has cut the clip into: phones or words of its labels, or what the model itself has heard."""
    cut = [tuple(segment) for segment in options.get("segments") or ()]
    if cut and cut == [(s.label, s.start, s.end) for s in session.phones]:
        return "phones"
    own = session.words is None or session.timing.startswith(BY_ATTENTION)
    return "own" if own or not cut else "words"


def _spelled(value: Json) -> str:
    """A value as the command line reads it: a bare text as it is, unless it would be read as something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    return value if value.isprintable() and from_text(value, str) == value and "," not in value else json.dumps(value)


def _over_corpus(result: Result, technique: str, session: Session, shown: Values) -> str:
    origin, options = result.provenance, result.provenance["options"]
    drawing = ", ".join(["result", *(f"{name}={value!r}" for name, value in shown.items() if value is not None)])
    model = "None" if origin["model"] is None else f"load_model({origin['model']!r})"
    beside, more = _beside(options, session)
    return _script(
        technique,
        f"""{_corpus(origin, session)}{beside}
model = {model}
result = {technique}.analyse({", ".join(["corpus", "model", *_arguments(technique, options), *more])})
result.table().to_csv("{technique}.csv", index=False)
{technique}.plot({drawing}).savefig("{technique}.svg")
""",
    )


def _corpus(origin: Provenance, session: Session) -> str:
    name = origin["corpus"]
    if name in ELSEWHERE:
        return f"corpus = {ELSEWHERE[name]}"
    if name in corpora.CORPORA and corpora.bundled(name).sha256 == origin["corpus_sha256"]:
        return f"corpus = corpora.bundled({origin['corpus']!r})"
    if origin["corpus"] != session.clip.name:
        return "corpus = corpora.read_zip('YOUR_CORPUS.zip')"
    file = _file(session, session.clip.sha256)
    return f"""tiers = read_textgrid({_textgrid(origin, session)}.read_bytes())
corpus = corpora.of_clip(load_clip({file}), tiers["words"], tiers.get("phones", ()))"""


def _file(session: Session, sha256: str) -> str:
    """A file as Python: a bundled one by its place beside the package, whatever folder the script runs in."""
    bundled = session.example and session.clip.sha256 == sha256
    return f"{EXAMPLES_FOLDER} / {EXAMPLES[session.example].file!r}" if bundled else "'YOUR_RECORDING.wav'"


def _textgrid(origin: Provenance, session: Session) -> str:
    """The one that comes with the clip, if that is what was used; else the one that the page offers for download."""
    tiers = EXAMPLES[session.example].tiers() if session.example else {}
    known = corpora.of_clip(session.clip, tiers.get("words", ()), tiers.get("phones", ()))
    if not tiers or known.sha256 != origin["corpus_sha256"]:
        return "Path('YOUR_RECORDING.TextGrid')"
    return f"({_file(session, session.clip.sha256)}).with_suffix('.TextGrid')"


def _beside(options: Provenance, session: Session) -> tuple[str, list[str]]:
    """The line and the argument for a clip that a technique over many clips reads as well."""
    if not options.get("clip_sha256"):
        return "", []
    return f"\nclip = load_clip({_file(session, options['clip_sha256'])})", ["clip=clip"]


def _arguments(technique: str, options: Provenance) -> list[str]:
    """The options of `analyse` that a result remembers, as they are written in Python."""
    taken = inspect.signature(technique_module(technique).analyse).parameters
    written = ["segments=segments"] if "segments" in taken and options.get("segments") else []
    if "transcript" in taken and options.get("transcript_given"):
        written.append(f"transcript={options['transcript']!r}")
    written += [f"{name}={name}" for name in ("phones", "words") if name in taken and options.get(name)]
    kept = [name for name in taken if name not in NOT_OPTIONS and options.get(name) is not None]
    written += [f"{name}={options[name]!r}" for name in kept]
    if "random_seeds" in taken and "random_seeds" in options:
        written.append(f"random_seeds={tuple(options['random_seeds'])!r}")
    return written


def _segments(options: Provenance) -> str:
    """The words or phones that a result was made for, as Python."""
    if options.get("segments") and options.get("layers"):
        return "from methods.core.mixing import single_frames\nsegments = single_frames(clip, model)"
    return "\n".join(_listed(name, options[name]) for name in ("segments", "phones", "words") if options.get(name))


def _listed(name: str, cut: list) -> str:
    lines = (f"    Segment({label!r}, {start!r}, {end!r})," for label, start, end in cut)
    return "\n".join((f"{name} = (", *lines, ")"))
