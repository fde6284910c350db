"""In which language the command line speaks: its help beside each command in both, its output in one.

`KEIZOKU_LANG` (ja or en) says so, then `lang` of the settings file, then the locale (LC_ALL, LC_MESSAGES, LANG); else
it is English. It is settled once, before the first group of commands is imported. Nothing heavy is imported here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal

__all__ = ["both", "japanese", "language", "language_of", "settle"]

Spoken = Literal["ja", "en"]

LOCALES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
_settled: list[Spoken] = []


def language() -> Spoken:
    """The language of this process."""
    if not _settled:
        _settled.append(language_of(os.environ))
    return _settled[0]


def language_of(environment: Mapping[str, str]) -> Spoken:
    """The language that an environment asks for; what is neither `ja` nor `en` is for the settings to refuse."""
    wanted = environment.get("KEIZOKU_LANG") or _of_file(environment.get("KEIZOKU_SETTINGS_FILE", ""))
    if wanted:
        return "ja" if wanted == "ja" else "en"
    locale = next((environment[name] for name in LOCALES if environment.get(name)), "")
    return "ja" if locale.partition(".")[0].partition("_")[0] == "ja" else "en"


def settle(arguments: Sequence[str]) -> None:
    """Where help is asked for, `--lang ja` among the arguments holds for the help too; call it before any group."""
    if not {"--help", "-h"} & set(arguments):
        return
    following = dict(pairwise(arguments))
    wanted = following.get("--lang") or next((each[7:] for each in arguments if each.startswith("--lang=")), "")
    if wanted in ("ja", "en"):
        _settled[:] = ["ja" if wanted == "ja" else "en"]


def both(en: str, ja: str) -> str:
    """A text of the help, in the language of this process."""
    return ja if language() == "ja" else en


def japanese(ja: str) -> str | None:
    """The Japanese help of a command whose docstring is its English one (None: the docstring)."""
    return ja if language() == "ja" else None


def _of_file(name: str) -> str:
    if not os.path.isfile(name):  # noqa: PTH113  nor is a pipe read here, or a device that never ends
        return ""
    import tomllib

    try:
        with open(name, "rb") as file:  # noqa: PTH123  pathlib would be imported for this alone
            return str(tomllib.load(file).get("lang", ""))
    except (OSError, ValueError, RecursionError):
        return ""  # the settings say what is wrong with it
