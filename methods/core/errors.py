"""What a user is told in a sentence: errors that can be mended, and a run that was cut off."""

from collections.abc import Mapping
from types import MappingProxyType


def counted(number: int, noun: str) -> str:
    """So many of something: “no words”, “1 word”, “3 words”; for nouns whose plural ends in s."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


class UserError(ValueError):
    """Something the user can put right. Its message says what was found, why, and what to do.

    The page shows the message in a toast; in a notebook it is an ordinary exception.
    Every other exception is a bug of ours and is meant to crash loudly.

    `mend` names what an analysis takes that would put it right, each with its value: "…" where only the user knows it,
    None where it has to be left out. `segments` and `transcript` are what the labels of a recording give. Sentences
    are for people, and who asks by another way than Python is told how to give these there.
    """

    def __init__(self, *sentence: object, mend: Mapping[str, str | None] = MappingProxyType({})) -> None:
        super().__init__(*sentence)
        self.mend = dict(mend)


class OutOfTimeError(Exception):
    """A run reached its limit; its message says so in a sentence.

    Not a `UserError`: work that goes on without a part that a user could mend, and remembers why, must not take this
    for such a reason.
    """
