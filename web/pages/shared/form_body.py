"""What a form of a page brings: its fields, and the file that was chosen in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from fastapi.concurrency import run_in_threadpool

from keizoku.limits import LONGEST_ID
from keizoku.web.calls.call import door_of
from keizoku.web.calls.problems import ProblemError
from keizoku.web.pages.shared.act_fields import FILE_WORD

if TYPE_CHECKING:
    from fastapi import Request

    from keizoku.web.calls.operation import Operation

__all__ = ["form_of"]

MOST_FIELDS: Final = 200
MOST_OF_A_FIELD: Final = 1024 * 1024
"""Bytes of a field that is no file."""


async def form_of(request: Request, operation: Operation) -> dict[str, str]:
    """The fields of a form, as a browser sends them; a file is kept, and its word is one of them."""
    if operation.upload and request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await _form_with_file(request, operation.upload)
    body = await request.body()
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (UnicodeDecodeError, ValueError):
        raise ProblemError(422, "form", "The call has another form.", "the form cannot be read") from None
    found: dict[str, str] = {}
    for name, value in pairs:  # a name that comes more than once (boxes that were ticked) is lines of one field
        found[name] = f"{found[name]}\n{value}" if found.get(name) else value
    return found


async def _form_with_file(request: Request, upload: str) -> dict[str, str]:
    found: dict[str, str] = {}
    async with request.form(max_files=1, max_fields=MOST_FIELDS, max_part_size=MOST_OF_A_FIELD) as parts:
        for name, value in parts.multi_items():
            if isinstance(value, str):
                found[name] = value
            elif name == upload and value.filename:
                content = await value.read()
                found[upload] = re.split(r"[/\\]", value.filename)[-1][:LONGEST_ID]
                door, who = door_of(request), request.state.admitted[0].whose
                found[FILE_WORD] = await run_in_threadpool(door.kept_files.keep, who, found[upload], content)
    return found
