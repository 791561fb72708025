"""Which clip a visitor had before the one on screen: to set both side by side, his own among them."""

from dataclasses import dataclass

from page.session import Session


@dataclass(frozen=True)
class Trail:
    """The clip that is here, and the other one that was here before it."""

    now: Session | None = None
    before: Session | None = None

    def on_to(self, session: Session | None) -> "Trail":
        """The trail with what is here now; new words or another text of the same sound are no other clip."""
        if session is None:
            return self
        same = self.now is None or self.now.clip.sha256 == session.clip.sha256
        return Trail(session, self.before if same else self.now)
