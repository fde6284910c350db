"""Article 9 stated once more, by PostgreSQL's multiranges, and compared on thousands of random months.

Nothing of ours computes the expected values: nights and notice deadlines come from the server's own time zones, sets
of seconds from range_agg, `*` and `-`, counts of users from count(DISTINCT). Times lie on and around every boundary:
01:00, 06:00, the ends of months and days, ten minutes, the deadline of a notice, five per cent. All months are one
statement.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from random import Random

import sqlalchemy as sa

from keizoku.db.session import Session, copy_rows
from keizoku.sla.counting.outage_threshold import Population, observed_windows
from keizoku.sla.evidence.observations import open_observations
from keizoku.sla.rules.intervals import Span, Spans, normalise
from keizoku.sla.rules.outages import Cause, EnvironmentRuling, Interruption, Outage, UpdateNotice
from keizoku.sla.rules.unusable_time import (
    CLAIMANT_BUCKETS,
    SERVICE_BUCKETS,
    Claimant,
    MonthFacts,
    claimant_month,
    service_month,
)
from keizoku.terms.calendar import Month
from keizoku.terms.policy import Terms
from tests.unit.sla.observed import add_observations

MONTHS = 2_500
TIMELINES = 1_500
POLICY = Terms.load().at(date(2026, 4, 1))
HOUR, DAY, JST_SECONDS = 3_600, 86_400, 9 * 3_600
LENGTHS = (1, 300, 599, 600, 601, 1_200, HOUR, 5 * HOUR, 7 * HOUR, 26 * HOUR)
STEPS = (-601, -600, -599, -60, -1, 0, 0, 0, 1, 59, 599, 600, 601)
RANKS = {cause: rank for rank, cause in enumerate(Cause)}
OWN = ("member", "suspended", "card", "claimed", "environment", "recognised")

Row = tuple[object, ...]


def month_epochs(month: Month) -> Span:
    """First second and the second after the last, in UTC, worked out from the calendar alone."""
    first, last = (datetime(day.year, day.month, 1, tzinfo=UTC) for day in (month.first_on, month.end_on))
    return int(first.timestamp()) - JST_SECONDS, int(last.timestamp()) - JST_SECONDS


def near_a_boundary(chance: Random, month: Span) -> int:
    """A second on or around midnight, 01:00 or 06:00 of a day of the month, its first and its last among them."""
    days = (month[1] - month[0]) // DAY
    day = chance.choice((-1, 0, 0, 1, days - 1, days, days, chance.randrange(days)))
    return month[0] + day * DAY + chance.choice((0, HOUR, 6 * HOUR, 14 * HOUR)) + chance.choice(STEPS)


def some_spans(chance: Random, month: Span, most: int) -> list[Span]:
    """Spans that begin or end near boundaries; some touch, some overlap."""
    found: list[Span] = []
    for _ in range(chance.randint(0, most)):
        near = found[-1][1] + chance.choice((0, 0, 1, 599, -1)) if found and chance.random() < 0.4 else None
        at, lasts = near if near is not None else near_a_boundary(chance, month), chance.choice(LENGTHS)
        found.append((at, at + lasts) if chance.random() < 0.5 or near is not None else (at - lasts, at))
    return found


def a_month(chance: Random) -> tuple[MonthFacts, Claimant]:
    """Random facts of a month and of a claimant."""
    month = Month(chance.choice((2024, 2025, 2026, 2028)), 12).shift(chance.randint(0, 14))
    span = month_epochs(month)
    causes = (Cause.FAULT, Cause.PARTNER, Cause.SYSTEM_UPDATE, Cause.SYSTEM_UPDATE, Cause.USER_ENVIRONMENT)
    outages = tuple(Outage(a, b, chance.choice(causes), "seen") for a, b in some_spans(chance, span, 6))
    notices: list[UpdateNotice] = []
    for start, end in some_spans(chance, span, 2) + [
        (outage.start, outage.end) for outage in outages if chance.random() < 0.5
    ]:
        start_day = (start + JST_SECONDS) // DAY * DAY - JST_SECONDS
        published_at = start_day - 5 * DAY + chance.choice((-DAY, -1, 0, 0, 1, 2 * HOUR))
        notices.append(UpdateNotice(f"n{len(notices)}", published_at, start, end))
    interruptions = tuple(
        Interruption(a, b, chance.choice(("law", "", " ")), chance.choice(("ito", "ito", "")))
        for a, b in some_spans(chance, span, 2)
    )
    rulings = tuple(
        EnvironmentRuling(normalise([each]), chance.choice(("ito", "")), "browser", "ruling")
        for each in some_spans(chance, span, 2)
    )
    facts = MonthFacts(month, outages, tuple(notices), interruptions, rulings)

    def most_of(rarely: int) -> Spans:
        return normalise([span]) if chance.randrange(rarely) else normalise(some_spans(chance, span, 3))

    def part_or_all() -> Spans | None:
        return None if chance.random() < 0.5 else normalise([(span[0], near_a_boundary(chance, span) + 2 * DAY)])

    own = normalise(some_spans(chance, span, 2))
    return facts, Claimant(
        most_of(3), own, most_of(3), part_or_all(), normalise(some_spans(chance, span, 1)), part_or_all()
    )


WATERFALL = """
WITH month AS (
    SELECT id, int8range(extract(epoch FROM from_at)::bigint, extract(epoch FROM to_at)::bigint) AS whole,
        (SELECT range_agg(int8range(
            extract(epoch FROM (day + time '01:00') AT TIME ZONE 'Asia/Tokyo')::bigint,
            extract(epoch FROM (day + time '06:00') AT TIME ZONE 'Asia/Tokyo')::bigint))
         FROM generate_series(first, first + interval '1 month' - interval '1 day', interval '1 day') AS day) AS nights
    FROM (SELECT id, first, first AT TIME ZONE 'Asia/Tokyo' AS from_at,
                 (first + interval '1 month') AT TIME ZONE 'Asia/Tokyo' AS to_at FROM a_month) AS dated
), cause AS (
    SELECT id, range_agg(during) AS every,
        coalesce(range_agg(during) FILTER (WHERE rank <= 1), '{}') AS ours,
        coalesce(range_agg(during) FILTER (WHERE rank = 2), '{}') AS updates,
        coalesce(range_agg(during) FILTER (WHERE rank = 3), '{}') AS users_own
    FROM (SELECT id, rank, int8range(starts, ends) AS during FROM a_stop) AS outage GROUP BY id
), brief AS (
    SELECT id, range_agg(one) AS seconds FROM (SELECT id, unnest(every) AS one FROM cause) AS alone
    WHERE upper(one) - lower(one) < 10 * 60 GROUP BY id
), announced AS (
    SELECT id, range_agg(int8multirange(int8range(starts, ends)) - began_too_soon) AS seconds FROM (
        SELECT id, starts, ends, coalesce((
            SELECT range_agg(own) FROM cause, unnest(updates) AS own
            WHERE cause.id = a_notice.id AND lower(own) < starts AND starts < upper(own)
            AND to_timestamp(published) > (date_trunc('day', to_timestamp(lower(own)) AT TIME ZONE 'Asia/Tokyo')
                                           - interval '5 days') AT TIME ZONE 'Asia/Tokyo'), '{}') AS began_too_soon
        FROM a_notice WHERE to_timestamp(published) <= (
            date_trunc('day', to_timestamp(starts) AT TIME ZONE 'Asia/Tokyo') - interval '5 days')
            AT TIME ZONE 'Asia/Tokyo') AS in_time
    GROUP BY id
), paused AS (
    SELECT id, range_agg(int8range(starts, ends)) AS seconds FROM an_interruption
    WHERE trim(ground) <> '' AND trim(approver) <> '' GROUP BY id
), ruled AS (
    SELECT id, range_agg(int8range(starts, ends)) AS seconds FROM a_ruling WHERE trim(author) <> '' GROUP BY id
), claimant AS (
    SELECT id,
        coalesce(range_agg(int8range(starts, ends)) FILTER (WHERE kind = 'member'), '{}') AS member,
        coalesce(range_agg(int8range(starts, ends)) FILTER (WHERE kind = 'suspended'), '{}') AS suspended,
        coalesce(range_agg(int8range(starts, ends)) FILTER (WHERE kind = 'card'), '{}') AS card,
        coalesce(range_agg(int8range(starts, ends)) FILTER (WHERE kind = 'environment'), '{}') AS environment,
        range_agg(int8range(starts, ends)) FILTER (WHERE kind = 'claimed') AS claimed,
        range_agg(int8range(starts, ends)) FILTER (WHERE kind = 'recognised') AS recognised
    FROM a_claimants_own GROUP BY id
), facts AS (
    SELECT month.id, every * int8multirange(whole) AS gross, coalesce(brief.seconds, '{}') AS short_stop, nights,
        (updates - ours) * coalesce(announced.seconds, '{}') AS announced_update,
        coalesce(paused.seconds, '{}') AS interruption,
        (users_own - ours - updates) + coalesce(ruled.seconds, '{}') AS environment
    FROM month JOIN cause USING (id) LEFT JOIN brief USING (id) LEFT JOIN announced USING (id)
    LEFT JOIN paused USING (id) LEFT JOIN ruled USING (id)
), service AS (
    SELECT *, gross - short_stop - nights - announced_update - interruption - environment AS unusable FROM facts
), eligible AS (
    SELECT id, service.unusable * claimant.environment AS ruled_own,
        (service.unusable - claimant.environment) AS here, member, suspended, card, claimed, recognised
    FROM service JOIN claimant USING (id)
), last AS (
    SELECT id, ruled_own, here - member AS not_member, here * member * suspended AS suspended,
        (here * member - suspended) - card AS not_card, ((here * member) - suspended) * card AS paid,
        claimed, recognised FROM eligible
)
SELECT id, gross::text, (gross * short_stop)::text AS short_stop, ((gross - short_stop) * nights)::text AS night,
    ((gross - short_stop - nights) * announced_update)::text AS announced_update,
    ((gross - short_stop - nights - announced_update) * interruption)::text AS interruption,
    ((gross - short_stop - nights - announced_update - interruption) * environment)::text AS environment,
    unusable::text,
    ((gross - short_stop - nights - announced_update - interruption) * environment + ruled_own)::text
        AS own_environment,
    not_member::text, last.suspended::text, not_card::text,
    CASE WHEN claimed IS NULL THEN '{}' ELSE (paid - claimed)::text END AS not_claimed,
    CASE WHEN recognised IS NULL THEN '{}' ELSE (paid * coalesce(claimed, paid) - recognised)::text END
        AS not_recognised,
    (paid * coalesce(claimed, paid) * coalesce(recognised, paid))::text AS recognised
FROM service JOIN last USING (id) ORDER BY id
"""
TABLES = {
    "a_month": "id int, first timestamp",
    "a_stop": "id int, rank int, starts bigint, ends bigint",
    "a_notice": "id int, published bigint, starts bigint, ends bigint",
    "an_interruption": "id int, starts bigint, ends bigint, ground text, approver text",
    "a_ruling": "id int, starts bigint, ends bigint, author text",
    "a_claimants_own": "id int, kind text, starts bigint, ends bigint",
}


def fill(session: Session, tables: dict[str, str], rows: dict[str, list[Row]]) -> None:
    """Temporary tables with these rows."""
    for name, columns in tables.items():
        session.execute(sa.text(f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP"))
        copy_rows(session, name, [column.split()[0] for column in columns.split(", ")], rows[name])


def as_multirange(spans: Spans) -> str:
    return "{" + ",".join(f"[{start},{end})" for start, end in spans) + "}"


def test_9_4__thousands_of_months_agree_with_multiranges(session: Session) -> None:
    chance = Random(9)  # noqa: S311
    cases = [case for case in (a_month(chance) for _ in range(MONTHS)) if case[0].outages]
    rows: dict[str, list[Row]] = {name: [] for name in TABLES}
    for number, (facts, claimant) in enumerate(cases):
        rows["a_month"].append((number, facts.month.first_on))
        rows["a_stop"] += [(number, RANKS[each.cause], each.start, each.end) for each in facts.outages]
        rows["a_notice"] += [(number, each.published_at, each.start, each.end) for each in facts.notices]
        rows["an_interruption"] += [
            (number, each.start, each.end, each.ground, each.approved_by) for each in facts.interruptions
        ]
        rows["a_ruling"] += [(number, *span, each.by) for each in facts.environments for span in each.spans]
        rows["a_claimants_own"].append((number, "", 0, 1))
        for kind in OWN:
            rows["a_claimants_own"] += [(number, kind, *span) for span in getattr(claimant, kind) or ()]
    fill(session, TABLES, rows)
    stated = session.execute(sa.text(WATERFALL)).all()
    assert len(stated) == len(cases)
    told: set[str] = set()
    for row, (facts, claimant) in zip(stated, cases, strict=True):
        service = service_month(facts, POLICY, 0)
        own = claimant_month(service, claimant)
        expected = {bucket: getattr(row, bucket) for bucket in SERVICE_BUCKETS}
        assert as_multirange(service.gross) == row.gross, facts
        assert {bucket: as_multirange(spans) for bucket, spans in service.buckets.items()} == expected, facts
        of_claimant = {bucket: getattr(row, bucket) for bucket in CLAIMANT_BUCKETS} | {
            "environment": row.own_environment
        }
        assert {bucket: as_multirange(spans) for bucket, spans in own.items()} == of_claimant, (facts, claimant)
        told |= {bucket for bucket, spans in (*service.buckets.items(), *own.items()) if spans}
    assert told == {*SERVICE_BUCKETS, *CLAIMANT_BUCKETS}


QUORUM = """
WITH edge AS (
    SELECT starts AS at FROM an_observation UNION SELECT ends FROM an_observation UNION SELECT from_at FROM users
), stretch AS (
    SELECT at, lead(at) OVER (ORDER BY at) AS until FROM edge
), counted AS (
    SELECT at, until, (SELECT count(DISTINCT name) FROM an_observation WHERE starts <= at AND at < ends
                       AND timeline = at / 10000) AS unable,
        (SELECT everyone FROM users WHERE from_at <= at ORDER BY from_at DESC LIMIT 1) AS everyone
    FROM stretch WHERE until IS NOT NULL
)
SELECT coalesce(range_agg(int8range(at, until)) FILTER (WHERE unable > everyone * 0.05), '{}')::text FROM counted
"""


def some_timelines(chance: Random, count: int) -> tuple[list[tuple[str, int, int]], list[tuple[int, int]]]:
    """Random rows (user, start, end) and steps of the population, each timeline in 10,000 seconds of its own."""
    seen: list[tuple[str, int, int]] = []
    steps: list[tuple[int, int]] = []
    for timeline in range(count):
        begins = timeline * 10_000
        steps += [
            (begins + at, chance.choice((19, 20, 39, 40, 41, 59, 60, 61, 100))) for at in (0, chance.randint(1, 9_999))
        ]
        edges = [begins + chance.choice((60, 120, 600, 3_600)) + chance.choice((-1, 0, 0, 1, 30)) for _ in range(3)]
        for _ in range(chance.randint(1, 12)):
            start = chance.choice(edges) + chance.choice((0, 0, 1, 59, 60))
            seen.append((chance.choice("abcdef"), start, start + chance.choice((1, 29, 60, 61, 600, 3_000))))
    return seen, steps


def test_9_3__thousands_of_timelines_agree_with_a_count_of_distinct_users(session: Session) -> None:
    """All of them are one query of ours and one of the server's."""
    chance = Random(93)  # noqa: S311
    seen, steps = some_timelines(chance, TIMELINES)
    tables = {
        "an_observation": "name text, starts bigint, ends bigint, timeline bigint",
        "users": "from_at bigint, everyone bigint",
    }
    rows: dict[str, list[Row]] = {
        "an_observation": [(*each, each[1] // 10_000) for each in seen],
        "users": [*steps],
    }
    fill(session, tables, rows)
    session.execute(sa.text("CREATE INDEX ON an_observation (timeline)"))
    session.execute(sa.text("CREATE INDEX ON users (from_at)"))
    session.execute(sa.text("ANALYZE an_observation"))
    stated = session.execute(sa.text(QUORUM)).scalar_one()
    with open_observations() as observed:
        add_observations(observed, shuffled(chance, seen))
        windows = observed_windows(observed.table, Population(tuple(steps)), POLICY, TIMELINES * 10_000)
    assert as_multirange(windows) == stated
    assert len(windows) > TIMELINES // 2


def shuffled(chance: Random, rows: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """The rows in another order, some of them twice."""
    return chance.sample([*rows, *rows[::7]], len(rows) + len(rows[::7]))
