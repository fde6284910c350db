"""A double of Stripe.js for a browser of the tests: served in its place, it speaks to the double of Stripe.

It asks api.stripe.com and goes to hooks.stripe.com as the real one does, so that the page's own policy has to allow it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

from tests.stripe_double.server import VERSION

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Route

    from tests.stripe_double.running import Controls

__all__ = ["serve_stripe_js"]

STRIPE_JS: Final = """
window.Stripe = (key, options) => ({
  elements: given => {
    window.asked = { key, ...options, ...given };
    return { secret: given.clientSecret, create: (kind, more) => ({ on() {}, mount(where) {
      window.asked.kind = kind;
      const number = document.createElement("input");
      number.id = "number";
      number.setAttribute("aria-label", "card number");
      document.querySelector(where).append(number);
    } }) };
  },
  confirmSetup: async ({ elements, confirmParams }) => {
    const setup = elements.secret.split("_secret_")[0];
    const sent = new URLSearchParams({ payment_method: document.getElementById("number").value,
      return_url: confirmParams.return_url });
    const there = `https://api.stripe.com/v1/setup_intents/${setup}/confirm`;
    const answer = await fetch(there, { method: "POST", body: sent });
    const told = await answer.json();
    if (told.error) return { error: told.error };
    const brought = new URLSearchParams({ setup_intent: setup, setup_intent_client_secret: elements.secret,
      redirect_status: "succeeded" });
    const next = told.next_action && told.next_action.redirect_to_url;
    window.location = next ? next.url : `${confirmParams.return_url}?${brought}`;
    return new Promise(() => {});
  },
});
"""


def serve_stripe_js(context: BrowserContext, double: Controls, key: str, *, authenticates: bool = True) -> list[str]:
    """Stand for Stripe's three hosts in a browser; the addresses that were asked of them."""
    asked: list[str] = []
    returns: list[str] = []

    def api(route: Route) -> None:
        asked.append(route.request.url)
        returns.append(parse_qs(route.request.post_data or "")["return_url"][0])
        status, content = _confirm(double, urlsplit(route.request.url).path, route.request.post_data or "", key)
        headers = {"Access-Control-Allow-Origin": "*"}
        route.fulfill(status=status, body=json.dumps(content), content_type="application/json", headers=headers)

    def script(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(body=STRIPE_JS, content_type="text/javascript")

    def bank(route: Route) -> None:
        """3-D Secure: the bank's page, which sends the holder back."""
        asked.append(route.request.url)
        intent = parse_qs(urlsplit(route.request.url).query)["setup_intent"][0]
        double("holder", key=key, intent=intent, succeeds=authenticates)
        told = {"setup_intent": intent, "redirect_status": "succeeded" if authenticates else "failed"}
        back = f"{returns[-1]}?{urlencode(told)}"
        route.fulfill(body=f'<a id="back" href="{back}">back</a>', content_type="text/html")

    context.route("https://js.stripe.com/**", script)
    context.route("https://api.stripe.com/**", api)
    context.route("https://hooks.stripe.com/**", bank)
    return asked


def _confirm(double: Controls, path: str, body: str, key: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}", "Stripe-Version": VERSION,
               "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
    try:
        with urlopen(Request(f"{double.url}{path}", body.encode(), headers, method="POST"), timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)
