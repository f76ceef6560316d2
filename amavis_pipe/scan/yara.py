"""YARA rules."""

from amavis_pipe.scan.base import Answers, Base, Items


class Yara(Base):
    """A row with via = "yara"."""

    def ask(self, items: Items, until: float) -> Answers:
        """Each item's findings."""
        raise self.trouble("not built yet")
