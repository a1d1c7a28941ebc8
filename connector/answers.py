"""Reads the bodies of answers whole: how long they may be, and how they may be packed."""

import zlib

import httpx

MAX_BODY = 5_000_000
"""The longest answer that is read, in bytes; before decompression, and after it."""
_MOST_UNPACKED = 100
"""Bytes that one byte of a packed answer may become."""
_SMALL = 100_000
"""Bytes that may be as tightly packed as they like."""


class AnswerError(Exception):
    """An answer came that is not read to its end. The message is a clause without its subject."""


async def read_body(response: httpx.Response) -> bytes:
    """The body, unpacked. Raises AnswerError."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise AnswerError(f"answered with the content encoding {encoding[:40]!r}, which was not asked for")
    decoder = zlib.decompressobj(wbits=47) if encoding not in ("identity", "") else None  # 47: gzip or zlib
    body = bytearray()
    async for chunk in response.aiter_raw():
        try:
            body += decoder.decompress(chunk, MAX_BODY + 1 - len(body)) if decoder else chunk
        except zlib.error:
            raise AnswerError("sent an answer that cannot be decompressed") from None
        if decoder and decoder.unused_data:
            raise AnswerError("sent more after the end of a compressed answer")
        if decoder and len(body) > max(_SMALL, _MOST_UNPACKED * response.num_bytes_downloaded):
            raise AnswerError(f"sent an answer that is packed more than {_MOST_UNPACKED} to one")
        if max(len(body), response.num_bytes_downloaded) > MAX_BODY:
            raise AnswerError(f"sent an answer of more than {MAX_BODY // 1_000_000} MB; ask for less at a time")
    if decoder and not decoder.eof and response.num_bytes_downloaded:
        raise AnswerError("sent a compressed answer without its end")
    return bytes(body)
