"""How long a piece of work will take, told before it starts: a run that is cut off at its limit is worth nothing."""

from methods.core.errors import UserError

TIME_LIMIT = 600  # s, the longest that one run may take unless told


def check_time(needed: float, limit: float, what: str, way: str) -> None:
    """Raise UserError where `needed` seconds are more than `limit`; `way` says what to ask for instead."""
    if needed > limit:
        raise UserError(
            f"{what} would take about {needed:.0f} s here, more than the limit of {limit:.0f} s; {way}, or, in "
            "Python, set a higher time_limit."
        )
