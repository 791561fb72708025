"""`python -m methods run …`: any technique over a corpus. See `methods/corpus_run`."""

import sys

from methods.corpus_run.command import main

if __name__ == "__main__":  # a process of the pool imports this file as well
    sys.exit(main())
