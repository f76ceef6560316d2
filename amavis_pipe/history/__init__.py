"""The journal's past: its files folded into a base that is asked by id, address, content and finding. Cold.

    fold(state, days, size)     takes over what is new, packs closed days, expires old ones
    records(state, since, until)   every record of a time, wherever it is kept
    find(state, what)           the records of a mail, by queue id, Message-ID or SHA-256
    load(state, since, until)   what was counted of a time (count.py)

The journal's files are the truth; the base (base.py) only says where in them a record is, and counts them.
Both are made in a way that a crash at any point neither loses nor doubles a record (folding.py, pack.py).
"""

from amavis_pipe.history.base import HistoryTrouble
from amavis_pipe.history.folding import Folded, fold, waiting
from amavis_pipe.history.loading import load
from amavis_pipe.history.reading import find, records

__all__ = ("Folded", "HistoryTrouble", "find", "fold", "load", "records", "waiting")
