import { PASSWORD, alive, expect, freshName, test, visit } from "./helpers";
import type { Page } from "@playwright/test";

/** Presses Tab until an element is reached whose name, label or text matches; it must show that it has the focus. */
async function tabTo(page: Page, what: RegExp, limit = 80) {
  for (let i = 0; i < limit; i += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const e = document.activeElement as HTMLElement | null;
      if (!e || e === document.body) return null;
      const label = e.id ? document.querySelector(`label[for="${e.id}"]`)?.textContent : "";
      // The composer shows the focus on the box around its text.
      const shown = e.closest(".box") ?? e;
      const outline = getComputedStyle(shown).outlineStyle + getComputedStyle(shown).boxShadow;
      return { text: [label, e.getAttribute("aria-label"), e.textContent].filter(Boolean).join(" ").trim(), outline };
    });
    if (found && what.test(found.text)) {
      expect(found.outline, `${found.text} shows its focus`).not.toBe("nonenone");
      return;
    }
  }
  throw new Error(`no ${what} within ${limit} tabs on ${page.url()}`);
}

test("from joining to talking by keyboard alone", async ({ page }) => {
  test.setTimeout(180_000);
  const name = freshName("keys");
  await visit(page, "/");
  await tabTo(page, /join/i);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/sign-up/);
  await tabTo(page, /^username/i);
  await page.keyboard.type(name);
  await tabTo(page, /^e-?mail/i);
  await page.keyboard.type(`${name}@example.org`);
  await tabTo(page, /^password/i);
  await page.keyboard.type(PASSWORD);
  await tabTo(page, /^date of birth/i);
  await page.keyboard.type("01311990");
  await tabTo(page, /^I accept/);
  await page.keyboard.press("Space");
  await tabTo(page, /^create account/i);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/welcome/);
  await tabTo(page, /^I saved them/);
  await page.keyboard.press("Enter");
  await expect(page).not.toHaveURL(/welcome/);
  await page.goto("/c/thorne");
  await alive(page);
  await tabTo(page, /chat with thorne/i);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/(talk|chat)\//);
  await alive(page);
  const focused = await page.evaluate(() => document.activeElement?.tagName);
  if (focused !== "TEXTAREA") await tabTo(page, /say something|message|write/i);
  await page.keyboard.type("Good evening. What is on the anvil?");
  await page.keyboard.press("Enter");
  await expect(page.getByText("Good evening. What is on the anvil?").first()).toBeVisible();
  await expect(page.locator("article.oc").nth(1)).toContainText("word30");

  // The real local model answers next.
  await tabTo(page, /^model:/i);
  await page.keyboard.press("Enter");
  await tabTo(page, /^use for this chat/i);
  await page.keyboard.type("SmolLM2");
  await tabTo(page, /^choose/i);
  await page.keyboard.press("Enter");
  await expect(page.getByText(/^Now using SmolLM2/)).toBeVisible();
  await tabTo(page, /say something/i);
  await page.keyboard.type("And what do you like about iron?");
  await page.keyboard.press("Enter");
  await expect(page.locator("article.oc")).toHaveCount(3);
  const real = page.locator("article.oc").nth(2).locator(".said");
  await expect(real).toContainText(/\w{3,}/, { timeout: 90_000 });
  await expect(real).not.toContainText("word1");
});
