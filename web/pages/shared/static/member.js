// A member's pages: they are told before their session ends, and nothing of it is shown again once it is over.
"use strict";
(() => {
  const foot = document.querySelector("footer.session");
  if (!foot) return;
  const near = foot.querySelector(".near"), over = foot.querySelector(".over");
  const WARNED = 120, AT_MOST = 2147483;
  const ends = Date.now() + 1000 * Number(foot.dataset.left);
  let idle;
  const used = () => { idle = Date.now() + 1000 * Number(foot.dataset.idle); };
  const left = until => (until - Date.now()) / 1000;
  const out = () => window.location.replace(foot.dataset.out);
  const look = () => {
    if (Math.min(left(ends), left(idle)) <= 0) { out(); return; }
    over.hidden = left(ends) > WARNED;
    near.hidden = left(idle) > WARNED || !over.hidden;
    const next = [ends, idle, ends - 1000 * WARNED, idle - 1000 * WARNED].map(left).filter(each => each > 0);
    setTimeout(look, 1000 * Math.min(AT_MOST, Math.min(...next) + 0.2));
  };
  near.querySelector("button").addEventListener("click", async () => {
    try {
      const answer = await fetch(foot.dataset.stay, { headers: { Accept: "application/json" } });
      if (!answer.ok) { out(); return; }
      used();
      near.hidden = true;
    } catch { near.hidden = false; }
  });
  window.addEventListener("pageshow", event => { if (event.persisted) window.location.reload(); });
  used();
  look();
})();
