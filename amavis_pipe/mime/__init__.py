"""Readers of mail: header, transfer encodings, names, structure. Hot; no I/O."""
