import { accessible, alive, expect, fits, hydrated, newPerson, test, visit } from "./helpers";

/** Waits until the newest reply is whole. */
async function whole(page: import("@playwright/test").Page) {
  // Not "nothing is being written": between two loads of a page without scripts there is nothing at all.
  const done = page.locator("article.oc").last().getByRole("button", { name: /^(Regenerate|Try again)$/ });
  await expect(done).toBeVisible({ timeout: 60_000 });
}

/** Says something in the composer. */
async function say(page: import("@playwright/test").Page, text: string) {
  await page.getByRole("textbox", { name: /^Say something to/ }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

test("a talk from the first line to the list", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/conversations");
  await expect(page.getByRole("heading", { name: "No chats yet" })).toBeVisible();
  await visit(page, "/talk/lumina");
  await expect(page.getByRole("heading", { level: 1, name: "Lumina" })).toBeVisible();
  await expect(page.locator("article.oc")).toHaveCount(1);
  await say(page, "Good evening. What are you looking at?");
  await expect(page).toHaveURL(/\/chat\/[0-9a-f-]{36}/);
  await alive(page);
  await expect(page.locator(".me").first()).toContainText("Good evening");
  await whole(page);
  const reply = page.locator("article.oc").last().locator(".said");
  await expect(reply).not.toBeEmpty();
  const text = await reply.innerText();

  // Reloading shows the same words; so does the list.
  await visit(page, page.url());
  await expect(page.locator("article.oc").last().locator(".said")).toHaveText(text);
  await accessible(page);
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    await fits(page);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await visit(page, "/conversations");
  await page.locator("a.list-row").click();
  await expect(page).toHaveURL(/\/chat\//);
  await expect(page.locator(".me")).toHaveCount(1);
});

test("another wording, and deleting it", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/talk/thorne");
  await say(page, "Teach me one thing about iron.");
  await expect(page).toHaveURL(/\/chat\//);
  await alive(page);
  await whole(page);
  await page.getByRole("button", { name: "Regenerate" }).click();
  await whole(page);
  const last = page.locator("article.oc").last();
  await expect(last.getByText("2 of 2")).toBeVisible();
  await last.getByRole("button", { name: "Previous version" }).click();
  await expect(last.getByText("1 of 2")).toBeVisible();
  await last.hover();
  await last.getByRole("button", { name: "More" }).click();
  await last.locator(".menu").locator("summary", { hasText: "Delete" }).click();
  await last.getByRole("button", { name: "Delete this reply" }).click();
  await expect(last.getByText("1 of 2")).toHaveCount(0);
  await expect(page.locator("article.oc")).toHaveCount(2);
});

test("what is refused stays in the box, with the reason", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/talk/lumina");
  await say(page, `kept a${"\u0301".repeat(9)} words`);
  await expect(page.getByText("Too many accents").first()).toBeVisible();
  await expect(page.getByRole("textbox", { name: /^Say something to/ })).toHaveValue(/kept/);
});

test("a conversation is renamed, put away and deleted", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/talk/lyra");
  await say(page, "Hello.");
  await expect(page).toHaveURL(/\/chat\//);
  await alive(page);
  await whole(page);
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.getByText("This chat", { exact: true }).click();
  await page.getByLabel("Title").fill("A first word");
  await page.getByRole("button", { name: "Rename" }).click();
  if (hydrated(page)) await expect(page.getByText("Saved.")).toBeVisible();
  await visit(page, "/conversations");
  await expect(page.locator(".list-row").getByText("A first word", { exact: true })).toBeVisible();
  await page.locator("a.list-row").click();
  await alive(page);
  await page.getByText("This chat", { exact: true }).click();
  await page.locator(".fold summary", { hasText: "Delete" }).click();
  await page.getByRole("button", { name: "Delete chat" }).click();
  await expect(page).toHaveURL(/\/conversations/);
  await expect(page.getByText("A first word")).toHaveCount(0);
});

test("nobody else's conversation can be seen", async ({ page }) => {
  await newPerson(page);
  const answer = await visit(page, "/chat/019a0000-0000-7000-8000-000000000000");
  expect(answer?.status()).toBe(404);
});
