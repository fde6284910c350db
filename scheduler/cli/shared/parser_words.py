"""What the parser of the command line says by itself, in Japanese: headings of the help, its own options."""

from __future__ import annotations

import gettext
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

__all__ = ["speak_japanese"]

WORDS: Final = {
    "Arguments": "引数",
    "Options": "オプション",
    "Commands": "コマンド",
    "Error": "エラー",
    "required": "必須",
    "[required]": "[必須]",
    "[default: {}]": "[既定値: {}]",
    "default: {default}": "既定値: {default}",
    "[env var: {}]": "[環境変数: {}]",
    "(dynamic)": "(実行時に決まります)",
}
USAGE: Final = "使い方: "
OPTIONS: Final = {
    "help": "この説明を表示して終了します。",
    "install_completion": "いまのシェルに補完を組み込みます。",
    "show_completion": "いまのシェルの補完を表示します。写すか、組み込み方を変えるときに使います。",
}


def speak_japanese() -> None:
    """Let the parser speak Japanese in this process: most of its words it asks gettext for, the others are set."""
    original = gettext.dgettext

    def translated(domain: str, message: str) -> str:
        return WORDS.get(message) or original(domain, message)

    gettext.dgettext = translated
    for kind in (TyperCommand, TyperGroup):
        _teach(kind)


def _teach(kind: Any) -> None:
    params_of = kind.get_params

    def get_params(self: Any, context: Any) -> list[Any]:
        params: list[Any] = params_of(self, context)
        for each in params:
            if each.name in OPTIONS:
                each.help = OPTIONS[each.name]
        return params

    def format_usage(self: Any, context: Any, formatter: Any) -> None:
        formatter.write_usage(context.command_path, " ".join(self.collect_usage_pieces(context)), prefix=USAGE)

    kind.get_params, kind.format_usage = get_params, format_usage
