"""Compiled help is not built in code: the sample is that of Debian's clamav-testfiles."""

SAMPLE = "/usr/share/clamav-testfiles/clam.chm"
NAMES = (b"clam.exe", b"clam.html")
pack = None
