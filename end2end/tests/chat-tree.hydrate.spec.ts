import { alive, expect, newPerson, test, visit } from "./helpers";
import type { Page } from "@playwright/test";

async function whole(page: Page) {
  await expect(page.locator("article.oc").last().getByRole("button", { name: /^(Regenerate|Try again)$/ })).toBeVisible({
    timeout: 60_000,
  });
}

async function talk(page: Page, slug: string) {
  await newPerson(page);
  await visit(page, `/talk/${slug}`);
  const box = page.getByRole("textbox", { name: /^Say something to/ });
  await box.fill("Good evening.");
  await box.press("Enter");
  await expect(page).toHaveURL(/\/chat\//);
  await alive(page);
  await whole(page);
  return box;
}

test("arrows turn the last reply, and ask for another at its end", async ({ page }) => {
  const box = await talk(page, "lumina");
  const last = page.locator("article.oc").last();
  await box.focus();
  await page.keyboard.press("ArrowRight");
  await expect(last.getByText("2 of 2")).toBeVisible({ timeout: 60_000 });
  await whole(page);
  await page.keyboard.press("ArrowLeft");
  await expect(last.getByText("1 of 2")).toBeVisible();
  await page.keyboard.press("ArrowRight");
  await expect(last.getByText("2 of 2")).toBeVisible();
  // In a box with words they move the caret.
  await box.fill("ab");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.type("x");
  await expect(box).toHaveValue("axb");
  await expect(last.getByText("2 of 2")).toBeVisible();
});

test("a button that turns keeps the focus", async ({ page }) => {
  await talk(page, "thorne");
  const last = page.locator("article.oc").last();
  await last.getByRole("button", { name: "Regenerate" }).click();
  await expect(last.getByText("2 of 2")).toBeVisible({ timeout: 60_000 });
  await whole(page);
  await last.getByRole("button", { name: "Previous version" }).focus();
  await page.keyboard.press("Enter");
  await expect(last.getByText("1 of 2")).toBeVisible();
  await expect(last.locator(".turn")).toContainText("1 of 2");
  const inTurn = () => page.evaluate(() => document.activeElement?.closest(".turn") !== null);
  await last.getByRole("button", { name: "Next version" }).focus();
  await page.keyboard.press("Enter");
  await expect(last.getByText("2 of 2")).toBeVisible();
  await expect.poll(inTurn).toBe(true);
});

test("Up changes one's last line, Escape leaves, Ctrl and Enter send", async ({ page }) => {
  const box = await talk(page, "elara");
  await box.focus();
  await page.keyboard.press("ArrowUp");
  const edit = page.getByRole("textbox", { name: "Your message" });
  await expect(edit).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(edit).toHaveCount(0);
  await box.focus();
  await page.keyboard.press("ArrowUp");
  await edit.fill("Good morning.");
  await page.keyboard.press("Control+Enter");
  await expect(page.getByText("Good morning.").first()).toBeVisible();
  await expect(edit).toHaveCount(0);
  await whole(page);
});

test("a block of code is copied", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await talk(page, "kinetix");
  await page.locator("article.oc").last().getByRole("link", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Reply" }).fill("See:\n\n```\nlet a = 1 < 2;\n```");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("button", { name: "Copy code" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("let a = 1 < 2;\n");
});

test("a line that is being written can be stopped", async ({ page }) => {
  const box = await talk(page, "eliza");
  await page.route("**/impersonate", async (route) => {
    await new Promise((done) => setTimeout(done, 4000));
    await route.continue().catch(() => undefined);
  });
  await page.getByRole("button", { name: "Suggest a reply" }).click();
  await page.getByRole("button", { name: "Stop suggesting" }).click();
  await expect(page.getByRole("button", { name: "Suggest a reply" })).toBeVisible();
  await page.waitForTimeout(5000);
  await expect(box).toHaveValue("");
});
