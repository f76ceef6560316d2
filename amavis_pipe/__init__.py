"""A content filter for Postfix: takes mail apart, has it scanned, decides, reinjects."""

__version__ = "0.1.0"
