"""Codes as people type them (premium/5.1.1.b): every single mistake is seen before anybody looks anything up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.codes import (
    ALPHABET,
    LETTERS,
    MOST_BATCHES,
    SECRET_LETTERS,
    Code,
    CodeTypoError,
    compose,
    draw_secret,
    read_code,
)

codes = st.builds(
    compose,
    st.integers(1, MOST_BATCHES),
    st.text(st.sampled_from(ALPHABET), min_size=SECRET_LETTERS, max_size=SECRET_LETTERS),
)


def test_5_1_1_b__a_code_is_read_back_however_it_is_typed() -> None:
    code = compose(1, "K7Q2M9XW4TB3HZE")
    assert (str(code), code.masked) == ("0001K-7Q2M9-XW4TB-3HZEF", "0001…ZEF")
    for typed in ("0001k7q2m9xw4tb3hzef", " OOOL K-7Q2M9 xw4tb-3HZEF ", "0001K-7Q2M9-XW4TB-3HZEF"):
        assert read_code(typed) == code


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "has 20 letters, this one 0"),
        ("0001K-7Q2M9-XW4TB-3HZE", "has 20 letters, this one 19"),
        ("0001K-7Q2M9-XW4TB-3HZUF", "has no U"),
        ("0001K-7Q2M9-XW4TB-3HEZF", "two changed places"),
        ("\x00" * 20, "has no"),
    ],
)
def test_5_1_1_b__what_is_no_code_says_why(typed: str, message: str) -> None:
    with pytest.raises(CodeTypoError, match=message):
        read_code(typed)


@given(codes, st.integers(0, LETTERS - 1), st.sampled_from(ALPHABET))
def test_5_1_1_b__one_wrong_letter_is_seen(code: Code, place: int, letter: str) -> None:
    typed = code.letters[:place] + letter + code.letters[place + 1 :]
    if typed == code.letters:
        assert read_code(typed) == code
    else:
        with pytest.raises(CodeTypoError):
            read_code(typed)


@given(codes, st.integers(0, LETTERS - 1), st.integers(0, LETTERS - 1))
def test_5_1_1_b__two_letters_that_changed_places_are_seen(code: Code, one: int, other: int) -> None:
    letters = list(code.letters)
    letters[one], letters[other] = letters[other], letters[one]
    if letters != list(code.letters):
        with pytest.raises(CodeTypoError):
            read_code("".join(letters))


def test_5_1_1_b__what_is_kept_of_a_code_depends_on_its_batch() -> None:
    code = compose(7, draw_secret())
    assert code.digest(b"salt") == read_code(str(code).lower()).digest(b"salt")
    assert code.digest(b"salt") != code.digest(b"other")
    assert len(code.digest(b"salt")) == 32
