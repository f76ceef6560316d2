"""Delivery status notifications as whoever gets them reads them: with Python's email."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage, Message
from email.utils import parsedate_to_datetime
from typing import cast

from harness.smtp import Arrived


@dataclass(frozen=True)
class Report:
    """A notification (RFC 3464).

    words       what people read
    fields      of the message as a whole
    recipients  the fields of each
    returned    content type of the third part, and what it holds
    """

    words: str
    fields: Message
    recipients: list[Message]
    returned: tuple[str, bytes]

    def failed(self) -> list[bytes]:
        """The recipients of whom it says that they failed for a reason of policy, 5.7.1."""
        for block in self.recipients:
            assert (block["Action"], block["Status"]) == ("failed", "5.7.1"), block.as_string()
            assert block["Diagnostic-Code"].startswith(("x-unix; ", "smtp; "))
        assert all(block["Final-Recipient"].startswith("rfc822; ") for block in self.recipients)
        return [block["Final-Recipient"].partition("; ")[2].encode() for block in self.recipients]


def report_of(arrived: Arrived, sender: bytes) -> Report:
    """The notification in a mail, which must be one, whole, under the null sender, to `sender` alone."""
    assert (arrived.sender, arrived.recipients) == (b"", (sender,))
    message = email.message_from_bytes(arrived.data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert message["Auto-Submitted"] == "auto-replied"
    words, status, returned = message.iter_parts()
    assert (words.get_content_type(), status.get_content_type()) == ("text/plain", "message/delivery-status")
    fields, *recipients = cast("list[Message]", status.get_payload())
    assert fields["Reporting-MTA"].startswith("dns; ")
    assert parsedate_to_datetime(fields["Arrival-Date"]).tzinfo is not None
    assert recipients
    return Report(words.get_content(), fields, recipients, (returned.get_content_type(), returned.as_bytes()))
