"""Scanners other than clamd: rows, replies. Cold."""
