"""The Python lines that make the numbers on the page again."""

from typing import Any

from page.examples import EXAMPLES
from page.session import Session


def snippet(result: Any, technique: str, session: Session, shown: dict[str, Any]) -> str:
    """A script to run beside this repository, for the result on screen. A visitor's own file is named by hand."""
    origin, options = result.provenance, result.provenance["options"]
    bundled = session.example and session.clip.sha256 == origin["clip_sha256"]
    file = f"examples_audio/{EXAMPLES[session.example].file}" if bundled else "YOUR_RECORDING.wav"
    text = f", transcript={options['transcript']!r}" if options.get("transcript_given") else ""
    narrowed = "".join(f", {name}={options[name]!r}" for name in ("stacks", "layers") if options.get("layers"))
    drawing = ", ".join(f"{name}={value!r}" for name, value in shown.items() if value is not None)
    return f"""from methods import {technique}
from methods.core.alignment import Segment
from methods.core.audio import load_clip
from methods.core.models import load_model

clip = load_clip({file!r})
model = load_model({origin["model"]!r})
{_segments(options)}
result = {technique}.analyse(
    clip, model, segments=segments{text}{narrowed}, random_seeds={tuple(options["random_seeds"])!r}
)
result.table().to_csv("{technique}.csv", index=False)
{technique}.plot(result, {drawing}).savefig("{technique}.svg")
"""


def _segments(options: dict[str, Any]) -> str:
    if options.get("layers"):
        return "from methods.core.mixing import single_frames\nsegments = single_frames(clip, model)"
    lines = (f"    Segment({label!r}, {start!r}, {end!r})," for label, start, end in options["segments"])
    return "\n".join(("segments = (", *lines, ")"))
