"""How are numbers read out in English? By the rules of `inflect`, whose only home this is; American, without “and”.

Money, percentages, years, ordinals, decimals, times, fractions and ranges: whatever stands in one written word. Codes
and telephone numbers, which have a leading zero or more than six digits, are read digit by digit.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache

from methods.core.speech.words import CURRENCIES, SYMBOLS

CENTS = {"$": ("cent", "cents"), "€": ("cent", "cents"), "£": ("penny", "pence")}  # one, several
MAGNITUDES = {"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion", "tn": "trillion"}
LARGE = ("hundred", "thousand", "million", "billion", "trillion")
UNITS = {  # said in full right after a number only
    "km": "kilometers", "cm": "centimeters", "mm": "millimeters", "kg": "kilograms", "mph": "miles per hour",
    "hz": "hertz", "khz": "kilohertz", "lbs": "pounds", "ft": "feet", "am": "a. m.", "pm": "p. m.",
}  # fmt: skip
SCALES = {"c": "celsius", "f": "fahrenheit"}  # right after a sign of degrees
LONGEST = 15  # digits that are read as one number; inflect knows names up to 10^36
_COIN = "".join(CURRENCIES)
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_SIZE = rf"(?P<size>{'|'.join(sorted(MAGNITUDES, key=len, reverse=True))})?(?![^\W\d_])"


def in_words(token: str) -> str:
    """A written word with its numbers in words: “$43,000” is “ forty three thousand dollars ”; the rest stays."""
    token = re.sub(rf"\d{{{LONGEST + 1},}}", lambda found: f" {_digits(found[0])} ", token)
    for pattern, said in _FORMS:
        token = pattern.sub(lambda found, said=said: f" {said(found)} ", token)
    return token


def is_money(token: str) -> bool:
    """Whether a written word is an amount, whose currency is said after a “million” that follows."""
    return re.fullmatch(rf"[{_COIN}](?:{_NUMBER})", token) is not None


def amount(token: str) -> tuple[str, str]:
    """The number of an amount in words, and the currency that is said after it."""
    return _decimal(token[1:]), CURRENCIES[token[0]]


def _money(found: re.Match[str]) -> str:
    coin, number, size = found["coin"], found["number"].replace(",", ""), found["size"]
    unit = CURRENCIES[coin]
    if size:
        return f"{_decimal(number)} {MAGNITUDES[size.lower()]} {unit}"
    whole, _, rest = number.partition(".")
    if rest and (len(rest) != 2 or coin not in CENTS):
        return f"{_decimal(number)} {unit}"
    cents = f"{_cardinal(rest)} {CENTS[coin][int(rest) > 1]}" if int(rest or 0) else ""
    if cents and not whole.strip("0"):
        return cents
    whole = whole or "0"
    units = f"{_cardinal(whole)} {unit.removesuffix('s') if whole.lstrip('0') == '1' else unit}"
    if int(rest or 0) >= 10:
        return f"{units} {_cardinal(rest)}"  # “five dollars fifty”
    return f"{units} and {cents}" if cents else units


def _decimal(number: str) -> str:
    whole, _, rest = number.replace(",", "").partition(".")
    before = _cardinal(whole) if whole else ""
    return f"{before} point {_digits(rest)}".strip() if rest else before


@lru_cache(maxsize=4096)  # the library takes a millisecond for each
def _cardinal(digits: str) -> str:
    if len(digits) > LONGEST:
        return _digits(digits)
    return _plain(_engine().number_to_words(str(int(digits)), andword="", comma=""))


def _digits(digits: str) -> str:
    """One by one."""
    return " ".join(_cardinal(digit) for digit in digits)


def _year(digits: str) -> str:
    """In pairs: 1984, 1905 (“nineteen oh five”), 1900 (“nineteen hundred”)."""
    if digits.endswith("00"):
        return f"{_cardinal(digits[:2])} hundred"
    return _plain(_engine().number_to_words(digits, group=2, zero="oh"))


def _bare(digits: str) -> str:
    """A number with nothing around it: a year, a code or a count."""
    number = int(digits[:LONGEST])
    if (digits[0] == "0" and len(digits) > 1) or (len(digits) > 6 and not digits.endswith("000")):
        return _digits(digits)
    years = len(digits) == 4 and (1100 <= number < 2000 or 2010 <= number < 2100)
    return _year(digits) if years else _cardinal(digits)


def _ordinal(found: re.Match[str]) -> str:
    digits = found[1].replace(",", "")
    said = _cardinal(digits) if "," in found[1] else _bare(digits)
    *before, last = said.split()
    return " ".join([*before, _engine().ordinal(last)])


def _decade(found: re.Match[str]) -> str:
    *before, last = _bare(found[1]).split()
    return " ".join([*before, _engine().plural(last)])


def _time(found: re.Match[str]) -> str:
    hour, minute, half = _cardinal(found[1]), found[2], UNITS[found[3].lower()] if found[3] else ""
    if minute == "00":
        return f"{hour} {half}" if half else f"{hour} o'clock"
    return f"{hour} {'oh ' if minute[0] == '0' else ''}{_cardinal(minute)} {half}"


def _fraction(found: re.Match[str]) -> str:
    above, below = int(found[1]), int(found[2])
    if not 0 < above < below <= 10:
        return f"{_bare(found[1])} {_bare(found[2])}"  # “24/7”, “9/11”
    part = {2: "half", 4: "quarter"}.get(below) or _engine().ordinal(_cardinal(found[2]))
    return f"{_cardinal(found[1])} {part if above == 1 else _engine().plural(part)}"


def _measured(found: re.Match[str]) -> str:
    return f"{_decimal(found[1])} {UNITS[found[2].lower()]}"


def _cents(found: re.Match[str]) -> str:
    number = found[1] or found[2]
    return f"{_decimal(number)} {'cent' if number == '1' else 'cents'}"


def _degrees(found: re.Match[str]) -> str:
    number, scale = found[1], found[2] or ""
    said = f"{_decimal(number)} {'degree' if number == '1' else 'degrees'}" if number else "degrees"
    return f"{said} {SCALES.get(scale.lower(), '')}"


def _plain(words: str) -> str:
    return words.replace("-", " ").replace(",", "")


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), said)
    for pattern, said in (
        (rf"^[-−](?=[{_COIN}¢]?\.?\d)", lambda found: "minus"),
        (rf"(?P<coin>[{_COIN}])(?P<number>{_NUMBER}){_SIZE}", _money),
        (rf"(?P<number>{_NUMBER}){_SIZE}(?P<coin>[{_COIN}])", _money),
        (rf"¢({_NUMBER})|({_NUMBER})¢", _cents),
        (rf"({_NUMBER})?°([CF])?(?![^\W\d_])", _degrees),
        (rf"[%°]({_NUMBER})", lambda found: f"{_decimal(found[1])} {SYMBOLS[found[0][0]]}"),
        (r"(?<!\d)(\d{1,2}):([0-5]\d)(am|pm)?(?![^\W_:])", _time),
        (r"(?<!\d)(\d{3})-(\d{4})(?!\d)", lambda found: f"{_digits(found[1])} {_digits(found[2])}"),  # a telephone's
        (r"(?<![\d/⁄])(\d{1,2})[/⁄](\d{1,2})(?![\d/⁄])", _fraction),
        (r"(?<![-–\d.,])(\d[\d.,]*)[-–](\d[\d.,]*)(?![-–\d])", lambda found: f"{found[1]} to {found[2]}"),
        (r"#(?=\d)", lambda found: "number"),
        (r"(\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)(?![^\W\d_])", _ordinal),
        (r"(\d+)['’]?s(?![^\W\d_])", _decade),
        (rf"({_NUMBER})({'|'.join(UNITS)})(?![^\W\d_])", _measured),
        (r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+", lambda found: _decimal(found[0])),
        (r"\d+", lambda found: _bare(found[0])),
    )
)


@cache
def _engine():
    import inflect  # noqa: PLC0415  two seconds: it checks its own types while it is imported

    return inflect.engine()
