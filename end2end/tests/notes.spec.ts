import { accessible, alive, expect, fits, hydrated, newPerson, test, visit } from "./helpers";

type Page = import("@playwright/test").Page;

/** Says something and waits until the reply is whole. */
async function say(page: Page, text: string) {
  await page.getByRole("textbox", { name: /^Say something to/ }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page).toHaveURL(/\/chat\/[0-9a-f-]{36}/);
  const done = page.locator("article.oc").last().getByRole("button", { name: /^(Regenerate|Try again)$/ });
  await expect(done).toBeVisible({ timeout: 60_000 });
  await alive(page);
}

/** Both themes, phone and the narrowest width. */
async function fine(page: Page) {
  await accessible(page);
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    await fits(page);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

test("a persona is made, chosen, changed and deleted", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/settings/personas");
  await page.getByLabel("Name", { exact: true }).fill("Wren");
  await page.getByLabel("Pronouns").fill("she/her");
  await page.getByLabel("Who you are").fill("Wren is a night nurse who keeps bees.");
  await page.getByRole("button", { name: "Add" }).click();
  await expect(page.locator(".list-row").getByText("Wren", { exact: true })).toBeVisible();
  await expect(page.getByText("she/her, your default")).toBeVisible();
  await fine(page);
  await page.getByRole("link", { name: "Change Wren" }).click();
  await alive(page);
  await expect(page.getByLabel("Pronouns")).toHaveValue("she/her");
  await page.getByLabel("Name", { exact: true }).fill("Oona");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.locator(".list-row").getByText("Oona", { exact: true })).toBeVisible();
  await page.getByText("Delete this persona").click();
  await page.getByRole("button", { name: "Delete it" }).click();
  await expect(page.locator(".list-row")).toHaveCount(0);
});

test("a refused persona keeps what was typed", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/settings/personas");
  await page.getByLabel("Name", { exact: true }).fill("{{char}}");
  await page.getByLabel("Who you are").fill("Nobody in particular.");
  await page.getByRole("button", { name: "Add" }).click();
  await expect(page.getByText("without brackets").first()).toBeVisible();
  await expect(page.getByLabel("Who you are")).toHaveValue("Nobody in particular.");
});

test("notes reach the receipt of the next reply", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/talk/thorne");
  await say(page, "Good evening.");
  const talk = page.url();
  await visit(page, `${talk}/notes`);
  await page.getByLabel("Instructions").fill("We are on a ferry at night.");
  await page.getByLabel("Author's note").fill("It has begun to rain.");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Applies from the next reply.")).toBeVisible();
  await page.getByLabel("Summary", { exact: true }).fill("They mended a kettle together.");
  await page.getByRole("button", { name: "Save summary" }).click();
  await expect(page.getByText("Saved.", { exact: true })).toBeVisible();
  await fine(page);
  await visit(page, `${talk}/notes`);
  await expect(page.getByLabel("Instructions")).toHaveValue("We are on a ferry at night.");
  await expect(page.getByLabel("Summary", { exact: true })).toHaveValue("They mended a kettle together.");

  await visit(page, talk);
  await say(page, "What do you see?");
  const last = page.locator("article.oc").last();
  await last.getByRole("button", { name: "More" }).click();
  await last.getByRole("link", { name: "View prompt" }).click();
  await expect(page).toHaveURL(/\/receipt\//);
  await alive(page);
  await expect(page.getByRole("heading", { name: "Prompt of this reply" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Instructions for this chat" })).toBeVisible();
  const part = page.locator(".portion", { hasText: "Instructions for this chat" });
  await part.locator("summary").click();
  await expect(part.locator("pre")).toContainText("We are on a ferry at night.");
  await expect(page.getByText("It has begun to rain.")).toHaveCount(1);
  await fine(page);
  await page.getByRole("link", { name: "Back to chat" }).click();
  await expect(page).toHaveURL(talk);
});

test("dark pages are accessible, too", async ({ page, context }) => {
  test.skip(!hydrated(page), "axe needs scripts");
  await newPerson(page);
  await context.addCookies([{ name: "sf_theme", value: "dark", url: page.url() === "about:blank" ? test.info().project.use.baseURL! : page.url() }]);
  await visit(page, "/talk/lyra");
  await say(page, "Hello.");
  const talk = page.url();
  await visit(page, `${talk}/notes`);
  await accessible(page);
  await visit(page, talk);
  await page.locator("article.oc").last().getByRole("button", { name: "More" }).click();
  await page.getByRole("link", { name: "View prompt" }).click();
  await expect(page.getByRole("heading", { name: "What was sent" })).toBeVisible();
  await accessible(page);
  await visit(page, "/settings/personas");
  await accessible(page);
});
