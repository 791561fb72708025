"""What a run shows first, for tests that need no more of it."""


def first_shown(steps, _report=None):
    """The first partial result of a run, or its result; stands in for `finish`, whose second argument it ignores."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        if step.partial is not None:
            return step.partial
