"""Two results side by side: the same technique for another model, clip or option, on one scale, with their difference.

`partner` says what may stand beside a view, `layout` and `side` are where it stands, `events` runs it and shows the
pair. `scales` puts what both draw on common scales and subtracts what can be subtracted (`figures`: for curves), and
`files` makes one file of both.
"""
