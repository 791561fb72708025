"""Two results side by side: the same technique for another model, clip or option, on one scale, with their difference.

`partner` says what may stand beside a view, `one_scale` puts what both draw on common scales, `difference` subtracts
what can be subtracted, and `events` runs the second result and shows the pair.
"""
