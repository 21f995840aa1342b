// How many bytes a first visit costs, by page: a fresh browser each time, everything that travels counted, headers too.
// node visit.mjs BASE CHROMIUM COOKIE PATH... prints one line of JSON.
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../../end2end/package.json", import.meta.url))("playwright-core");
const [base, executablePath, cookie, ...paths] = process.argv.slice(2);
const root = process.getuid?.() === 0;
const browser = await chromium.launch({
  executablePath,
  args: [...(root ? ["--no-sandbox"] : []), "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
});
const told = {};
for (const path of paths) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const [name, value] = cookie.split("=");
  if (value) await context.addCookies([{ name, value, url: base }]);
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  const kinds = {};
  const types = new Map();
  session.on("Network.responseReceived", (e) => types.set(e.requestId, e.type));
  session.on("Network.loadingFinished", (e) => {
    const kind = types.get(e.requestId) ?? "Other";
    kinds[kind] = (kinds[kind] ?? 0) + e.encodedDataLength;
  });
  const answer = await page.goto(base + path, { waitUntil: "load" });
  await page.waitForTimeout(2500);
  told[path] = { status: answer.status(), bytes: Object.values(kinds).reduce((a, b) => a + b, 0), kinds };
  await context.close();
}
await browser.close();
console.log(JSON.stringify(told));
