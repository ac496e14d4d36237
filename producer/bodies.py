"""What an HTTP server answered, as long and as slow as any answer that makes sense."""

import time

import requests

# Fifty links with all that MusicBrainz says of them, and a page of a playlist, are some hundred kilobytes.
_LARGEST_BYTES, _LONGEST_SECONDS = 16 << 20, 60


def whole_body(response: requests.Response) -> bytes | None:
    """The whole body of a response that is streamed; None where it is longer, or takes longer, than makes sense.

    Raises urllib3's HTTPError where it breaks off, cannot be decoded, or nothing comes for as long as the request's
    time limit says.
    """
    parts, size, ends = [], 0, time.monotonic() + _LONGEST_SECONDS
    # What has come: to wait for more, as the other ways to read do, has no end where it comes by single bytes.
    while part := response.raw.read1(64 << 10, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > _LARGEST_BYTES or time.monotonic() > ends:
            return None
    return b"".join(parts)
