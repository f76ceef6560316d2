"""System calls that the interpreter has no function for, at a third of the price of importing ctypes.

ctypes costs 3.4 ms of CPU with what it imports, its core 0.6 ms; the core has kept these few names
since Python 2.5. Only for the sandboxed child: the filter itself needs no such call.
"""

import _ctypes
import sys
from errno import errorcode


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "l"


class _Text(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "z"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Long


def syscall(number: int, *arguments: int | bytes) -> int:
    """What system call `number` returns; OSError if it fails.

    Bytes go as a pointer to them, which the kernel may only read from.
    """
    wide = [_Long(one) if isinstance(one, int) else one for one in arguments]
    result: int = _call(_Long(number), *wide)
    if result < 0:
        error = _ctypes.get_errno()
        raise OSError(error, f"system call {number}: {errorcode.get(error, error)}")
    return result


def address(data: bytes) -> int:
    """Where `data` is in memory; good as long as `data` lives."""
    return int.from_bytes(bytes(_Text(data)), sys.byteorder)


_call = _Function(_ctypes.dlsym(_ctypes.dlopen("libc.so.6", 0), "syscall"))
