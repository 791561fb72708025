"""The technique tabs, and which techniques the HTTP API cannot run."""

import importlib

from methods import attention, attention_norm, value_zeroing
from page.recipe import Shell, Tab
from page.tabs.mixing import mixing_tab

MAPS = {"attention": attention, "attention_norm": attention_norm, "value_zeroing": value_zeroing}
NOT_SCRIPTED = ("two_lenses", "continuum", "cue_contribution")  # more than a clip, a text and options


def technique_tab_of(name: str, shell: Shell) -> Tab:
    """A technique's tab: `<name>_tab` of `page/tabs/<name>.py`; the three maps of words by words share one."""
    if name in MAPS:
        return mixing_tab(MAPS[name], shell, by_head=name != "value_zeroing")
    return getattr(importlib.import_module(f"page.tabs.{name}"), f"{name}_tab")(shell)
