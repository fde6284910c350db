"""Acts in a browser: a form, what it would change, and the act itself, by the very call that programs make.

    GET  /console/acts/accounts.suspend?account=a1     the form, what is known filled in; a member's under /member
    POST … step=look                                   what it would change, nothing done (`effects`)
    POST … step=do                                     the call: same checks, same key, same log, same refusals

The form carries its Idempotency-Key, so a form that is sent twice acts once. It works without script. A file comes with
the form when it is looked at, and waits here for the act (`keizoku.web.kept_files`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import TypeAdapter, ValidationError
from starlette.responses import RedirectResponse

from keizoku.terms import words
from keizoku.terms.refusal import Refused
from keizoku.web.calls.answering import done
from keizoku.web.calls.call import door_of
from keizoku.web.calls.paths import PathRoute
from keizoku.web.calls.problems import ProblemError, of_refusal
from keizoku.web.calls.uploads import Uploaded
from keizoku.web.identity.browser import FORM_FIELD
from keizoku.web.pages.shared.act_fields import FILE_NAME, FILE_WORD, inputs_of, values_of
from keizoku.web.pages.shared.addresses import back_to, to, with_query
from keizoku.web.pages.shared.blocks import Table
from keizoku.web.pages.shared.effects import Effects, effects_of
from keizoku.web.pages.shared.form_body import form_of
from keizoku.web.pages.shared.rendering import PAGE_HEADERS, language_of, page_response, render
from keizoku.web.pages.shared.screens import Screens, admit_to_page, of_validation
from keizoku.web.pages.shared.told import told_by, told_to_member
from keizoku.web.pages.shared.words import every_word, say, word

if TYPE_CHECKING:
    from keizoku.terms.rendering import Lang
    from keizoku.web.calls.call import Call
    from keizoku.web.calls.operation import Operation
    from keizoku.web.pages.shared.blocks import Block

__all__ = ["acts_router"]

_PLAIN: Final = frozenset(
    {
        *("account", "done", "id", "recorded", "doubts", "yen", "applied", "contract", "exception", "entry", "claim"),
        *("fact", "held", "approved", "business_date"),
    }
)
"""An answer that says no more than that it was done."""
_KEY: Final = "idempotency_key"


def acts_router(family: Screens) -> APIRouter:
    """The router of all acts, for a family of pages."""
    router = APIRouter(prefix=f"{family.home}/acts", include_in_schema=False, route_class=PathRoute)

    @router.get("/{name}")
    def show(request: Request, name: str) -> Response:
        operation = _operation(request, name)
        admit_to_page(operation, request, family.sitting(request))
        asked = {key: value for key, value in request.query_params.items() if len(value) < 5_000}
        given = _own(family, request, operation, asked)
        if family.members and not _asked_for(request, operation):  # nothing to fill in: what it changes, at once
            shown = _looked(family, request, operation, given)
            shown.status_code = 200  # nothing was asked of it yet, whatever it says of the act
            return shown
        return _page(family, request, operation, given)

    @router.post("/{name}")
    async def send(request: Request, name: str) -> Response:
        operation = _operation(request, name)
        await run_in_threadpool(admit_to_page, operation, request, family.sitting(request))
        form = await form_of(request, operation)  # not before it is known who sends it
        return await run_in_threadpool(_sent, family, request, operation, form)

    return router


def _sent(family: Screens, request: Request, operation: Operation, form: dict[str, str]) -> Response:
    """What is answered to a form."""
    family.sitting(request).check(request, form.get(FORM_FIELD, ""))
    form = _own(family, request, operation, form)
    if form.get("step") == "change":
        return _page(family, request, operation, form)
    if form.get("step") != "do":
        return _looked(family, request, operation, form)
    try:
        given, _ = _read(operation, form, _file_of(request, operation, form))
        return _done(family, request, operation, given, form)
    except (Refused, ProblemError) as error:
        problem = of_refusal(error) if isinstance(error, Refused) else error
        return _page(family, request, operation, form, problem=problem)


def _looked(family: Screens, request: Request, operation: Operation, form: dict[str, str]) -> Response:
    """What the act would change, nothing done."""
    door, (principal, _) = door_of(request), request.state.admitted
    own = family.previews.get(operation.name)

    def preview(call: Call, answer: Mapping[str, Any]) -> Sequence[Block]:
        assert own is not None  # noqa: S101 - else it is not called
        shown = own(family.looking(call, request), answer)
        return [replace(each, tools=False) if isinstance(each, Table) else each for each in shown]

    try:
        _, arguments = _read(operation, form, _file_of(request, operation, form))
        door.check_whose(principal, door.account_for(operation, request, arguments))
        lang = language_of(request)
        effects = effects_of(door, operation, request, arguments, lang, preview if own is not None else None)
    except (Refused, ProblemError) as error:
        problem = of_refusal(error) if isinstance(error, Refused) else error
        return _page(family, request, operation, form, problem=problem)
    return _page(family, request, operation, form, effects=effects)


def _file_of(request: Request, operation: Operation, form: dict[str, str]) -> Uploaded | None:
    """The file that was sent with the form, now or when it was looked at. Raises ProblemError where it is gone."""
    if not operation.upload:
        return None
    kept = door_of(request).kept_files.found(request.state.admitted[0].whose, form.get(FILE_WORD, ""))
    if kept is None:
        form.pop(FILE_WORD, None)
        finding = {"source": operation.upload, "line": None, "value": "", "rule": "choose the file", "remedy": ""}
        raise ProblemError(422, "form", "The call has another form.", "", "", None, [finding])
    form[FILE_NAME] = kept[0]
    return Uploaded(kept[1])


def _without_done(back: str) -> str:
    """The address without what it said of the act before."""
    path, _, query = back.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in ("done", "about")]
    return with_query(path, **dict(kept))


def _own(family: Screens, request: Request, operation: Operation, given: Mapping[str, str]) -> dict[str, str]:
    """What is filled in, by a member: about their own account, and without what is for the staff to say."""
    principal, _ = request.state.admitted
    if principal.account is None:
        return dict(given)
    kept = {name: value for name, value in given.items() if name not in operation.not_by_member}
    own = {**kept, "account": principal.account}
    return own if family.filled is None else {**own, **family.filled(operation, own)}


def _hidden(request: Request, operation: Operation) -> tuple[str, ...]:
    """Fields that are not asked for: of a member, whose they are and why they ask."""
    principal, _ = request.state.admitted
    return () if principal.account is None else ("account", "ground", *operation.not_by_member)


def _asked_for(request: Request, operation: Operation) -> bool:
    """Whether the form has anything to fill in; what its address names is not."""
    hidden = (*_hidden(request, operation), *operation.in_path)
    return any(each.name not in hidden for each in inputs_of(operation, language_of(request), {}))


def _operation(request: Request, name: str) -> Operation:
    found = cast("Mapping[str, Operation]", request.app.state.operations).get(name)
    if found is None or found.kind != "act":
        raise ProblemError(404, "act.unknown", "There is no such act.", name[:80])
    return found


def _read(
    operation: Operation, form: Mapping[str, str], file: Uploaded | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what the call is given, the arguments of its function). Raises ProblemError with a finding for each field."""
    given: dict[str, Any] = {}
    findings: list[Mapping[str, Any]] = []
    for name, hint in operation.in_path.items():
        try:
            given[name] = TypeAdapter(hint).validate_python(form.get(name, "").strip())
        except ValidationError as error:
            findings += [{**each, "source": name} for each in of_validation(error).findings]
    if operation.fields is not None:
        try:
            given["fields"] = operation.fields.model_validate(values_of(operation, form))
        except ValidationError as error:
            findings += of_validation(error).findings
    if findings:
        raise ProblemError(422, "form", "The call has another form.", "", "", None, findings)
    fields = given.get("fields")
    own = {name: getattr(fields, name) for name in type(fields).model_fields} if fields is not None else {}
    own |= {name: given[name] for name in operation.in_path}
    if file is not None and operation.upload:
        given["file"] = own[operation.upload] = file
    return given, own


def _done(
    family: Screens, request: Request, operation: Operation, given: dict[str, Any], form: Mapping[str, str]
) -> Response:
    key = form.get(_KEY, "")
    if not key or len(key) > 255:
        raise ProblemError(400, "idempotency.missing", "An act wants an Idempotency-Key.", "open the form anew")
    answer, status, _ = done(operation, {"request": request, _KEY: key, **given})
    if status == 202:
        where = with_query(to("proposals", answer["proposal"]), done=operation.name)
        return RedirectResponse(where, 303, dict(PAGE_HEADERS))
    if operation.name in family.leads and isinstance(answer, Mapping):
        where = family.leads[operation.name](answer)
        where = f"{where}{'&' if '?' in where else '?'}done={operation.name}"
        return RedirectResponse(where, 303, dict(PAGE_HEADERS))
    if family.receipt is not None and isinstance(answer, Mapping):
        return _page(family, request, operation, form, answer=family.receipt(request, operation, answer))
    if isinstance(answer, Mapping) and set(answer) <= _PLAIN and not answer.get("doubts"):
        back = back_to(form.get("return_to"), family.home)
        where = f"{_without_done(back)}{'&' if '?' in _without_done(back) else '?'}done={operation.name}"
        about = next((form.get(name, "") for name in operation.in_path), "")
        if about and about != form.get("account"):
            where += f"&about={quote(about, safe='')}"
        return RedirectResponse(where, 303, dict(PAGE_HEADERS))
    return _page(family, request, operation, form, answer=answer)


def _page(
    family: Screens,
    request: Request,
    operation: Operation,
    given: Mapping[str, str],
    *,
    problem: ProblemError | None = None,
    effects: Effects | None = None,
    answer: Any = None,
) -> Response:
    lang = language_of(request)
    principal, _ = request.state.admitted
    told = None
    if problem is not None:
        said = problem.to_json()
        acts = request.app.state.operations
        told = told_to_member(said, lang) if family.members else told_by(said, lang, acts)
    wrong = {}
    if problem is not None:
        names = [str(each["source"]).split(".")[0] for each in problem.findings]
        wrong = {name: each["rule"] for name, each in zip(names, (told or {})["findings"], strict=True)}
    hidden, said_of = _hidden(request, operation), family.clause or _as_it_is
    choices = family.offered[operation.name](lang) if operation.name in family.offered else None
    text = render(
        "act.html.j2", request, lang,
        operation=operation, title=_title(family, operation, lang), said=_said(family, operation, lang),
        inputs=[
            replace(each, type="hidden") if family.members and each.name in operation.in_path else each
            for each in inputs_of(operation, lang, given, wrong, choices)
            if each.name not in hidden
        ],
        foreseen=family.foreseen(lang, effects.answer) if family.foreseen is not None and effects is not None else {},
        next=_next(family, operation, lang) if answer is not None else "",
        consequence=every_word().get("consequence", {}).get(operation.name, ("", ""))[lang == "ja"],
        kept_file=given.get(FILE_WORD, "") if operation.upload else "",
        given=given, problem=told, effects=effects, answer=answer,
        key=given.get(_KEY) or uuid.uuid4().hex, form_token=family.sitting(request).token(request),
        back=back_to(given.get("return_to"), family.home),
        subject="" if family.members else _subject(operation, given), clause_words=partial(said_of, lang),
        principal=principal, shown_name=partial(_name, lang), shown_value=partial(_value, lang),
        **family.frame(request),
    )  # fmt: skip
    return page_response(text, 200 if problem is None else problem.status)


def _subject(operation: Operation, given: Mapping[str, str]) -> str:
    """What the act is about, where the form names it."""
    return given.get("account") or next((given[name] for name in operation.in_path if given.get(name)), "")


def _as_it_is(lang: Lang, clause: str) -> str:
    del lang
    return clause


def _title(family: Screens, operation: Operation, lang: Lang) -> str:
    """An act by its name, as whoever sits at these pages would call it."""
    own = every_word().get(f"{family.name}_act", {})
    return word(f"{family.name}_act" if operation.name in own else "act", operation.name, lang)


def _said(family: Screens, operation: Operation, lang: Lang) -> str:
    """What an act does, in a sentence or two."""
    own = every_word().get(f"{family.name}_act_said", {}).get(operation.name)
    if own is not None:
        return str(own[1 if lang == "ja" else 0])
    if lang == "ja":
        return str(every_word().get("act_said", {}).get(operation.name, ("", ""))[1])
    return " ".join((operation.handler.__doc__ or "").split())


def _next(family: Screens, operation: Operation, lang: Lang) -> str:
    """What comes after an act that was done, in a sentence; empty where nothing does."""
    found = every_word().get(f"{family.name}_act_next", {}).get(operation.name)
    return "" if found is None else str(found[1 if lang == "ja" else 0])


def _name(lang: Lang, name: str) -> str:
    """What a value is called; `unusable_seconds 2026-04` is that of a month."""
    key, _, month = name.partition(" ")
    return word("field", key, lang) + (f" ({words.month(month, lang == 'ja')})" if month else "")


def _value(lang: Lang, name: str, value: Any) -> str:
    """A value in words, by the last part of its name."""
    key = name.partition(" ")[0]
    if value is None:
        return "—"
    if isinstance(value, bool):
        return say("yes" if value else "no", lang)
    if key.endswith("_yen"):
        return words.yen(value, lang == "ja")
    if key.endswith("_seconds"):
        return words.duration(value, lang == "ja")
    if key.endswith("_rate"):
        return words.percent(value, lang == "ja")
    return word(key, str(value), lang)
