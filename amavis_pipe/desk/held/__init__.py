"""The commands `quarantine …`: what is held back, looked at, released, removed."""
