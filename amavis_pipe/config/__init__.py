"""The settings file: its options, reading it, the commented default. Cold."""
