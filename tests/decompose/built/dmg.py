"""A disk image of macOS by hand: one partition, stored, with a FAT file system in it.

Source: the structures as libdmg-hfsplus and others describe them: koly, the property list, mish.
"""

import base64
import struct

from built import squashfs


def dmg(image: bytes) -> bytes:
    sectors = len(image) // 512
    chunks = struct.pack(">II4Q", 1, 0, 0, sectors, 0, len(image))
    chunks += struct.pack(">II4Q", 0xFFFFFFFF, 0, sectors, 0, len(image), 0)
    none = struct.pack(">II32s", 0, 0, b"").ljust(136, b"\0")
    mish = struct.pack(">4sIQQQII24x", b"mish", 1, 0, sectors, 0, 0, 0) + none + struct.pack(">I", 2) + chunks
    plist = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict><key>resource-fork</key><dict>'
        b"<key>blkx</key><array><dict><key>Attributes</key><string>0x0050</string><key>Data</key><data>"
        + base64.b64encode(mish)
        + b"</data><key>ID</key><string>0</string><key>Name</key><string>whole disk</string></dict></array>"
        b"</dict></dict></plist>\n"
    )
    koly = struct.pack(">4sIIIQQQQQII", b"koly", 4, 512, 1, 0, 0, len(image), 0, 0, 1, 1) + bytes(16) + none
    koly += struct.pack(">QQ120x", len(image), len(plist)) + none + struct.pack(">IQ12x", 1, sectors)
    return image + plist + koly


def pack(data: bytes) -> bytes:
    return dmg(squashfs.pack(data))
