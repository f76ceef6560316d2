"""seccomp: the system calls that the sandboxed child has no use for fail, with EPERM.

What Landlock can't deny: unix sockets (clamd takes SHUTDOWN from anyone), signals, ptrace, chmod, new
processes, and what of the kernel has been a way to root before. The filter is a list of the denied:
calls that are newer than it don't exist for the child.

Source: Documentation/userspace-api/seccomp_filter.rst; the numbers are those of
arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

import posix
from errno import ENOSYS, EPERM

from amavis_pipe.jail.libc import address, syscall

# each line: name, number on x86_64, number on aarch64 (-1: has none)
SOCKETS = """
socket 41 198, socketpair 53 199, connect 42 203, bind 49 200, listen 50 201, accept 43 202,
accept4 288 242, sendto 44 206, sendmsg 46 211, sendmmsg 307 269, recvmsg 47 212, recvmmsg 299 243"""
PROCESSES = """
fork 57 -1, vfork 58 -1, kill 62 129, tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240,
ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440,
process_mrelease 448 448, pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424, kcmp 312 272,
setsid 112 157, setpgid 109 154, setpriority 141 140, ioprio_set 251 30, sched_setscheduler 144 119,
sched_setparam 142 118, sched_setattr 314 274, sched_setaffinity 203 122, migrate_pages 256 238,
move_pages 279 239, personality 135 92, prctl 157 167, setns 308 268, unshare 272 97, acct 163 89"""
EXECUTE = "execve 59 221, execveat 322 281"
"""Apart from the others: what becomes a helper program is let do just this."""
FILES = """
creat 85 -1, truncate 76 45, rename 82 -1, renameat 264 38, renameat2 316 276, unlink 87 -1,
unlinkat 263 35, rmdir 84 -1, mkdir 83 -1, mkdirat 258 34, mknod 133 -1, mknodat 259 33, link 86 -1,
linkat 265 37, symlink 88 -1, symlinkat 266 36, chmod 90 -1, fchmod 91 52, fchmodat 268 53,
fchmodat2 452 452, chown 92 -1, fchown 93 55, lchown 94 -1, fchownat 260 54, utime 132 -1, utimes 235 -1,
futimesat 261 -1, utimensat 280 88, setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14,
lremovexattr 198 15, fremovexattr 199 16, name_to_handle_at 303 264, open_by_handle_at 304 265,
fallocate 285 47, fanotify_init 300 262,
chroot 161 51, pivot_root 155 41, mount 165 40, umount2 166 39, open_tree 428 428,
move_mount 429 429, fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433,
mount_setattr 442 442, quotactl 179 60, quotactl_fd 443 443, swapon 167 224, swapoff 168 225"""
KERNEL = """
io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427, io_setup 206 0, io_submit 209 2,
bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, keyctl 250 219, add_key 248 217,
request_key 249 218, init_module 175 105, finit_module 313 273, delete_module 176 106, kexec_load 246 104,
kexec_file_load 320 294, reboot 169 142, syslog 103 116, shmget 29 194, shmat 30 196, shmctl 31 195,
msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187, semget 64 190, semop 65 193, semctl 66 191,
semtimedop 220 192, mq_open 240 180, mq_unlink 241 181, memfd_secret 447 447,
memfd_create 319 279, lookup_dcookie 212 18,
vhangup 153 58, iopl 172 -1, ioperm 173 -1, modify_ldt 154 -1, uselib 134 -1"""
DENIED = (SOCKETS, PROCESSES, EXECUTE, FILES, KERNEL)
HELPED = (SOCKETS, PROCESSES, FILES, KERNEL)
"""The same for a helper program."""

NEWEST = 462
"""The last number looked at here (mseal); calls after it are taken for missing."""
_CLONE3 = 435
_OPENAT2 = 437

# machine -> AUDIT_ARCH_*, column of the lists above,
# numbers of clone, open, openat, fcntl, prlimit64, tgkill, seccomp
_MACHINES = {
    "x86_64": (0xC000003E, 1, (56, 2, 257, 72, 302, 234, 317)),
    "aarch64": (0xC00000B7, 2, (220, -1, 56, 25, 261, 131, 277)),
}
_X32 = 0x40000000
_CLONE_THREAD = 0x10000
_WRITES = 0o3 | 0o100 | 0o1000  # the access mode, O_CREAT, O_TRUNC
_SIGNALLING = (8, 10, 15)  # fcntl: F_SETOWN, F_SETSIG, F_SETOWN_EX send signals to anyone

_LOAD, _EQUAL, _GREATER, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_ALLOW = 0x7FFF0000
_ERROR = 0x00050000
_KILL = 0x80000000
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data


def install(execute: bool = False) -> None:
    """Put the filter on this process for good; OSError if the kernel or the machine has no such thing.

    With `execute` another program may be run in its place. Needs no_new_privs.
    """
    machine = posix.uname().machine
    filter_ = program(machine, posix.getpid(), execute)
    head = (len(filter_) // 8).to_bytes(8, "little") + address(filter_).to_bytes(8, "little")
    syscall(_MACHINES[machine][2][6], 1, 0, head)


def program(machine: str, pid: int, execute: bool = False) -> bytes:
    """The filter as classic BPF, for process `pid`; OSError for a machine without a column here."""
    if machine not in _MACHINES:
        raise OSError(ENOSYS, f"no list of system calls for {machine}")
    arch, column, (clone, open_, openat, fcntl, prlimit, tgkill, _) = _MACHINES[machine]
    deny, missing = _line(_RETURN, _ERROR | EPERM), _line(_RETURN, _ERROR | ENOSYS)
    code = [_line(_LOAD, _ARCH), _line(_EQUAL, arch, 1, 0), _line(_RETURN, _KILL), _line(_LOAD, _NUMBER)]
    code += [_line(_AT_LEAST, _X32, 0, 1), deny]
    code += [_line(_EQUAL, n, 0, 1) + deny for n in numbers(column, HELPED if execute else DENIED)]
    code += [_line(_EQUAL, n, 0, 1) + missing for n in (_CLONE3, _OPENAT2)]
    code += [_line(_GREATER, NEWEST, 0, 1), missing]
    code.append(_when(clone, 0, [_line(_ANY_BIT, _CLONE_THREAD, 1, 0), deny]))
    code.append(_when(openat, 2, [_line(_ANY_BIT, _WRITES, 0, 1), deny]))
    if open_ >= 0:
        code.append(_when(open_, 1, [_line(_ANY_BIT, _WRITES, 0, 1), deny]))
    code.append(_when(fcntl, 1, [_line(_EQUAL, n, 0, 1) + deny for n in _SIGNALLING]))
    code.append(_when(prlimit, 0, [_line(_EQUAL, 0, 1, 0), deny]))
    # abort(3) signals itself
    code.append(_when(tgkill, 0, [_line(_EQUAL, pid, 1, 0), deny]))
    code.append(_line(_RETURN, _ALLOW))
    return b"".join(code)


def numbers(column: int, lists: tuple[str, ...] = DENIED) -> list[int]:
    """The denied calls' numbers, of that column of the lists."""
    rows = [row.split() for part in lists for row in part.replace("\n", " ").split(",")]
    return sorted({int(row[column]) for row in rows} - {-1})


def _when(number: int, argument: int, lines: list[bytes]) -> bytes:
    """For call `number` look at the low half of an argument: `lines` end it, or else it is allowed."""
    body = _line(_LOAD, _ARGUMENTS + 8 * argument) + b"".join(lines) + _line(_RETURN, _ALLOW)
    return _line(_EQUAL, number, 0, len(body) // 8) + body


def _line(code: int, value: int, jump: int = 0, otherwise: int = 0) -> bytes:
    """`struct sock_filter`, little endian as both machines are."""
    return (code | jump << 16 | otherwise << 24 | value << 32).to_bytes(8, "little")
