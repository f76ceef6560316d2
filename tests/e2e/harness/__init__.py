"""Private servers and the installed product for the end-to-end tests; nothing here knows a test."""
