"""How is the unit of a number said, of one or several? Currencies, measures, degrees, halves of the day, “million”."""

import re

from methods.core.speech.words import CURRENCIES

CENTS = {"$": ("cent", "cents"), "€": ("cent", "cents"), "£": ("penny", "pence")}  # one, several
MAGNITUDES = {"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion", "tn": "trillion"}
LARGE = ("hundred", "thousand", "million", "billion", "trillion")
UNITS = {  # one, several: said in full after a number only
    "km": ("kilometer", "kilometers"), "cm": ("centimeter", "centimeters"), "mm": ("millimeter", "millimeters"),
    "kg": ("kilogram", "kilograms"), "mph": ("mile per hour", "miles per hour"), "hz": ("hertz", "hertz"),
    "khz": ("kilohertz", "kilohertz"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "ft": ("foot", "feet"),
}  # fmt: skip
HALVES = {"am": "a. m.", "pm": "p. m."}  # of the day
SCALES = {"c": "celsius", "f": "fahrenheit"}  # right after a sign of degrees


def magnitude(word: str) -> str | None:
    """The name of “million” or its kind that follows an amount, also where it is short."""
    return word if word in LARGE else MAGNITUDES.get(word)


def is_short(word: str) -> bool:
    """Whether a word of letters may stand for another: “kg”, “a.m”, “bn”."""
    return word.casefold().replace(".", "") in (*UNITS, *HALVES, *MAGNITUDES)


def unit(written: str, one: bool) -> str | None:
    """“euro”, “yen”, “cents”, “kilograms”, “degree celsius”, “billion”; None for what is no unit."""
    short = written.casefold()
    if written in CURRENCIES:
        return CURRENCIES[written].removesuffix("s" if one else "")
    if re.fullmatch("°[cf]?", short):
        return f"{'degree' if one else 'degrees'} {SCALES.get(short[1:], '')}"
    if short in ("mn", "bn", "tn"):
        return MAGNITUDES[short]
    pair = CENTS["$"] if written == "¢" else UNITS.get(short)
    return pair and pair[not one]
