"""Builders of samples, one file for each format: pack(data) gives a container with that one file."""
