"""Answers of spamd and rspamd as real ones gave them, and mails."""

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*" + b"-".join(
    (b"GTUBE", b"STANDARD", b"ANTI", b"UBE", b"TEST", b"EMAIL*C.34X")
)
"""Joined here: neither this file nor its byte code may hold it in one piece."""

SYMBOLS = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 32\r\nSpam: True ; 1009.9 / 5.0\r\n\r\nGTUBE,MISSING_DATE,MISSING_MID_2"
HAM = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nSpam: False ; -1.2 / 5.0\r\n\r\n"
TABLE = b"""Spam detection software, running on the system "mx",
has identified this incoming email as possible spam.

Content preview:  Look at this:
    pts rule name              description
   ---- ---------------------- --------------------------------------------------
   9.9 FORGED                 in the text of the mail

Content analysis details:   (1009.9 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
 0.6 MISSING_MID            Missing Message-Id: header
1000 GTUBE                  BODY: Generic Test for Unsolicited Bulk Email
-0.1 DKIM_VALID             Message has at least one valid DKIM signature
 0.0 URIBL_BLOCKED          ADMINISTRATOR NOTICE: The query was blocked.
                            [URIs: example.com]
 1.0 T_\xff\n
"""
REPORT = b"SPAMD/1.1 0 EX_OK\r\nContent-length: %d\r\nSpam: True ; 1009.9 / 5.0\r\n\r\n%s" % (
    len(TABLE),
    TABLE,
)

JSON = (
    b'{"is_skipped":false,"score":9.100000,"required_score":15.0,"action":"add header","symbols":{'
    b'"ARC_NA":{"name":"ARC_NA","score":0.0,"metric_score":0.0,"description":"ARC signature absent"},'
    b'"MIME_GOOD":{"name":"MIME_GOOD","score":-0.100000,"description":"Known content-type","options":["text/plain"]},'
    b'"HFILTER_HELO_5":{"name":"HFILTER_HELO_5","score":3.0,"description":"Helo host checks","options":["x"]}},'
    b'"messages":{},"message-id":"a@example.org","time_real":0.069067,"milter":{"remove_headers":{"X-Spam":0}}}'
)


def http(
    body: bytes = JSON, head: bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\nServer: rspamd/3.4\r\n"
) -> bytes:
    """An answer of rspamd with this body."""
    return head + b"Content-Length: %d\r\nContent-Type: application/json\r\n\r\n" % len(body) + body
