// Stripe's own card form on a member's page: mounted, confirmed, and back to us; what goes wrong is said beside it.
"use strict";
(() => {
  const finish = document.getElementById("finish-card");
  if (finish) {
    window.history.replaceState(null, "", window.location.pathname); // no secret stays in the address
    if (typeof finish.requestSubmit === "function") finish.requestSubmit();
    return;
  }
  const form = document.getElementById("card");
  if (!form) return;
  const none = document.getElementById("card-none");
  if (typeof window.Stripe !== "function") { none.hidden = false; return; }
  const { key, secret, back, lang } = form.dataset;
  const wrong = document.getElementById("card-wrong"), waits = document.getElementById("card-waits");
  const button = form.querySelector("button");
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const stripe = window.Stripe(key, { locale: lang });
  const elements = stripe.elements({ clientSecret: secret, appearance: { theme: dark ? "night" : "stripe" } });
  const card = elements.create("payment", { wallets: { applePay: "never", googlePay: "never" } });
  card.on("loaderror", () => { form.hidden = true; none.hidden = false; });
  card.mount("#card-form");
  form.hidden = false;
  form.addEventListener("submit", async event => {
    event.preventDefault();
    button.disabled = true;
    wrong.hidden = true;
    waits.hidden = false;
    const { error } = await stripe.confirmSetup({ elements, confirmParams: { return_url: back } });
    // only an error comes back here: a card that was confirmed has led on to `back`
    waits.hidden = true;
    button.disabled = false;
    wrong.querySelector("span").textContent = (error && error.message) || "";
    wrong.hidden = false;
    wrong.scrollIntoView({ block: "nearest" });
  });
})();
