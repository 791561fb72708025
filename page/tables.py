"""Small tables of text as HTML, which scroll by themselves where a screen is narrow."""

from collections.abc import Iterable, Sequence

CELL = "padding:4px 10px;vertical-align:top;text-align:left"


def html_table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Column names and rows of cells; cells are HTML: whoever makes them escapes what comes from outside."""
    head = "".join(f"<th scope='col' style='{CELL}'>{name}</th>" for name in names)
    lines = ("".join(f"<td style='{CELL}'>{cell}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<div style='overflow-x:auto'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
