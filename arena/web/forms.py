"""Forms that browsers and programs send."""

from __future__ import annotations

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette._utils import AwaitableOrContextManager
from starlette.datastructures import FormData

from arena.errors import RefusedError

_CHARSETS = frozenset({b"", b"utf-8", b"utf8", b"us-ascii"})


def open_form(request: Request, *, max_files: int, max_fields: int) -> AwaitableOrContextManager[FormData]:
    """Return a request's form, to be awaited or entered; RefusedError where it names another encoding than UTF-8.

    The parser would decode its names and fields by any codec of Python, whose errors it does not know.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    if options.get(b"charset", b"").lower() not in _CHARSETS:
        raise RefusedError("Send the form in UTF-8, without another charset in Content-Type.")
    return request.form(max_files=max_files, max_fields=max_fields)
