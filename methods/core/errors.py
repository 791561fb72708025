"""The one family of errors that a user can mend."""


class UserError(ValueError):
    """Something the user can put right. Its message says what was found, why, and what to do.

    The page shows the message in a toast; in a notebook it is an ordinary exception.
    Every other exception is a bug of ours and is meant to crash loudly.
    """
