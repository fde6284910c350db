"""What nobody means, for calls of acts and of commands alike: texts and files, and an end for a call that hangs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEXTS = (
    "", " ", "-1", "0001-01", "9999-12", "99999-01", "2026-13", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59-23:59",
    "1e9", "1e999", "NaN", "０", "999999999999999999", "99999999999999999999", "N" + "9" * 30, "=1+1", "＝1", "\x85",
    "\x1b[2J", "\x1b]52;c;aGk=\x07", "\u202eabc", "[red]x[/]", "[/]", ":a:", "é\n\r\t", "a\nb", "a\tb", "é" * 201,
    "x" * 3_000, "𠮷" * 2_001, "'; DROP TABLE account; --", "%s%n", "%s %(x)s", "{0}", "..", "/", "--", "-",
    "/dev/null", "/dev/zero", "../../etc/passwd", "\udcff", "\ud800",
)  # fmt: skip
"""Of any kind and length, broken, or with letters that steer a terminal, a sheet or a database."""
TEXTS_OF_NO_COMMAND = ("\0", "a\0b", "名" * 100_000)
"""What a host can give an act, and a shell cannot give a command."""

FILES: dict[str, bytes] = {
    "empty.csv": b"",
    "binary.csv": bytes(range(256)) * 40,
    "mac.csv": b"id,from,to,affected,cause,ground,author\rs1,2026-04-10 09:00,2026-04-10 10:00,60000,fault,,a\r",
    "wide.csv": b",".join(b"c%d" % n for n in range(20_000)) + b"\n",
    "twice.csv": b"id," * 900 + b"id\n",
    "long.csv": b"user_id,symptom,started_at,ended_at\n" + b"u" * 5_000 + b",site,2026-04-10 09:00,\n",
    "field.csv": b"user_id,symptom,started_at,ended_at\n" + b"u" * 200_000 + b",site,2026-04-10 09:00,\n",
    "quote.csv": b'id,account,month,received_at,windows\n"c1,u1\n"x"y,2\n',
    "unended.csv": b'date,amount,payer,reference\n"2026-04-01,500,\n',
    "nul.csv": b"id,account,month,received_at,windows\nc\0,u1,2026-04,2026-05-01 09:00,\n",
    "latin.csv": b"id,account\n\xff\xfe,u1\n",
    "esc.csv": b"id,account,month,received_at,windows\n\x1b[2J,u1,2026-04,2026-05-01 09:00,\n",
    "applications.csv": b"account,plan,method\r\x00u,p,card\r" + b"x" * 3_000 + b",p,card\r",
    "bank.csv": "date,amount,payer,reference\r2026-04-10,100,＝x,r\r0001-01-01,1,y,\r2026-13-01,-5,,\r".encode(),
    "deep.ndjson": b"[" * 100_000 + b"\n" + b'{"user_id": ' + b"[" * 50_000 + b"\n",
    "deep.json": b"[" * 100_000,
    "deep.yaml": b"[" * 20_000,
    "alias.yaml": b"a: &a [1]\n" + b"".join(b"b%d: &b%d [%s]\n" % (n, n, b",".join([b"*a"] * 9)) for n in range(9)),
    "self.yaml": b"a: &a {<<: *a}\n",
    "deep.toml": b"a = " + b"[" * 20_000,
    "interval.ics": b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nCREATED:20260301T000000Z\r\n"
    b"DTSTART:20260410T000000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;INTERVAL=0\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    "far.ics": b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\0b\r\nCREATED:20260301T000000Z\r\n"
    b"DTSTART:99991231T230000Z\r\nDURATION:P9D\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    "parquet.parquet": b"PAR1" + b"\0" * 100,
}
"""Files that no reader wants."""


class HangsError(Exception):
    """A call took longer than anything may."""


def write_files(folder: Path) -> list[Path]:
    """The files in a folder; their paths, and those of a folder and of nothing."""
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return [*(folder / name for name in FILES), folder, folder / "not there.csv"]


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Raises HangsError in what takes longer."""

    def ring(number: int, frame: object) -> None:
        raise HangsError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        with suppress(ValueError):
            signal.signal(signal.SIGALRM, before)
