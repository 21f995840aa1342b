import { accessible, alive, expect, fits, newPerson, test, visit } from "./helpers";

test("a line about suicide gets help lines before any reply, and the chat can go on", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/talk/lumina");
  await page.getByRole("textbox", { name: /^Say something to/ }).fill("I want to kill myself.");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page).toHaveURL(/\/chat\/[0-9a-f-]{36}/);
  await alive(page);
  const card = page.getByRole("note", { name: "Help lines" });
  await expect(card).toBeVisible();
  await expect(card.getByRole("link", { name: "findahelpline.com" })).toHaveAttribute("href", "https://findahelpline.com");
  await expect(page.locator(".me").first()).toContainText("kill myself");
  // Nobody was asked: there is the greeting, and no reply.
  await expect(page.locator("article.oc")).toHaveCount(1);
  await accessible(page);
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    await fits(page);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await card.getByRole("button", { name: "Continue the chat" }).click();
  await expect(page.locator("article.oc").last().getByRole("button", { name: /^(Regenerate|Try again)$/ })).toBeVisible({ timeout: 60_000 });
  await expect(card).toBeVisible();
  await expect(card.getByRole("button", { name: "Continue the chat" })).toHaveCount(0);
});
