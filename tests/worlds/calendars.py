"""Calendars as their writers write them, for tests: a file of events, and what the files come to."""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from random import Random

from keizoku.sla.evidence.calendars.ics_times import Stated
from keizoku.sla.evidence.maintenance_notices import NoticesRead, read_notices
from keizoku.sla.rules.exclusions import announced_windows
from keizoku.sla.rules.intervals import NOTHING, Spans, as_iso, union
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.sla.rules.unusable_time import announced_by
from keizoku.terms.policy import Terms

POLICY = Terms.load().at(date(2026, 4, 1))


def ics(path: Path, *events: str, head: str = "", kind: str = "VEVENT") -> Path:
    """A calendar of events, each the lines between BEGIN and END; `head`: properties of the calendar."""
    body = "\n".join(f"BEGIN:{kind}\n{event}\nEND:{kind}" for event in events)
    more = f"{head}\n" if head else ""
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//test//EN\n{more}{body}\nEND:VCALENDAR\n"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    return path


def event(uid: str, start: str, end: str, written: str = "20260301T000000Z", more: str = "", sequence: int = 0) -> str:
    """An event in Japan's time, written once."""
    zone = ";TZID=Asia/Tokyo" if "T" in start else ";VALUE=DATE"
    stamps = f"SEQUENCE:{sequence}\nCREATED:20260301T000000Z\nLAST-MODIFIED:{written}\nDTSTAMP:{written}"
    lines = f"UID:{uid}\n{stamps}\nDTSTART{zone}:{start}\nDTEND{zone}:{end}"
    return f"{lines}\n{more}" if more else lines


def covered(notices: Iterable[UpdateNotice]) -> Spans:
    """The seconds that are covered, by all events together."""
    return union(*announced_windows(tuple(notices), partial(announced_by, policy=POLICY), NOTHING).values())


def read(*files: Path, stated: Stated | None = None) -> tuple[list[str], list[str]]:
    """What is covered, from – to in Japan without its offset, and what is told."""
    found = read_notices(list(files), POLICY, stated)
    return shown(found), [f"{each.value}: {each.rule}" for each in found.findings]


def shown(found: NoticesRead) -> list[str]:
    """What is covered, in short."""
    return ["/".join(at[5:16] for at in pair) for pair in as_iso(covered(found.rows))]


def windows(found: Sequence[UpdateNotice]) -> list[str]:
    """The same of publications."""
    return ["/".join(at[5:16] for at in pair) for pair in as_iso(covered(found))]


def random_of(seed: int) -> Random:
    """Chance that can be had again."""
    return Random(seed)  # noqa: S311


def random_calendars(folder: Path, random: Random) -> list[Path]:
    """One to four files with issues of a few events, as they might come in any order."""
    files = []
    for number in range(random.randint(1, 4)):
        head = [f"METHOD:{random.choice(['PUBLISH', 'CANCEL', 'REQUEST'])}"] if random.random() < 0.3 else []
        head += [f"X-WR-CALNAME:{random.choice(['Ops', 'Web'])}"] if random.random() < 0.4 else []
        events = [_random_event(random) for _ in range(random.randint(1, 3))]
        files.append(ics(folder / f"{number}.ics", *events, head="\n".join(head)))
    return files


def _random_event(random: Random) -> str:
    def moment() -> str:
        return f"202604{random.randint(1, 12):02d}T{random.randint(0, 23):02d}0000Z"

    chance = random.random()
    lines = [f"UID:{random.choice(['a', 'a', 'a#2026-04-15T10:00:00+09:00', 'b'])}"]
    lines += [f"SEQUENCE:{random.randint(0, 3)}"] if random.random() < 0.8 else []
    lines += [f"CREATED:{'20260301T000000Z' if random.random() < 0.7 else moment()}"]
    lines += [f"LAST-MODIFIED:{moment()}"] if random.random() < 0.8 else []
    lines += [f"DTSTAMP:{moment()}"] if random.random() < 0.6 else []
    lines += [f"X-KEIZOKU-PUBLISHED:{moment()}"] if random.random() < 0.2 else []
    hour, day, other = random.choice([10, 11, 14]), random.choice([13, 15, 16]), random.randint(13, 19)
    if chance < 0.35:
        named = [
            f"RECURRENCE-ID;TZID=Asia/Tokyo:202604{other}T{hour}0000",
            f"RECURRENCE-ID;VALUE=DATE:202604{other}",
            f"RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Asia/Tokyo:202604{other}T100000",
        ]
        lines.append(random.choice(named))
    elif chance < 0.8:
        lines.append(f"RRULE:FREQ=DAILY;COUNT={random.randint(1, 5)}")
        lines += [f"EXDATE;TZID=Asia/Tokyo:202604{other}T{hour}0000"] if random.random() < 0.3 else []
    lines += [f"STATUS:{random.choice(['CANCELLED', 'TENTATIVE'])}"] if random.random() < 0.2 else []
    start, end = f"202604{day}T{hour}0000", f"202604{day}T{hour + random.randint(1, 3)}0000"
    return "\n".join([*lines, f"DTSTART;TZID=Asia/Tokyo:{start}", f"DTEND;TZID=Asia/Tokyo:{end}"])
