"""Builders of formats are those of the tests of decoders."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "decompose"))
