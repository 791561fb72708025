"""Changed recordings to listen to, and what the model now makes of them."""

import base64
import html
from collections.abc import Sequence

from methods.core import lens
from methods.core.audio import Clip, to_wav

# Never by colour alone: each kind has a line or a slant too. Tints that text can be read on, light or dark.
STYLES = {
    "correct": "",
    "substituted": "background:rgba(217,119,6,.30);text-decoration:underline dotted",
    "inserted": "background:rgba(124,58,237,.25);font-style:italic",
    "deleted": "opacity:.6;text-decoration:line-through",
}


def player(clip: Clip, caption: str, answer: str | None = None) -> str:
    """A browser's own player for one sound, with what the model hears in it. Nothing is stored on the server."""
    data = base64.b64encode(to_wav(clip)).decode("ascii")
    said = "" if answer is None else f"<div>The model hears: “{html.escape(answer)}”</div>"
    notes = "".join(f"<small class='quiet'>{html.escape(note)}</small>" for note in clip.notes)
    label = html.escape(caption, quote=True)
    sound = f"<audio controls preload='metadata' aria-label='{label}' src='data:audio/wav;base64,{data}'></audio>"
    return f"<figure style='margin:4px 0'><figcaption>{label}</figcaption>{sound}{notes}{said}</figure>"


def compared(old: str, new: str) -> str:
    """The new answer as HTML, what differs from the old one marked word by word (capitals do not count)."""
    before, after = lens.plain_words(old), lens.plain_words(new)
    if not before or "|" in old:  # phones: there a list of marks is harder to read than the string
        return html.escape(new)
    spans = []
    for edit in lens.edits(before, after):
        text = html.escape(edit.meant if edit.kind == "deleted" else edit.said)
        spans.append(f"<span style='{STYLES[edit.kind]}' title='{edit.kind}'>{text}</span>")
    return " ".join(spans)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """An HTML table of cells that are HTML already."""
    top = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in heads)
    lines = ("".join(f"<td style='min-width:5em'>{cell}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    title = f"<caption>{html.escape(caption)}</caption>"
    # Without a width of its own, so that on a phone the table scrolls in its box and does not widen the page.
    box = "<div style='overflow-x:auto;width:0;min-width:100%'>"
    return f"{box}<table>{title}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
