"""An installer is not built in code: the sample is that of Debian's clamav-testfiles."""

SAMPLE = "/usr/share/clamav-testfiles/clam-nsis.exe"
NAMES = (b"clam.exe",)
pack = None
