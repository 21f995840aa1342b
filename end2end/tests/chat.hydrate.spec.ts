import { alive, expect, newPerson, test, visit } from "./helpers";

/** Text of the last reply as it is now. */
const reply = (page: import("@playwright/test").Page) => page.locator("article.oc").last().locator(".said");

test("Enter sends, words come without a reload, a second tab sees them", async ({ page, context }) => {
  await newPerson(page);
  await visit(page, "/talk/elara");
  const box = page.getByRole("textbox", { name: /^Say something to/ });
  await box.fill("one");
  await box.press("Shift+Enter");
  await box.pressSequentially("two");
  await expect(box).toHaveValue("one\ntwo");
  await box.press("Enter");
  await expect(page).toHaveURL(/\/chat\//);
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(reply(page)).not.toBeEmpty();

  const second = await context.newPage();
  await visit(second, page.url());
  await page.evaluate(() => ((window as unknown as { stays: boolean }).stays = true));
  await box.fill("And what do you think of the sea?");
  await box.press("Enter");
  await expect(box).toHaveValue("");
  await expect(page.locator(".me")).toHaveCount(2);
  await expect(second.locator(".me")).toHaveCount(2, { timeout: 5_000 });
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(second.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(reply(second)).toHaveText(await reply(page).innerText());
  // The finished reply is announced once, and the page was never loaded anew.
  await expect(page.locator(".talk [aria-live]").first()).not.toBeEmpty();
  expect(await page.evaluate(() => (window as unknown as { stays?: boolean }).stays)).toBe(true);
});

test("Stop keeps the words, Continue goes on", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/talk/eliza");
  await page.getByRole("textbox", { name: /^Say something to/ }).fill("Tell me a long story about a lighthouse.");
  await page.getByRole("button", { name: "Send" }).click();
  await alive(page);
  const stop = page.getByRole("button", { name: "Stop" });
  await stop.click({ timeout: 30_000 }).catch(() => undefined);
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(page.getByRole("button", { name: "Send" })).toBeVisible();
});

test("from sign-up to a reply with the keyboard alone", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/conversations");
  await page.getByRole("link", { name: /Lumina/ }).first().focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/talk\/lumina/);
  await page.getByRole("textbox", { name: /^Say something to/ }).focus();
  await page.keyboard.type("Hello there");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/chat\//);
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(reply(page)).not.toBeEmpty();
});
