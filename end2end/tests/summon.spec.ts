import { accessible, expect, fits, newPerson, test, visit } from "./helpers";

const SENTENCE = "A shy lighthouse keeper who collects storms in glass jars";
// The local model takes half a minute on a quiet machine and longer beside others.
test.setTimeout(360_000);

test("who has not signed in is asked to, and the examples fill the field", async ({ page }) => {
  await visit(page, "/summon");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Who should it be?");
  await expect(page.getByRole("link", { name: "Sign up to summon" })).toBeVisible();
  await accessible(page);
  await newPerson(page, "summoner");
  await visit(page, "/summon");
  await page.getByRole("link", { name: "A ghost librarian who is afraid of silence" }).click();
  await expect(page.getByLabel("Your sentence")).toHaveValue("A ghost librarian who is afraid of silence");
});

test("a sentence that is too short keeps what was typed", async ({ page }) => {
  await newPerson(page, "brief");
  await visit(page, "/summon");
  await page.getByLabel("Your sentence").fill("a cat");
  await page.getByLabel("Where they live").fill("a <b>tin</b> box");
  await page.locator("main").getByRole("button", { name: "Summon" }).click();
  await expect(page.locator("main .field .error").getByText("at least 10 characters")).toBeVisible();
  await expect(page.getByLabel("Your sentence")).toHaveValue("a cat");
  await expect(page.getByLabel("Where they live")).toHaveValue("a <b>tin</b> box");
});

test("each part arrives, and the character wakes", async ({ page }) => {
  await newPerson(page, "maker");
  await visit(page, "/summon");
  await page.getByLabel("Your sentence").fill(SENTENCE);
  await page.getByLabel("Mood").selectOption("serene");
  await page.locator("main").getByRole("button", { name: "Summon" }).click();
  await expect(page).toHaveURL(/\/summon\/[0-9a-f-]{36}$/);
  await expect(page.getByText(SENTENCE)).toBeVisible();
  const progress = page.getByRole("status").first();
  await expect(progress).toHaveAttribute("data-status", "done", { timeout: 300_000 });
  await expect(page.locator(".parts").getByText("serene")).toBeVisible();
  await expect(page.locator(".parts .prose").first()).toContainText("is a shy lighthouse keeper who collects storms in glass jars.");
  await expect(page.getByRole("heading", { name: "First post" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Look at it and edit" })).toBeVisible();
  await accessible(page);
  await fits(page);
  const name = await page.getByRole("heading", { level: 1 }).innerText();
  await page.getByRole("button", { name: "Wake them" }).click();
  await expect(page).toHaveURL(/\/c\//);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
});

test("stopping keeps what is there, and one click goes on", async ({ page }) => {
  await newPerson(page, "halter");
  await visit(page, "/summon");
  await page.getByLabel("Your sentence").fill("A tired god of small rivers");
  await page.locator("main").getByRole("button", { name: "Summon" }).click();
  await expect(page).toHaveURL(/\/summon\/[0-9a-f-]{36}$/);
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("status").first()).toHaveAttribute("data-status", "stopped");
  await expect(page.getByText("What has arrived is kept.")).toBeVisible();
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByRole("status").first()).toHaveAttribute("data-status", /running|queued|done/);
  await expect(page.getByRole("status").first()).toHaveAttribute("data-status", "done", { timeout: 300_000 });
});

test("somebody else's summon is nobody's", async ({ page }) => {
  await newPerson(page, "looker");
  const response = await page.goto("/summon/01a1fe6d-99bd-725e-948b-0c864314f745");
  expect(response?.status()).toBe(404);
});
