"use strict";
const said = row => [...row.cells].map(cell => `${cell.textContent} ${cell.dataset.sort ?? ""}`).join("\n").toLowerCase();
for (const section of document.querySelectorAll("section[id^='t-']")) {
  const body = section.querySelector("tbody"), search = section.querySelector("input"), shown = section.querySelector(".shown");
  if (!body) { section.only = () => {}; continue; }
  const filter = (text, exact) => {
    let count = 0;
    for (const row of body.rows) {
      row.hidden = exact ? (row.cells[0].dataset.sort ?? row.cells[0].textContent) !== text : !said(row).includes(text.toLowerCase());
      count += !row.hidden;
    }
    shown.textContent = count.toLocaleString("en");
  };
  section.only = text => { search.value = text; filter(text, text !== ""); };
  search.addEventListener("input", () => filter(search.value, false));
  // no <button>: a browser does not repeat a heading that has one on each sheet of paper
  section.querySelectorAll("th span").forEach(button => {
    const head = button.parentElement, at = head.cellIndex;
    button.role = "button";
    button.tabIndex = 0;
    button.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); button.click(); }
    });
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending", number = head.classList.contains("n");
      section.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = row => row.cells[at].dataset.sort ?? row.cells[at].textContent;
      const order = (a, b) => number ? Number(key(a)) - Number(key(b)) : key(a).localeCompare(key(b));
      body.append(...[...body.rows].sort((a, b) => down ? order(b, a) : order(a, b)));
    });
  });
}
for (const link of document.querySelectorAll("a[data-only]"))
  link.addEventListener("click", () => document.querySelector(link.getAttribute("href")).only(link.dataset.only));
