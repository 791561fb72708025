"""The tab of cue contribution: a bundled homophone pair or two words of the clip; shares, then probabilities."""

import html

import gradio as gr
import numpy as np
from matplotlib.axes import Axes

from methods import cue_contribution
from methods.core.errors import UserError, counted
from methods.core.frames import Segment
from methods.core.models.sites import Stack
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Steps
from methods.cue_contribution import CueContribution
from methods.cue_contribution import cue as cues
from methods.cue_contribution import figure as cue_figure
from methods.cue_contribution.stretches import FEWEST, LEVEL
from page.examples import EXAMPLES
from page.recipe import Recipe, Shell, Tab, Values
from page.session import Session
from page.tabs.cue_contribution_set import sentence_set
from page.technique_tab import technique_tab
from page.widgets.pictures import inline_svg

MOST_WORDS = 80  # a 30 s clip of fast speech has some 80; links name a word by its number
OWN = "own"
PLACES = [(str(number), str(number)) for number in range(1, MOST_WORDS + 1)]
PAIRS = {pair.clip: pair for pair in cues.PAIRS}
PROMPT = [("count", "yes"), ("leave out", "no")]
LIMITS = {  # of numbers in one call of the HTTP API: least and most
    "cue_occurrence": (1, 1000),
    "target_occurrence": (1, 1000),
    "silenced": (0, 10),  # an encoder pass each
}
FROM_CUE = "Layer *{row}*, by *{column}*: {percent} of what the target takes comes from the cue."  # a cell


def cue_contribution_tab(shell: Shell) -> Tab:
    """Lay out the tab and connect it; the lists of words follow the clip."""
    recipe = Recipe(
        module=cue_contribution,
        controls=_controls,
        outputs=_outputs,
        steps=_steps,
        drawn=drawn,
        status=status_line,
        plot_options=lambda _result, _values: {},
        rerun=("pair", "prompt"),
    )
    tab = technique_tab(recipe, shell)
    shell.follow(_word_lists, [tab.controls["cue"], tab.controls["target"]])
    sentence_set(shell)
    return tab


def _controls() -> dict[str, gr.components.Component]:
    choices = [("two words of the clip above", OWN)]
    choices += [(f"“{pair.cue}” for “{pair.target}”, not “{pair.alternative}”", key) for key, pair in PAIRS.items()]
    with gr.Row(elem_classes="controls"):
        pair = gr.Dropdown(
            choices,
            value=OWN,
            label="Pair (a bundled French clip; needs Whisper base)",
            interactive=True,
            min_width=320,
        )
        cue = gr.Dropdown(PLACES, value="1", label="Cue, if your own", interactive=True, min_width=180)
        target = gr.Dropdown(PLACES, value="2", label="Target, if your own", interactive=True, min_width=180)
        prompt = gr.Radio(PROMPT, value="yes", label="Prompt tokens", interactive=True, min_width=180)
    return {"pair": pair, "cue": cue, "target": target, "prompt": prompt}


def _outputs() -> list[gr.components.Component]:
    gr.Markdown(
        "#### How much of the target comes from the cue, in %. A dot (•) marks what at most one random stretch in "
        f"{1 / LEVEL:.0f} reaches; it takes {FEWEST} of them"
    )
    shares = gr.HTML(elem_id="shares-cue_contribution")
    gr.Markdown("#### Does the answer change without the cue?")
    table = gr.HTML(elem_id="table-cue_contribution")
    return [shares, table]


def _word_lists(session: Session | None, _units: str, cue: str, target: str) -> list[dict]:
    """The words of the clip with their numbers; what was chosen stays chosen while it exists."""
    words = (session.words or ())[:MOST_WORDS] if session else ()
    if not words:
        return [gr.update(choices=PLACES)] * 2
    choices = [(f"{number}. {word.label}", str(number)) for number, word in enumerate(words, start=1)]

    def kept(value: str, default: int) -> str:
        return value if int(value) <= len(words) else str(min(default, len(words)))

    return [gr.update(choices=choices, value=kept(*pair)) for pair in ((cue, 1), (target, 2))]


def _steps(session: Session, model: SpeechModel, units: str, values: Values) -> Steps:
    prompt = values["prompt"] == "yes"
    if values["pair"] != OWN:
        return _pair_steps(PAIRS[values["pair"]], model, prompt)
    words = session.words or ()
    cue, target = (_chosen(words, role, values[role]) for role in ("cue", "target"))
    found = cues.find_homophones(target["target"])
    return cue_contribution.analyse.in_steps(
        session.clip,
        model,
        **cue,
        **target,
        alternative=list(found[0].spellings[1:]) if found else None,
        segments=words,
        transcript=session.text or _spoken(session),
        prompt=prompt,
    )


def _pair_steps(pair: cues.Pair, model: SpeechModel, prompt: bool) -> Steps:
    if not model.writes_text or not model.decoding.languages:
        raise UserError(
            f"This pair is French and {model.id} writes no French; choose openai/whisper-base, or two English words "
            "of the clip above."
        )
    return cue_contribution.analyse.in_steps(
        EXAMPLES[pair.clip].clip(),
        model,
        cue=pair.cue,
        target=pair.target,
        alternative=pair.alternative,
        swapped=pair.swapped,
        transcript=pair.transcript,
        language=pair.language,
        prompt=prompt,
    )


def _spoken(session: Session) -> str | None:
    """The text of a bundled clip, whose words were aligned with it; what the model hears might lack them."""
    return EXAMPLES[session.example].transcript if session.example else None


def _chosen(words: tuple[Segment, ...], role: str, number: str) -> Values:
    """The word with this number, and which of its occurrences it is."""
    place = int(number) - 1
    if place >= len(words):
        raise UserError(
            f"This clip has {counted(len(words), 'word')}, so there is no number {number}; choose another {role}."
        )
    label = words[place].label
    earlier = [word for word in words[: place + 1] if word.label.casefold() == label.casefold()]
    return {role: label, f"{role}_occurrence": len(earlier)}


def drawn(result: CueContribution, values: Values) -> tuple[str, str]:
    """The heat maps as one picture, and the table of probabilities."""

    def whole(ax: Axes, ink: str) -> None:
        figure = ax.figure
        figure.clear()
        cue_figure.draw_shares(figure, result, ink)

    stacks = cue_contribution.shown_stacks(result)
    layers = result.contribution(stacks[0]).shape[1]
    rows = 2 if result.random else 1
    size = (2.4 * len(stacks) + 0.9, rows * (0.26 * layers + 1.0))
    return inline_svg(whole, _summary(result), size, cell=FROM_CUE), probabilities(result)


def _summary(result: CueContribution) -> str:
    """The largest share of each stack, for readers who cannot see the maps."""
    parts = []
    for stack in cue_contribution.shown_stacks(result):
        shares = result.contribution(stack)
        score, layer = np.unravel_index(np.nanargmax(shares), shares.shape)
        parts.append(f"{stack}: at most {shares[score, layer]:.0%}, {cues.SCORES[score]}, layer {layer + 1}")
    return f"Share of “{result.target}” that comes from “{result.cue}”. {'; '.join(parts)}."


def probabilities(result: CueContribution) -> str:
    """Conditions by spellings, with what happens when something else is silenced or replaced; words are escaped."""
    if result.logprobs is None and result.provenance["decoder"] and not result.complete:
        return "<p class='quiet'>Comes after the random stretches.</p>"
    if result.logprobs is None:
        return "<p class='quiet'>This model writes no text, so there is no spelling to be likely or not.</p>"
    lines = [
        (condition, [f"{p:.3f} <small>(log p {log:.2f})</small>" for p, log in zip(mean, logs, strict=True)])
        for condition, mean, logs in zip(result.conditions, result.probabilities, result.logprobs, strict=True)
    ]
    names = ("other sound silenced instead", "other text replaced instead")
    nulls = zip(names, (result.silenced_null, result.replaced_null), result.apart, strict=True)
    for name, values, apart in nulls:
        if len(values):
            spread = zip(values.mean(0), values.min(0), values.max(0), strict=True)
            cells = [f"{mean:.3f} <small>({low:.3f} to {high:.3f})</small>" for mean, low, high in spread]
            places = counted(len(values), "place") + (f", {apart} apart" if apart < len(values) else "")
            lines.append((f"{name} ({places})", cells))
    head = "".join(f"<th>“{html.escape(name)}”</th>" for name in result.spellings)
    body = "".join(
        f"<tr><td>{html.escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for name, cells in lines
    )
    caption = "Mean probability of the spelling's tokens, teacher-forced"
    return f"<table class='prose'><caption>{caption}</caption><tr><th>condition</th>{head}</tr>{body}</table>"


def status_line(result: CueContribution, values: Values) -> str:
    """What is on screen, in one line."""
    origin, parts = result.provenance, []
    parts.append(f"**{origin['model']}**, clip {origin['clip']}")
    for name, place in (("cue", result.cue_seconds), ("target", result.target_seconds)):
        parts.append(f"{name} {place[0]:.2f} to {place[1]:.2f} s")
    parts.append(f"even spread over {counted(result.words, 'word')} {1 / result.words:.0%}")
    parts += [_stretches(result, stack, where) for stack, where in result.null_places]
    parts += _marked(result)
    if not result.random:
        parts.append("the random-weights control is being computed …")
    return " · ".join(parts)


def _stretches(result: CueContribution, stack: Stack, where: str) -> str:
    """How many random stretches there are, and why no share is marked where they are few."""
    count = result.distinct(stack)
    if not count:
        return f"random stretches, {stack}: {where}, so no •"
    few = f" (too few for •, which needs {FEWEST})" if count < FEWEST else ""
    return f"random stretches, {stack}: {count}, {where}{few}"


def _marked(result: CueContribution) -> list[str]:
    """How many dots there are, beside the number that chance gives."""
    found, cells, expected = np.sum([result.dots(stack) for stack, _ in result.null_places] or [(0, 0, 0.0)], axis=0)
    if not cells:
        return []
    return [f"• in {found:.0f} of {cells:.0f} cells; chance alone would mark about {expected:.1f}"]
