"""The table of contents beside every view: each technique under its group, with its question to search in."""

import html

from methods import TECHNIQUES, technique

GROUPS = tuple(dict.fromkeys(group for group, _ in TECHNIQUES.values()))
FIRST_LINE = '<a class="toc-item" data-view="" href="?">Start here: lessons and overview</a>'
SEARCH = (
    '<input id="find" type="search" placeholder="Find a technique …" aria-label="Find a technique" autocomplete="off">'
)
NOTHING = '<p class="toc-none" hidden>No technique says that; try “phone”, “word” or “layer”.</p>'
TOP_BAR = (
    '<button id="drawer" type="button" aria-expanded="false" aria-controls="side">☰ Clip, model, techniques'
    '<span aria-hidden="true">Inside Speech Models</span></button>'
)


def contents() -> str:
    """HTML of the whole table; `ism.go` follows its links without loading the page again."""
    groups = "".join(map(_group, GROUPS))
    return f'<nav id="contents" aria-label="Techniques">{SEARCH}{FIRST_LINE}{groups}{NOTHING}</nav>'


def _group(group: str) -> str:
    items = "".join(map(_item, techniques_of(group)))
    return f"<details open><summary>{html.escape(group)}</summary>{items}</details>"


def _item(name: str) -> str:
    title, asked = html.escape(TECHNIQUES[name][1]), html.escape(question(name), quote=True)
    return f'<a class="toc-item" data-view="{name}" href="?technique={name}" title="{asked}">{title}</a>'


def techniques_of(group: str) -> list[str]:
    """The names of a group's techniques, in their order."""
    return [name for name, (its_group, _) in TECHNIQUES.items() if its_group == group]


def question(name: str) -> str:
    """What a technique answers, in one line."""
    return " ".join(technique(name).__doc__.strip().split("\n\n", 1)[0].strip("*").split())
