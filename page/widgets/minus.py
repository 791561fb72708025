"""Minus signs: what a visitor reads has “−3.2”, not the hyphen that Python writes."""

import re
from collections.abc import Callable, Sequence
from typing import Any

HYPHEN = re.compile(r"<[^>]*>|(?<![\w.−–-])-(?=\.?\d)")  # before a number and after none; a tag is left as it is


def with_minus(text: str) -> str:
    """HTML or Markdown with minus signs before its negative numbers; tags, ranges, dates and exponents stay."""
    return HYPHEN.sub(lambda found: found[0] if len(found[0]) > 1 else "−", text)


def told_with_minus(status: Callable[..., str]) -> Callable[..., str]:
    """A function's text, with minus signs."""
    return lambda *asked: with_minus(status(*asked))


def drawn_with_minus(drawn: Callable[..., Sequence[Any]]) -> Callable[..., Sequence[Any]]:
    """A function's outputs, with minus signs in those that are text."""
    return lambda *asked: tuple(with_minus(each) if isinstance(each, str) else each for each in drawn(*asked))
