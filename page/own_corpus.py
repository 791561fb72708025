"""A visitor's own recordings: read when they are needed, and kept for everybody's sake within the machine's memory.

A session remembers a name alone. Packed, thirty clips may be a hundred kilobytes; read, they are 57 MB.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from methods.core import corpus as corpora
from methods.core.corpus import Corpus, articulation
from methods.core.corpus.articulation import Articulation
from methods.core.errors import UserError
from page.runs.machine import MACHINE


@dataclass(frozen=True)
class OwnCorpus:
    """A zip that was uploaded: where Gradio keeps it for some hours, and what is in it."""

    path: str
    sha256: str  # of the zip

    def read(self) -> Corpus | Articulation:
        """The recordings, read again if they had to make room. Raises UserError if the zip is gone too."""
        kept = MACHINE.store.find(("corpus", self.sha256))
        if kept is not None:
            return kept
        if not Path(self.path).is_file():
            raise UserError("Your own corpus is not kept any longer; upload its zip again.")
        found = articulation.read_zip(self.path) or corpora.read_zip(self.path)
        MACHINE.store.put(("corpus", self.sha256), found)
        return found


def uploaded(path: str) -> OwnCorpus:
    """The zip at this path, which two visitors may have brought alike."""
    with Path(path).open("rb") as file:
        return OwnCorpus(path, hashlib.file_digest(file, "sha256").hexdigest())
