"""Whose preferences a mail is checked under: one question for each, and not too many of them."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    Users = bool | dict[bytes, bytes]
    """Whether each recipient is a user of the checker; or names by address, domain, or b"." for all."""

MOST = 10
"""Different users that one mail is checked for; the recipients beyond share the question of nobody."""


def user_of(recipient: bytes, users: "Users") -> bytes:
    """The user that a recipient is for the checker, b"" for none."""
    address = recipient.lower()
    if isinstance(users, bool):
        return address if users else b""
    domain = address.rpartition(b"@")[2]
    for known in (address, domain, b"."):
        if known in users:
            return users[known]
    return b""


def groups(recipients: tuple[bytes, ...], users: "Users") -> dict[bytes, tuple[bytes, ...]]:
    """The recipients by user, in the order they came."""
    found: dict[bytes, tuple[bytes, ...]] = {}
    for recipient in recipients:
        user = user_of(recipient, users)
        if user not in found and len(found) >= MOST:
            user = b""
        found[user] = (*found.get(user, ()), recipient)
    return found
