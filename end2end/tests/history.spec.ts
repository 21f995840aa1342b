import { readFile } from "node:fs/promises";
import { accessible, alive, expect, fits, hydrated, newPerson, test, visit } from "./helpers";

/** A chat of SillyTavern with so many exchanges; the reply in the middle has two swipes. */
function chat(exchanges = 3): string {
  const lines: object[] = [{ user_name: "Wren", character_name: "Lumina", create_date: "2024-7-12@01h31m37s", chat_metadata: {} }];
  lines.push({ name: "Lumina", is_user: false, send_date: "July 12, 2024 1:31am", mes: "Welcome to *Harrow Point*." });
  for (let i = 1; i <= exchanges; i += 1) {
    lines.push({ name: "Wren", is_user: true, send_date: "July 12, 2024 1:32am", mes: `Question ${i} about the sea` });
    const mes = `Answer ${i}, by lamplight`;
    lines.push({ name: "Lumina", is_user: false, send_date: "July 12, 2024 1:33am", mes, swipe_id: 1, swipes: ["Another answer", mes] });
  }
  return lines.map((l) => JSON.stringify(l)).join("\n");
}

/** Brings a chat in by the form. */
async function bring(page: import("@playwright/test").Page, text: string, name = "chat.jsonl") {
  await visit(page, "/conversations");
  await page.getByRole("link", { name: "Import" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Import a chat" })).toBeVisible();
  await page.getByLabel("File").setInputFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(text) });
  await page.getByRole("button", { name: "Import" }).click();
}

test("a chat comes in, is found, and goes out as files", async ({ page }) => {
  await newPerson(page);
  await bring(page, chat());
  await expect(page).toHaveURL(/\/chat\/[0-9a-f-]{36}$/);
  await alive(page);
  await expect(page.locator(".me")).toHaveCount(3);
  await expect(page.getByText("2 of 2").first()).toBeVisible();
  const room = page.url();

  // Found by a word, from the list to the line itself.
  await visit(page, "/conversations");
  await accessible(page);
  await page.getByRole("searchbox", { name: "Search your chats" }).fill("lamplight 2");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await expect(page.locator(".hits li").first().locator("mark")).toHaveText(["2", "lamplight"]);
  await accessible(page);
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    await fits(page);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.locator(".hits a").first().click();
  await expect(page).toHaveURL(/\?at=.*#m-/);
  await expect(page.locator(":target")).toContainText("Answer 2, by lamplight");
  await visit(page, "/conversations?q=lumina");
  await expect(page.getByRole("heading", { name: "Chats", level: 2 })).toBeVisible();
  await visit(page, "/conversations?q=zzz");
  await expect(page.getByRole("heading", { name: "No results" })).toBeVisible();

  // In one conversation.
  await visit(page, `${room}?q=question`);
  await expect(page.locator(".hits li")).toHaveCount(3);
  await accessible(page);
  await page.getByRole("link", { name: "Back to chat" }).click();
  await expect(page.locator(".me")).toHaveCount(3);

  // The files.
  for (const [kind, words] of [["md", "# Lumina"], ["json", "soulforge.conversation"], ["jsonl", "swipes"]] as const) {
    const answer = await page.request.get(`${room}/export.${kind}`);
    expect(answer.headers()["content-disposition"]).toMatch(new RegExp(`^attachment; filename="lumina-2024-07-12.${kind}"$`));
    expect(await answer.text()).toContain(words);
  }
});

test("an export is downloaded and comes back in", async ({ page }) => {
  await newPerson(page);
  await bring(page, chat(2));
  await expect(page).toHaveURL(/\/chat\//);
  await alive(page);
  await page.getByText("This chat", { exact: true }).click();
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "JSON", exact: true }).click();
  const file = await (await download).path();
  await bring(page, await readFile(file, "utf8"), "lumina.json");
  await expect(page).toHaveURL(/\/chat\//);
  await expect(page.locator(".me")).toHaveCount(2);
  await visit(page, "/conversations");
  await expect(page.locator("a.list-row")).toHaveCount(2);
});

test("a line that cannot be read is skipped, and the page says which", async ({ page }) => {
  await newPerson(page);
  await bring(page, `${chat()}\n{"mes":"cut of`);
  const told = page.getByRole("status").filter({ hasText: "imported" });
  await expect(told).toContainText("Line 9: This is not JSON");
  await accessible(page);
  await page.setViewportSize({ width: 390, height: 800 });
  await fits(page);
  await told.getByRole("link", { name: "Open the chat" }).click();
  await expect(page).toHaveURL(/\/chat\//);
  await expect(page.locator(".me").first()).toBeVisible();
});

test("a file without a chat is refused with the reason", async ({ page }) => {
  await newPerson(page);
  await bring(page, "Dear diary");
  await expect(page.getByRole("alert")).toContainText("neither a SillyTavern chat");
  await accessible(page);
});

test("a long talk is read window by window", async ({ page }) => {
  await newPerson(page);
  await bring(page, chat(100));
  await expect(page).toHaveURL(/\/chat\/[0-9a-f-]{36}$/);
  await alive(page);
  await expect(page.locator("article")).toHaveCount(60);
  await expect(page.getByText("Question 100 about")).toBeVisible();
  if (hydrated(page)) {
    const last = page.locator("article").last();
    const earlier = page.getByRole("button", { name: "Earlier messages" });
    await earlier.scrollIntoViewIfNeeded();
    // The column glides; where it stands when it has come to rest counts.
    let before: Awaited<ReturnType<typeof last.boundingBox>> = null;
    await expect(async () => {
      const now = await last.boundingBox();
      const rests = now?.y === before?.y;
      before = now;
      expect(rests).toBe(true);
    }).toPass({ intervals: [300] });
    await earlier.click();
    await expect(page.locator("article")).toHaveCount(120);
    // Nothing moved under the reader.
    expect((await last.boundingBox())?.y).toBe(before?.y);
  } else {
    await page.getByRole("link", { name: "Earlier messages" }).click();
    await expect(page).toHaveURL(/\?before=/);
    await expect(page.locator("article")).toHaveCount(60);
    await page.getByRole("link", { name: "Later messages" }).click();
    await expect(page).toHaveURL(/\?from=/);
    await expect(page.getByText("Question 100 about")).toBeVisible();
  }
});
