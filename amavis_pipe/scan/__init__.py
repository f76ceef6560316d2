"""Scanners other than clamd: rows, replies. Cold.

As a function: amavis_pipe.library.scan().
"""

import sys

from amavis_pipe import Room

sys.modules[__name__].__class__ = Room
