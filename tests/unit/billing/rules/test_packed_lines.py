"""Lines held small come out as they were put in, in the order of the file and day by day."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.bank.packed_lines import PackedLines, first_and_last_day, packed, shows_balances
from keizoku.billing.rules.bank.statement import Direction, LineState, StatementLine

FIRST = date(2026, 4, 1)
TEXTS = st.text(max_size=3)
LINES = st.lists(
    st.builds(
        StatementLine,
        account=st.sampled_from(["", "0005-001-1-1234567"]),
        line=st.integers(1, 10**6),
        booked_on=st.integers(0, 3).map(lambda days: FIRST + timedelta(days=days)),
        direction=st.sampled_from(Direction),
        amount=st.integers(1, 10**15),
        currency=st.sampled_from(["JPY", "USD"]),
        value_on=st.none() | st.dates(),
        kind_text=TEXTS,
        payer=TEXTS,
        reference=TEXTS,
        bank_id=TEXTS,
        balance=st.none() | st.integers(-(10**15), 10**15),
        state=st.sampled_from(LineState),
        digest=TEXTS,
        ignored=st.booleans(),
    ),
    max_size=12,
)


@given(LINES, st.integers(1, 4))
def test_what_is_put_in_comes_out(lines: list[StatementLine], repeated: int) -> None:
    every = lines * repeated
    held = packed(every)
    assert (len(held), list(held), held == packed(iter(every))) == (len(every), every, True)
    assert list(held.backwards()) == every[::-1]
    days = sorted({each.booked_on for each in every})
    assert held.days == days
    for day in days:
        of_day = [each for each in every if each.booked_on == day]
        assert (held.of_day(day), held.backwards().of_day(day)) == (of_day, of_day[::-1])
    assert first_and_last_day(held) == first_and_last_day(every) == ((days[0], days[-1]) if days else None)
    assert shows_balances(held) == shows_balances(every)
    if every:
        assert (held[0], held[-1], held.backwards()[0]) == (every[0], every[-1], every[-1])
        assert held[1:3] == every[1:3]


def test_pieces_are_put_together_again() -> None:
    lines = [StatementLine("a", number, FIRST, Direction.IN, number) for number in range(1, 1_500)]
    assert list(PackedLines(lines)) == lines
