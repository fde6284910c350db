"""The account that PostgreSQL runs under where we are root."""

import pytest

from keizoku.db import programs


def test_two_commands_that_make_the_account_at_once_both_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, False])  # the other command holds the lock of the accounts' file
    there = iter([False, True])  # and is done when we look the second time
    monkeypatch.setattr("shutil.which", lambda name, path: "/usr/sbin/useradd")
    monkeypatch.setattr(programs, "succeeds", lambda command, account: next(answers))
    monkeypatch.setattr(programs, "_exists", lambda name: next(there))
    assert programs._made_account()
    assert list(answers) == list(there) == []


def test_an_account_that_cannot_be_made_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_ACCOUNT_SECONDS", 0)
    monkeypatch.setattr("shutil.which", lambda name, path: "/usr/sbin/useradd")
    monkeypatch.setattr(programs, "succeeds", lambda command, account: False)
    monkeypatch.setattr(programs, "_exists", lambda name: False)
    assert not programs._made_account()
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    assert not programs._made_account()
