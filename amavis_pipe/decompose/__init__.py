"""Decoders and what they are written against. Cold: runs in the sandboxed child."""
