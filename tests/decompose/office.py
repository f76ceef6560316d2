"""Encrypted Office documents: ciphers are used backwards, [MS-OFFCRYPTO] 2.3."""

import base64
import hashlib
import struct

from built.ole import compound

from amavis_pipe.decompose import officekeys

SALT = bytes(range(16))
PASSWORD = "VelvetSweatshop"


def aes(key: bytes, data: bytes, iv: bytes | None = None) -> bytes:
    """Encrypted with AES, after filling up the last block."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    encryptor = Cipher(algorithms.AES(key), modes.ECB() if iv is None else modes.CBC(iv)).encryptor()
    return encryptor.update(data + bytes(-len(data) % 16)) + encryptor.finalize()


def agile(data: bytes, password: str = PASSWORD, rounds: int = 100, tell: int | None = None) -> bytes:
    """A package as Office 2010 encrypts it."""
    state = hashlib.sha512(SALT + password.encode("utf-16-le")).digest()
    for count in range(rounds):
        state = hashlib.sha512(struct.pack("<I", count) + state).digest()

    def part(name: str, content: bytes) -> str:
        key = hashlib.sha512(state + bytes.fromhex(name)).digest()[:32]
        return base64.b64encode(aes(key, content, SALT)).decode()

    key = bytes(range(100, 132))
    check = hashlib.sha512(SALT).digest()
    salt = base64.b64encode(SALT).decode()
    common = f'saltSize="16" blockSize="16" keyBits="256" hashSize="64" cipherAlgorithm="AES" cipherChaining="ChainingModeCBC" hashAlgorithm="SHA512" saltValue="{salt}"'
    xml = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
        '<encryption xmlns="http://schemas.microsoft.com/office/2006/encryption" xmlns:p="http://schemas.microsoft.com/office/2006/keyEncryptor/password">'
        f'<keyData {common}/><dataIntegrity encryptedHmacKey="AAAA" encryptedHmacValue="AAAA"/>'
        '<keyEncryptors><keyEncryptor uri="http://schemas.microsoft.com/office/2006/keyEncryptor/password">'
        f'<p:encryptedKey spinCount="{rounds if tell is None else tell}" {common} '
        f'encryptedVerifierHashInput="{part("fea7d2763b4b9e79", SALT)}" '
        f'encryptedVerifierHashValue="{part("d7aa0f6d3061344e", check)}" '
        f'encryptedKeyValue="{part("146e0be7abacd0d6", key)}"/></keyEncryptor></keyEncryptors></encryption>'
    )
    content = b"".join(
        aes(key, data[at : at + 4096], hashlib.sha512(SALT + struct.pack("<I", at // 4096)).digest()[:16])
        for at in range(0, len(data), 4096)
    )
    return compound(
        {
            "EncryptionInfo": struct.pack("<HHI", 4, 4, 0x40) + xml.encode(),
            "EncryptedPackage": struct.pack("<Q", len(data)) + content,
        }
    )


def header(algorithm: int, bits: int) -> bytes:
    """Flags and EncryptionHeader of an EncryptionInfo, its version left out."""
    fixed = struct.pack("<8I", 0x24, 0, algorithm, 0x8004, bits, 24, 0, 0) + "x\0".encode("utf-16-le")
    return struct.pack("<II", 0x24, len(fixed)) + fixed


def standard(data: bytes, password: str = PASSWORD) -> bytes:
    """A package as Office 2007 encrypts it."""
    state = hashlib.sha1(SALT + password.encode("utf-16-le")).digest()
    for count in range(50_000):
        state = hashlib.sha1(struct.pack("<I", count) + state).digest()
    state = hashlib.sha1(state + bytes(4)).digest()
    key = hashlib.sha1(bytes(one ^ 0x36 for one in state.ljust(64, b"\0"))).digest()[:16]
    verifier = aes(key, SALT) + struct.pack("<I", 20) + aes(key, hashlib.sha1(SALT).digest())
    info = struct.pack("<HH", 4, 2) + header(0x660E, 128) + struct.pack("<I", 16) + SALT + verifier
    return compound(
        {"EncryptionInfo": info, "EncryptedPackage": struct.pack("<Q", len(data)) + aes(key, data)}
    )


def rc4(password: str = PASSWORD) -> tuple[bytes, officekeys.Rc4]:
    """EncryptionInfo for RC4, and the cipher."""
    cipher = officekeys.Rc4(SALT + bytes(32))
    cipher.opens(password)
    check = officekeys.combined(SALT + hashlib.md5(SALT).digest(), cipher.stream(0, 32))
    return struct.pack("<HH", 1, 1) + SALT + check, cipher


def rc4_api(password: str = PASSWORD, bits: int = 128) -> tuple[bytes, officekeys.Rc4Api]:
    """EncryptionInfo for RC4 CryptoAPI, and the cipher."""
    head = header(0x6801, bits)
    cipher = officekeys.Rc4Api(head[8:], bytes(60))
    cipher._salt = SALT
    cipher.opens(password)
    check = officekeys.combined(SALT + hashlib.sha1(SALT).digest(), cipher.stream(0, 36))
    verifier = struct.pack("<I", 16) + SALT + check[:16] + struct.pack("<I", 20) + check[16:]
    return struct.pack("<HH", 2, 2) + head + verifier, cipher


def streamed(data: bytes, cipher: officekeys.Rc4 | officekeys.Rc4Api, block: int) -> bytes:
    """Data as it stands in a stream encrypted with a key for each block."""
    return b"".join(
        officekeys.combined(data[at : at + block], cipher.stream(at // block, block))
        for at in range(0, len(data), block)
    )


def record(kind: int, data: bytes) -> bytes:
    """A record of a workbook."""
    return struct.pack("<HH", kind, len(data)) + data


SHEET = struct.pack("<I", 0x1234) + b"\0\0\6\0Sheet1"
BOF = record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0x600))


def workbook(records: list[tuple[int, bytes]], info: bytes = b"", cipher=None) -> bytes:
    """A workbook stream of these after BOF; encrypted if `info` says how."""
    if cipher is None:
        return BOF + b"".join(record(*one) for one in records) + record(10, b"")
    kind = 0 if isinstance(cipher, officekeys.Xor) else 1
    plain = BOF + record(0x2F, struct.pack("<H", kind) + info)
    bare = bytearray(plain)
    mask = bytearray(len(plain))
    for number, data in [*records, (10, b"")]:
        raw = record(number, data)
        clear = len(raw) if number in (0x809, 0xE1) else 8 if number == 0x85 else 4
        mask += bytes(clear) + b"\1" * (len(raw) - clear)
        if kind == 0:
            start = len(bare) + 4
            turned = bytes(
                ((one ^ cipher.array[(start + at + len(data)) % 16]) >> 3 | (one ^ cipher.array[(start + at + len(data)) % 16]) << 5) & 0xFF
                for at, one in enumerate(data)
            )  # fmt: skip
            bare += raw[:clear] + turned[clear - 4 :]
        else:
            bare += raw
    if kind:
        coded = streamed(bytes(bare), cipher, 1024)
        bare = bytearray(
            one if hidden else open_ for one, open_, hidden in zip(coded, bare, mask, strict=True)
        )
    return bytes(bare)


def xor(password: str = PASSWORD) -> tuple[bytes, officekeys.Xor]:
    """Key and verifier of the obfuscation, and the cipher."""
    letters = password.encode()
    told = struct.pack("<HH", officekeys._xor_key(letters), officekeys._xor_verifier(letters))
    cipher = officekeys.Xor(told)
    assert cipher.opens(password)
    return told, cipher


def word(text: bytes, info: bytes, cipher, more: dict[str, bytes] | None = None) -> bytes:
    """A Word document: FIB and text, a table stream."""
    fib = struct.pack("<5HHHI", 0xA5EC, 0xC1, 0, 0, 0, 0x1300, 0xBF, len(info)).ljust(68, b"\0")
    main = fib + streamed(bytes(68) + text, cipher, 512)[68:]
    table = info + streamed(bytes(len(info)) + text, cipher, 512)[len(info) :]
    return compound({"WordDocument": main, "1Table": table, **(more or {})})


def word_open(text: bytes) -> bytes:
    """The same main stream when it is not encrypted any more."""
    return struct.pack("<5HHHI", 0xA5EC, 0xC1, 0, 0, 0, 0x1200, 0xBF, 0).ljust(68, b"\0") + text


def slides(data: bytes, info: bytes = b"", cipher=None) -> bytes:
    """A presentation with one record; encrypted if `info` says how."""
    head = b""
    one = data if cipher is None else officekeys.combined(data, cipher.stream(1, len(data)))
    places = [len(head)]
    body = one
    if cipher is not None:
        places.append(len(body))
        body += struct.pack("<HHI", 0xF, 0x2F14, len(info)) + info
    directory = len(body)
    body += struct.pack("<HHI", 0, 0x1772, 4 + 4 * len(places)) + struct.pack("<I", 1 | len(places) << 20)
    body += struct.pack(f"<{len(places)}I", *places)
    edit = len(body)
    body += struct.pack(
        "<HHIIHBBIIIIHH", 0, 0x0FF5, 32 if cipher else 28, 0, 0, 0, 3, 0, directory, 1, 3, 0, 0
    )
    body += struct.pack("<I", 2) if cipher else b""
    token = 0xF3D1C4DF if cipher else 0xE391C05F
    user = struct.pack("<HHIIII", 0, 0x0FF6, 24, 20, token, edit) + struct.pack(
        "<HHBBHI", 0, 0x3F4, 3, 0, 0, 8
    )
    return compound({"Current User": user, "PowerPoint Document": body})
