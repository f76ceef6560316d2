"""A virtual disk of fixed size by hand, with a FAT file system on it. Source: Microsoft's VHD Image Format."""

import struct

from built import squashfs


def vhd(image: bytes) -> bytes:
    size = len(image)
    foot = struct.pack(
        ">8sIIQI4sI4sQQHBBI",
        b"conectix",
        2,
        0x10000,
        (1 << 64) - 1,
        0,
        b"test",
        0x10000,
        b"Wi2k",
        size,
        size,
        1,
        1,
        1,
        2,
    )
    rest = bytes(range(16)) + b"\0"
    check = ~(sum(foot) + sum(rest)) & 0xFFFFFFFF
    return image + (foot + struct.pack(">I", check) + rest).ljust(512, b"\0")


def pack(data: bytes) -> bytes:
    return vhd(squashfs.pack(data))
