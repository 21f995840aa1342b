import { accessible, alive, expect, fits, hydrated, newPerson, test, visit } from "./helpers";
import type { Locator, Page } from "@playwright/test";

/** Waits until the newest reply is whole. */
async function whole(page: Page) {
  await expect(page.locator("article.oc").last().getByRole("button", { name: /^(Regenerate|Try again)$/ })).toBeVisible({
    timeout: 60_000,
  });
}

/** A talk in which one line was said and answered. */
async function talk(page: Page, slug: string, text: string) {
  await newPerson(page);
  await visit(page, `/talk/${slug}`);
  await page.getByRole("textbox", { name: /^Say something to/ }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page).toHaveURL(/\/chat\/[0-9a-f-]{36}/);
  await alive(page);
  await whole(page);
}

/** Opens the menu of a line; what is in it stands beside its button. */
async function menu(line: Locator) {
  await line.hover();
  await line.getByRole("button", { name: "More" }).click();
  const menu = line.locator(".menu");
  await expect(menu).toBeVisible();
  return menu;
}

test("one's own line is changed, sent, and both wordings stay", async ({ page }) => {
  await talk(page, "lumina", "What is your favourite lamp?");
  const own = page.locator("article.mine").first();
  await own.hover();
  await own.getByRole("link", { name: "Edit" }).click();
  const box = page.getByRole("textbox", { name: "Your message" });
  await expect(box).toHaveValue("What is your favourite lamp?");
  await expect(box).toBeFocused();
  await accessible(page);
  await page.getByRole("link", { name: "Cancel" }).click();
  await expect(box).toHaveCount(0);

  await own.hover();
  await own.getByRole("link", { name: "Edit" }).click();
  await box.fill("What is your favourite window?");
  await page.getByRole("button", { name: "Save and regenerate" }).click();
  await expect(own.getByText("favourite window")).toBeVisible();
  await whole(page);
  await expect(page).not.toHaveURL(/edit=/);
  await expect(own.getByText("2 of 2")).toBeVisible();
  await own.hover();
  await own.getByRole("button", { name: "Previous version" }).click();
  await expect(own.getByText("favourite lamp")).toBeVisible();
  await expect(page.locator("article.oc").last().locator(".said")).not.toBeEmpty();
});

test("a reply is changed in place, and a branch leads away and back", async ({ page }) => {
  await talk(page, "thorne", "Teach me one thing.");
  const reply = page.locator("article.oc").last();
  await reply.getByRole("link", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Reply" }).fill("Iron *listens*.\n\n```\nheat: red\n```");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(reply.locator(".said em")).toHaveText("listens");
  await expect(reply.getByText("Edited")).toBeVisible();
  await expect(reply.getByRole("button", { name: "Copy code" })).toHaveCount(hydrated(page) ? 1 : 0);

  await (await menu(reply)).getByRole("button", { name: "Branch from here" }).click();
  await expect(page.getByText("Branched from")).toBeVisible();
  await alive(page);
  await expect(page.locator("article.oc").last().locator(".said")).toContainText("Iron listens.");
  await expect(page.getByText("Thorne (branch)").first()).toBeVisible();
  await page.locator(".origin a").click();
  await expect(page.getByText("Branched from")).toHaveCount(0);
});

test("a reply is rated, and the rating is there again", async ({ page }) => {
  await talk(page, "lyra", "Sing something.");
  const reply = page.locator("article.oc").last();
  const good = reply.getByRole("button", { name: "Good reply" });
  const bad = reply.getByRole("button", { name: "Bad reply" });
  await expect(good).toHaveAttribute("aria-pressed", "false");
  await accessible(page);
  await good.click();
  await expect(good).toHaveAttribute("aria-pressed", "true");
  await visit(page, page.url());
  await expect(good).toHaveAttribute("aria-pressed", "true");
  await bad.click();
  await expect(bad).toHaveAttribute("aria-pressed", "true");
  await expect(good).toHaveAttribute("aria-pressed", "false");
  await bad.click();
  await expect(bad).toHaveAttribute("aria-pressed", "false");
  // One system in sight.
  const open = await menu(reply);
  await accessible(page);
  await expect(open.getByText(/rate|did it help/i)).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(open).toBeHidden();
});

test("the first line is chosen before the talk", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/talk/elara");
  const first = await page.locator("article.oc .said").innerText();
  await page.getByRole("link", { name: "Next greeting" }).click();
  await expect(page.getByText("2 of 3")).toBeVisible();
  const second = await page.locator("article.oc .said").innerText();
  expect(second).not.toBe(first);
  await page.getByRole("textbox", { name: /^Say something to/ }).fill("Hello.");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page).toHaveURL(/\/chat\//);
  await alive(page);
  await whole(page);
  await expect(page.locator("article.oc .said").first()).toHaveText(second);
  await expect(page.locator("article.oc").first().getByText("2 of 3")).toBeAttached();
});

test("the model writes one's own line into the box, and nothing is sent", async ({ page }) => {
  await talk(page, "eliza", "I had a long day.");
  const box = page.getByRole("textbox", { name: /^Say something to/ });
  await box.fill("Because");
  await page.getByRole("button", { name: "Suggest a reply" }).click();
  await expect(box).toHaveValue(/^Because.+/s, { timeout: 60_000 });
  await expect(page.getByRole("button", { name: "Suggest a reply" })).toBeVisible({ timeout: 60_000 });
  await expect(page.locator("article.mine")).toHaveCount(1);
});

test("on a phone everything about the talk is in reach", async ({ page }) => {
  await talk(page, "kinetix", "Hello.");
  await page.setViewportSize({ width: 390, height: 844 });
  const panel = page.getByRole("complementary", { name: /About the chat/ });
  await expect(panel).toBeHidden();
  await page.getByRole("button", { name: "About this chat" }).click();
  await expect(panel).toBeVisible();
  await accessible(page);
  await fits(page);
  await page.keyboard.press("Escape");
  await expect(panel).toBeHidden();
  await page.getByRole("button", { name: "About this chat" }).click();
  await panel.getByText("This chat", { exact: true }).click();
  await panel.getByLabel("Title").fill("By phone");
  await panel.getByRole("button", { name: "Rename" }).click();
  if (hydrated(page)) await expect(panel.getByText("Saved.")).toBeVisible();
  await visit(page, "/conversations");
  await expect(page.locator(".list-row").getByText("By phone", { exact: true })).toBeVisible();
  await page.goBack();
  await alive(page);
  const open = await menu(page.locator("article.oc").last());
  await expect(open.getByRole("button", { name: "Branch from here" })).toBeInViewport();
  await fits(page);
  for (const button of await open.getByRole("button").all()) {
    const size = await button.boundingBox();
    if (size) expect(size.height, await button.innerText()).toBeGreaterThanOrEqual(24);
  }
});
