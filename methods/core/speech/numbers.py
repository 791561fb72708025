"""How are numbers read out in English? By the rules of `inflect`, whose only home this is; American, without “and”.

Money, percentages, measures, years, ordinals, decimals, times, fractions and ranges, in one written word or with a
space before the unit. Codes and telephone numbers (a leading zero or more than six digits) are read digit by digit. A
decimal comma, which the library leaves out, is a point.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache

from methods.core.speech import units
from methods.core.speech.words import CURRENCIES, SYMBOLS

LONGEST = 15  # digits that are read as one number; inflect knows names up to 10^36
_COIN = "".join(CURRENCIES)
_THOUSANDS = r"\d{1,3}(?:,\d{3})+(?!\d)"
_NUMBER = rf"(?:{_THOUSANDS}|\d+)(?:\.\d+)?|\.\d+"
_DATE = r"(?:[12]?\d|3[01]),(?:1[5-9]|20)\d\d(?!\d)"  # “May 5,2010”
# A comma is decimal before anything but three digits (“1,5”, not “1,500”), and before any after a lone 0, four digits
# or dotted thousands (“0,500”, “1234,567”, “1.500,250”); not in a list (“1,2,3”) or between years (“2019,2020”).
_DECIMAL_COMMA = re.compile(
    rf"(?<![\w.,])(?!{_DATE})(\d{{1,3}}(?:\.\d{{3}})+|0|\d{{4,}}(?!,\d{{4}}(?!\d))|\d{{1,3}}(?!,\d{{3}}(?!\d))),(\d+)(?![.,]?\d)"
)
_SIZE = rf"(?P<size>{'|'.join(sorted(units.MAGNITUDES, key=len, reverse=True))})?(?![^\W\d_])"
_UNIT = "|".join(sorted((*units.UNITS, *units.HALVES), key=len, reverse=True))
_CLOCK = r"\d{1,2}:[0-5]\d"
_HOUR = rf"(?:0?[1-9]|1[0-2]|{_CLOCK})"
_PART = r"(?:\d+ and )?\d{1,2}⁄\d{1,2}"  # a fraction of one character, as `apart` leaves it
_ENDING = rf"(?:{_UNIT}|{'|'.join(units.MAGNITUDES)}|st|nd|rd|th)(?![^\W\d_])"
_QUANTITY = rf"[{_COIN}¢]?(?:{_CLOCK}|{_NUMBER})(?:[{_COIN}¢%]|°[CF]?|{_ENDING})?"


def in_words(token: str) -> str:
    """A written word with its numbers in words: “$43,000” is “ forty three thousand dollars ”; the rest stays."""
    token = re.sub(rf"\d{{{LONGEST + 1},}}", lambda found: f" {_digits(found[0])} ", with_point(token))
    for pattern, said in _FORMS.values():
        token = pattern.sub(lambda found, said=said: f" {said(found)} ", token)
    return token


def with_point(token: str) -> str:
    """A written word whose decimal commas are points: “€1.500,25” is “€1,500.25”; thousands and lists stay."""
    return _DECIMAL_COMMA.sub(lambda found: f"{found[1].replace('.', ',')}.{found[2]}", token)


def apart(token: str) -> str:
    """A written word whose small digits do not run into the large ones when letters are taken apart: “2½”, “5²”."""
    token = re.sub(r"(?<=\d)(?=[¼-¾⅐-⅞])", " and ", token).replace("²", " squared ").replace("³", " cubed ")
    return re.sub("(?=[¹⁰-⁹₀-₉])(?<![¹⁰-⁹₀-₉])", " ", token)


def joins(before: str, after: str) -> bool:
    """Whether a dash between these two ends of a text is that of a range: “5–6”, “$3–$5”, “5th–6th”."""
    return bool(re.search(rf"\d[^\W\d_]{{0,3}}[{_COIN}¢%°]?[CF]?$", before) and re.match(rf"[{_COIN}¢]?\.?\d", after))


def money(token: str) -> tuple[str, str] | None:
    """The number of an amount in words, and the currency that is said after a “million” that follows it.

    None where the written word is no amount.
    """
    form = rf"([-−]?)([{_COIN}])([-−]?)({_NUMBER})(?:[-–]\2?({_NUMBER}))?"
    if not (found := re.fullmatch(form, _unwrapped(with_point(token)))):
        return None
    minus = "minus " if found[1] or found[3] else ""
    until = f" to {_decimal(found[5])}" if found[5] else ""
    return f"{minus}{_decimal(found[4])}{until}", CURRENCIES[found[2]]


def said_after(number: str, word: str) -> str | None:
    """How is a word read that belongs to the number before it, with a space between? “1 ¢”, “5 kg”, “2 ½”, “5 p.m.”

    None where it does not belong to it.
    """
    number, half = _unwrapped(number), units.HALVES.get(word.casefold().replace(".", ""))
    if half and re.fullmatch(rf"(?:{_HOUR}[-–])?{_HOUR}", number):
        return half
    if re.fullmatch(r"\d{1,3}", number) and re.fullmatch(r"½|¼|¾|[⅐-⅞]|[1-9][/⁄]\d{1,2}", word):
        return _and_part(word)
    counted = re.search(r"[\d½¼¾⅐-⅞]$", number)
    return units.unit(word, one=re.fullmatch("[-−+]?1", number) is not None) if counted else None


def _and_part(word: str) -> str | None:
    above, below = (int(part) for part in re.split("[/⁄]", unicodedata.normalize("NFKD", word)))
    return f"and {word}" if 0 < above < below <= 10 else None


def _unwrapped(token: str) -> str:
    return token.lstrip("([{\"“”‘'").rstrip(")]}\"“”’'")


def _money(found: re.Match[str]) -> str:
    coin, number, size = found["coin"], found["number"].replace(",", ""), found["size"]
    unit = CURRENCIES[coin]
    if size:
        return f"{_decimal(number)} {units.MAGNITUDES[size.lower()]} {unit}"
    whole, _, rest = number.partition(".")
    if rest and (len(rest) != 2 or coin not in units.CENTS):
        return f"{_decimal(number)} {unit}"
    cents = f"{_cardinal(rest)} {units.CENTS[coin][int(rest) > 1]}" if int(rest or 0) else ""
    if cents and not whole.strip("0"):
        return cents
    whole = whole or "0"
    said = f"{_cardinal(whole)} {units.unit(coin, whole.lstrip('0') == '1')}"
    if int(rest or 0) >= 10:
        return f"{said} {_cardinal(rest)}"  # “five dollars fifty”
    return f"{said} and {cents}" if cents else said


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
    hour, minute, half = _cardinal(found[1]), found[2], units.HALVES[found[3].lower()] if found[3] else ""
    if minute == "00":
        whole = "o'clock" if 1 <= int(found[1]) <= 12 else "hundred"
        return f"{hour} {half or whole}"
    return f"{hour} {'oh ' if minute[0] == '0' else ''}{_cardinal(minute)} {half}"


def _fraction(found: re.Match[str]) -> str:
    above, below = int(found[1]), int(found[2])
    if not 0 < above < below <= 10:
        return f"{_bare(found[1])} {_bare(found[2])}"  # “24/7”, “9/11”
    part = {2: "half", 4: "quarter"}.get(below) or _engine().ordinal(_cardinal(found[2]))
    return f"{_cardinal(found[1])} {part if above == 1 else _engine().plural(part)}"


def _measured(found: re.Match[str]) -> str:
    number, unit = found[1], found[2].lower()
    return f"{_decimal(number)} {units.HALVES.get(unit) or units.unit(unit, number == '1')}"


def _part_of(found: re.Match[str]) -> str:
    """A fraction that a unit follows, or a coin is before: “½ km”, “$2½”."""
    return f"{found['part'] or found['parts']} {units.unit(found['unit'] or found['coin'], one=False)}"


def _range(found: re.Match[str]) -> str:
    """From one quantity to another; what stands at the first only is said once, after both: “$3–5”."""
    first, last = found["first"], found["last"]
    if (coin := first[0]) in CURRENCIES and last[0].isdigit() and last[-1] not in "%°":
        return f"{first[1:]} to {coin}{last}"
    return found[0] if re.fullmatch(_NUMBER, first) and last[-1].isdigit() else f"{first} to {last}"


def _telephone(found: re.Match[str]) -> str:
    first, *_, last = groups = found[0].split("-")
    if len(groups) == 2 and first.endswith("0") and last.endswith("00"):
        return f"{first} to {last}"  # “100-1000”
    return " ".join(_digits(group) for group in groups)


def _cents(found: re.Match[str]) -> str:
    number = found[1] or found[2]
    return f"{_decimal(number)} {units.unit('¢', number == '1')}"


def _degrees(found: re.Match[str]) -> str:
    number = found[1] or ""
    return f"{_decimal(number)} {units.unit('°' + (found[2] or ''), number == '1')}"


def _plain(words: str) -> str:
    return words.replace("-", " ").replace(",", "")


# Each rule reads what those before it have left, so what a longer form would lose to a shorter one stands first: minus
# signs, which no later rule knows; fractions that a unit follows; digits that belong together (telephone, then range,
# before the rules that would read its two ends alone; then the loose range, since telephones have dashes too); what a
# coin, a degree or a colon makes of a number; endings; decimals; last bare digits. A test has an example for every two
# of them that must not change places.
_RULES: dict[str, tuple[str, Callable[[re.Match[str]], str]]] = {
    "coin before minus": (rf"(?<![\w.])([{_COIN}¢])[-−]({_NUMBER})", lambda found: f"-{found[1]}{found[2]}"),
    "minus": (rf"(?<![\w.,:;)%°¢{_COIN}\-–−])[-−](?=[{_COIN}¢]?\.?\d)", lambda found: "minus"),
    "part": (
        rf"(?P<coin>[{_COIN}¢])(?P<part>{_PART})|(?P<parts>{_PART})(?P<unit>[{_COIN}¢]|(?:{'|'.join(units.UNITS)})\b)",
        _part_of,
    ),
    "telephone": (r"(?<![\d-])(?:1-)?(?:\d{3}-)?\d{3}-\d{4}(?![\d-])", _telephone),
    "number sign": (r"#(?=\d)", lambda found: "number"),
    "range": (rf"(?<![\w\-–−.,:/])(?P<first>{_QUANTITY})[-–](?P<last>{_QUANTITY})(?![\w\-–:/])", _range),
    "coin first": (rf"(?P<coin>[{_COIN}])(?P<number>{_NUMBER}){_SIZE}", _money),
    "coin last": (rf"(?P<number>{_NUMBER}){_SIZE}(?P<coin>[{_COIN}])", _money),
    "cents": (rf"¢({_NUMBER})|({_NUMBER})¢", _cents),
    "degrees": (rf"({_NUMBER})?°([CF])?(?![^\W\d_])", _degrees),
    "sign first": (rf"[%°]({_NUMBER})", lambda found: f"{_decimal(found[1])} {SYMBOLS[found[0][0]]}"),
    "time": (r"(?<!\d)(\d{1,2}):([0-5]\d)(am|pm)?(?![^\W_:])", _time),
    "fraction": (r"(?<![\d/⁄.,])(\d{1,2})[/⁄](\d{1,2})(?![\d/⁄]|[.,]\d)", _fraction),
    "loose range": (r"(?<![-–\d.,])(\d[\d.,]*)[-–](\d[\d.,]*)(?![-–\d])", lambda found: f"{found[1]} to {found[2]}"),
    "ordinal": (rf"({_THOUSANDS}|\d+)(?:st|nd|rd|th)(?![^\W\d_])", _ordinal),
    "decade": (r"(\d+)['’]?s(?![^\W\d_])", _decade),
    "measure": (rf"({_NUMBER})({_UNIT})(?![^\W\d_])", _measured),
    "decimal": (rf"{_THOUSANDS}(?:\.\d+)?|\d*\.\d+", lambda found: _decimal(found[0])),
    "bare": (r"\d+", lambda found: _bare(found[0])),
}
_FORMS = {name: (re.compile(pattern, re.IGNORECASE), said) for name, (pattern, said) in _RULES.items()}


@cache
def _engine():
    import inflect  # noqa: PLC0415  two seconds: it checks its own types while it is imported

    return inflect.engine()
