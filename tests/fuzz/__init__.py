"""Fuzzers of everything that reads what others wrote; `make fuzz` runs them, driver.py says how."""
