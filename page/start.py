"""The start page: what this is, what one can ask, and the path of lessons."""

import gradio as gr

from methods import TECHNIQUES
from page.contents import GROUPS, question, techniques_of
from page.lessons import LESSONS, address

WELCOME = """## What does a speech model hear, and how does it come to its words?
Choose a clip, look inside, and check every picture against the same network with random weights: if both look alike,
the picture shows the architecture or the clip, not what the model has learnt.
"""


def start_page() -> None:
    """Lay out the start page."""
    gr.Markdown(WELCOME)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            gr.Markdown("\n\n".join(map(overview, GROUPS)))
        with gr.Column(min_width=300):
            gr.Markdown(_path())
    gr.Markdown(CREDITS)


def overview(group: str) -> str:
    """The questions of one group of techniques, each a link."""
    return "\n".join([f"### {group}", *map(_technique, techniques_of(group))])


def _technique(name: str) -> str:
    title = TECHNIQUES[name][1]
    return f"- [**{title}**](?technique={name}): {question(name)}"


def _path() -> str:
    """The questions, each a link to its view; the answer stands there."""
    lines = [f"1. [{lesson.question}]({address(number)})" for number, lesson in enumerate(LESSONS, 1)]
    return "\n".join(
        ["### Lessons with known answers", "A question to guess at, the picture, then the answer.", *lines]
    )


CREDITS = """### Where it comes from
The programme follows the tutorial *Interpretability Techniques for Speech Models*, Interspeech 2025, and the papers
named in each tab. The formulas are implemented anew, and each is tested against an independent computation. In a
notebook the same numbers are a function call away: open “Python that makes these numbers again” under any plot."""
