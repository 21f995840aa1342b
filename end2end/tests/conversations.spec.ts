import { accessible, alive, expect, fits, hydrated, newPerson, test, visit } from "./helpers";
import type { Page } from "@playwright/test";

/** A talk of two exchanges that comes from a file: nobody has to wait for a model. The first answer has another wording. */
async function brought(page: Page, words: string): Promise<string> {
  const lines = [
    { user_name: "Wren", character_name: "Lumina", chat_metadata: {} },
    { name: "Lumina", is_user: false, mes: "Welcome." },
    { name: "Wren", is_user: true, mes: "What do you see?" },
    { name: "Lumina", is_user: false, mes: `A ${words}.`, swipe_id: 1, swipes: [`An owl over the ${words}.`, `A ${words}.`] },
    { name: "Wren", is_user: true, mes: "And now?" },
    { name: "Lumina", is_user: false, mes: "Nothing more." },
  ];
  const answer = await page.request.post("/api/conversations/import?with=lumina", {
    headers: { "content-type": "application/x-ndjson" },
    data: lines.map((l) => JSON.stringify(l)).join("\n"),
  });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()).conversation_id;
}

/** Opens the menu of a row. */
async function menu(page: Page, id: string) {
  const row = page.locator(`li:has(> a.list-row[href="/chat/${id}"])`);
  await row.getByRole("button", { name: "More for Lumina" }).click();
  await expect(row.locator(".menu")).toBeVisible();
  return row.locator(".menu");
}

/** At the widths of phones, too. */
async function fitsPhones(page: Page) {
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    await fits(page);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

test("a conversation is put away, taken out and deleted from its row", async ({ page }) => {
  await newPerson(page);
  const [first, second] = [await brought(page, "harbour"), await brought(page, "lighthouse")];
  await visit(page, "/conversations");
  await expect(page.locator("a.list-row")).toHaveCount(2);
  await fitsPhones(page);
  const open = await menu(page, first);
  await accessible(page);
  await open.getByRole("button", { name: "Archive" }).click();
  await expect(page.locator("a.list-row")).toHaveCount(1);
  await expect(page).toHaveURL(/\/conversations\??$/);
  await alive(page);
  if (hydrated(page)) await expect(page.getByRole("status").filter({ hasText: "archived" })).toBeAttached();

  await page.getByRole("navigation", { name: "Which chats" }).getByRole("link", { name: "Archived" }).click();
  await expect(page).toHaveURL(/archived=true$/);
  await alive(page);
  await expect(page.locator(`a.list-row[href="/chat/${first}"]`)).toBeVisible();
  await (await menu(page, first)).getByRole("button", { name: "Unarchive" }).click();
  await expect(page.getByRole("heading", { name: "Nothing archived" })).toBeVisible();
  await expect(page).toHaveURL(/archived=true$/);

  await visit(page, "/conversations");
  await expect(page.locator("a.list-row")).toHaveCount(2);
  const sure = await menu(page, second);
  await sure.getByText("Delete", { exact: true }).click();
  await expect(sure.getByText("All messages of this chat are deleted for good.")).toBeVisible();
  await accessible(page);
  await sure.getByRole("button", { name: "Delete chat" }).click();
  await expect(page.locator("a.list-row")).toHaveCount(1);
  await expect(page.locator(`a.list-row[href="/chat/${first}"]`)).toBeVisible();
  expect((await page.request.get(`/chat/${second}`)).status()).toBe(404);
});

test("a find on another branch shows that branch with one press", async ({ page }) => {
  await newPerson(page);
  const id = await brought(page, "harbour");
  await visit(page, `/chat/${id}`);
  await expect(page.locator(".lines")).toContainText("A harbour.");
  await visit(page, "/conversations?q=harbour");
  await expect(page.locator(".hits li")).toHaveCount(2);
  const owl = page.locator(".hits li").filter({ hasText: "owl" });
  await expect(page.getByRole("button", { name: "Show this branch" })).toHaveCount(1);
  await accessible(page);
  await fitsPhones(page);
  await owl.getByRole("button", { name: "Show this branch" }).click();
  await expect(page).toHaveURL(new RegExp(`/chat/${id}\\?at=[0-9a-f-]+#m-`));
  await alive(page);
  await expect(page.locator(":target")).toContainText("An owl over the harbour.");
  await expect(page.locator(":target")).toBeInViewport();
  await expect(page.getByRole("textbox", { name: /^Say something to/ })).toBeVisible();
  await visit(page, `/chat/${id}`);
  await expect(page.locator(".lines")).toContainText("An owl over the harbour.");

  // Looked at without being shown, the end of a branch offers the same.
  await visit(page, "/conversations?q=nothing");
  await page.locator(".hits a").first().click();
  await expect(page.locator(":target")).toContainText("Nothing more.");
  await alive(page);
  await expect(page.getByRole("textbox", { name: /^Say something to/ })).toHaveCount(0);
  await accessible(page);
  await page.getByRole("button", { name: "Show this branch" }).click();
  await expect(page.getByRole("textbox", { name: /^Say something to/ })).toBeVisible();
  await expect(page.getByRole("button", { name: "Show this branch" })).toHaveCount(0);
});
