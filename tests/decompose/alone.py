"""Takes one file apart as a program of its own, small as the filter is, and tells of it in JSON.

    python alone.py FILE FOLDER OPTIONS

Its children are the sandboxed child and the helper programs: what these use can be seen from outside.
"""

import json
import os
import sys
import time


def main(file: str, folder: str, options: str) -> None:
    from amavis_pipe.budget import Budget, Limits
    from amavis_pipe.decompose import registry
    from amavis_pipe.jail.sandbox import unpack_in_child
    from amavis_pipe.model import Part
    from amavis_pipe.spool import Blob

    asked = json.loads(options)
    names = tuple(bytes.fromhex(name) for name in asked.pop("names"))
    fd = os.open(file, os.O_RDONLY)
    blob = Blob(None, fd, 0, os.fstat(fd).st_size)
    known = registry.formats()
    part = Part("1", names, kind=known.kind_of(blob, b"", names), size=blob.size, blob=blob)
    start = time.monotonic()
    parts, findings = unpack_in_child(
        [part], Budget.of(Limits(**asked), 0), os.fsencode(folder), formats=known
    )
    seconds = time.monotonic() - start
    told = {
        "seconds": seconds,
        "findings": [[one.name, one.part] for one in findings],
        "parts": [[part.path, [name.hex() for name in part.names], part.size] for part in parts[:2000]],
        "heads": [part.blob.head(200).hex() for part in parts[:2000] if part.blob is not None],
        "bytes": sum(part.size for part in parts),
        "count": len(parts),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:4])
