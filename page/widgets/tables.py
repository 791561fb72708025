"""Small HTML tables whose every cell is text."""

import html
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """An HTML table of cells that are HTML already."""
    top = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in heads)
    lines = ("".join(f"<td style='min-width:5em'>{cell}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    title = f"<caption>{html.escape(caption)}</caption>"
    # Without a width of its own, so that on a phone the table scrolls in its box and does not widen the page.
    box = "<div style='overflow-x:auto;width:0;min-width:100%'>"
    return f"{box}<table>{title}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


CELL = "padding:4px 10px;vertical-align:top;text-align:left"


def html_table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Column names and rows of cells; cells are HTML: whoever makes them escapes what comes from outside."""
    head = "".join(f"<th scope='col' style='{CELL}'>{name}</th>" for name in names)
    lines = ("".join(f"<td style='{CELL}'>{cell}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<div style='overflow-x:auto'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
