// Lighthouse on addresses, in one Chromium: a line of JSON for each, {address, accessibility, practices, failed}.
// node lighthouse.mjs CHROMIUM desktop|mobile HEADERS-AS-JSON ADDRESS...
import { launch } from "chrome-launcher";
import lighthouse, { desktopConfig } from "lighthouse";

const [chromium, form, headers, ...addresses] = process.argv.slice(2);
const chrome = await launch({ chromePath: chromium, chromeFlags: ["--headless=new", "--no-sandbox", "--disable-gpu"] });
for (const address of addresses) {
  const options = {
    port: chrome.port,
    onlyCategories: ["accessibility", "best-practices"],
    logLevel: "silent",
    extraHeaders: JSON.parse(headers),
  };
  const { lhr } = await lighthouse(address, options, form === "desktop" ? desktopConfig : undefined);
  const failed = Object.values(lhr.audits).filter((each) => each.score !== null && each.score < 1);
  console.log(JSON.stringify({
    address,
    accessibility: Math.round(100 * lhr.categories.accessibility.score),
    practices: Math.round(100 * lhr.categories["best-practices"].score),
    failed: failed.map((each) => `${each.id}: ${each.title}`),
    error: lhr.runtimeError?.message ?? "",
  }));
}
await chrome.kill();
