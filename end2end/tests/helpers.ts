import AxeBuilder from "@axe-core/playwright";
import { test as base, expect, type Page } from "@playwright/test";

export const PASSWORD = "violet harbour lantern nine";

/** The day of birth of everybody who does not say otherwise. */
export const BORN = "1990-01-31";

/** A refused form is not a fault of the page: the browser notes its status in the console all the same. */
const REFUSALS = /Failed to load resource: the server responded with a status of (401|403|404|409|413|422|429)/;

/** Every test fails on anything the page complains about: console errors, exceptions, violations of the policy. */
export const test = base.extend<{ complaints: string[] }>({
  complaints: [
    async ({ page }, use, info) => {
      const complaints: string[] = [];
      page.on("console", (m) => {
        if (m.type() === "error" && !REFUSALS.test(m.text())) complaints.push(m.text());
      });
      page.on("pageerror", (e) => complaints.push(String(e)));
      await use(complaints);
      if (info.status === info.expectedStatus) expect(complaints, "the page complained").toEqual([]);
    },
    { auto: true },
  ],
});
export { expect };

/** Whether this run has scripts. */
export const hydrated = (page: Page) => page.context().browser() !== null && test.info().project.name === "hydrated";

let counter = 0;

/** A name that nobody has yet. */
export function freshName(prefix = "wren"): string {
  counter += 1;
  return `${prefix}_${Date.now().toString(36)}${test.info().parallelIndex}${counter}`.slice(0, 30);
}

/** Goes to a page and waits until it is alive, when it can be. */
export async function visit(page: Page, path: string) {
  const response = await page.goto(path);
  await alive(page);
  return response;
}

/** Waits until the page has been hydrated, unless it is one that the server draws alone. */
export async function alive(page: Page) {
  if (hydrated(page)) await page.locator("html:is([data-hydrated], [data-plain])").waitFor({ state: "attached" });
}

/** Signs a new person up by the API; the page has their session afterwards. */
export async function newPerson(page: Page, prefix = "wren"): Promise<string> {
  const username = freshName(prefix);
  const answer = await page.request.post("/api/accounts", {
    data: { username, email: `${username}@example.org`, password: PASSWORD, birth_date: BORN },
  });
  expect(answer.status(), await answer.text()).toBe(201);
  return username;
}

/** No violations of WCAG 2.2 AA that axe can see. */
export async function accessible(page: Page) {
  if (!hydrated(page)) return;
  const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]).analyze();
  const told = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(" | ")}`);
  expect(told, page.url()).toEqual([]);
}

/** Nothing sticks out sideways. */
export async function fits(page: Page) {
  if (!hydrated(page)) return;
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(over, `${page.url()} is ${over} px too wide`).toBeLessThanOrEqual(0);
}
