"""A real c-icap with its virus service, which asks our clamd."""

import socket
import subprocess
from pathlib import Path

from harness.waiting import wait_for

COMMAND = Path("/usr/bin/c-icap")
SERVICE = next(iter(Path("/usr/lib").glob("*/c_icap/virus_scan.so")), Path("/usr/lib/c_icap/virus_scan.so"))
PER_CONNECTION = 5
"""Questions on one connection: few, so that a mail has more."""
CONF = """\
PidFile {folder}/c-icap.pid
CommandsSocket {folder}/c-icap.ctl
Port 127.0.0.1:{port}
Timeout 60
MaxKeepAliveRequests {most}
KeepAliveTimeout 60
StartServers 1
MaxServers 1
MinSpareThreads 2
MaxSpareThreads 5
ThreadsPerChild 5
ServerAdmin root
ServerName localhost
TmpDir {folder}
ModulesDir {modules}
ServicesDir {modules}
TemplateDir /usr/share/c_icap/templates/
TemplateDefaultLanguage en
LoadMagicFile /etc/c-icap/c-icap.magic
ServerLog {folder}/server.log
AccessLog {folder}/access.log
Module common clamd_mod.so
clamd_mod.ClamdSocket {clamd}
Service antivirus_module virus_scan.so
ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple
virus_scan.DefaultEngine clamd
virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE
virus_scan.MaxObjectSize 64M
"""


class CIcap:
    """c-icap below `folder`, on a port of 127.0.0.1; `at` is its virus service."""

    def __init__(self, folder: Path, port: int, clamd: Path) -> None:
        folder.mkdir()
        self._port = port
        self.at = f"icap://127.0.0.1:{port}/avscan"
        conf = folder / "c-icap.conf"
        values = {"folder": folder, "port": port, "most": PER_CONNECTION, "modules": SERVICE.parent}
        conf.write_text(CONF.format(**values, clamd=clamd))
        self._process = subprocess.Popen(
            [str(COMMAND), "-N", "-f", str(conf)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LANG": "C"},
            start_new_session=True,
        )
        wait_for(self._listens, f"c-icap; see {folder}/server.log")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), 5):
                return True
        except OSError:
            return False
