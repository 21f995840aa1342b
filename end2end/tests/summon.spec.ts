import { accessible, expect, fits, newPerson, test, visit } from "./helpers";

const SENTENCE = "A shy lighthouse keeper who collects storms in glass jars";

test("who has not signed in writes first, and the sentence is kept", async ({ page }) => {
  await visit(page, "/summon");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Who do you want to meet?");
  await accessible(page);
  await page.getByLabel("Your sentence").fill("A fox & a hound who share one umbrella");
  await page.getByRole("button", { name: "Sign up to summon" }).click();
  await expect(page).toHaveURL(/\/sign-up\?next=/);
  const next = new URL(page.url()).searchParams.get("next") ?? "";
  expect(new URL(next, page.url()).searchParams.get("idea")).toBe("A fox & a hound who share one umbrella");
});

test("the examples fill the field", async ({ page }) => {
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

test("each part arrives, is redrawn one by one, and the character is published", async ({ page }) => {
  await newPerson(page, "maker");
  await visit(page, "/summon");
  await page.getByLabel("Your sentence").fill(SENTENCE);
  await page.getByLabel("Mood").selectOption("serene");
  await page.locator("main").getByRole("button", { name: "Summon" }).click();
  await expect(page).toHaveURL(/\/summon\/[0-9a-f-]{36}$/);
  await expect(page.getByText(SENTENCE)).toBeVisible();
  const progress = page.locator("main").getByRole("status").first();
  await expect(progress).toHaveAttribute("data-status", "done", { timeout: 60_000 });
  await expect(progress).toHaveText("Ready");
  await expect(page.locator(".parts").getByText("serene")).toBeVisible();
  await expect(page.getByRole("heading", { name: "Introduction" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Review and edit" })).toBeVisible();
  await accessible(page);
  await fits(page);
  // One part again: the face by rule, the greeting by the model; nothing else changes.
  const name = await page.getByRole("heading", { level: 1 }).innerText();
  const plate = page.locator(".parts .plate img");
  const face = await plate.getAttribute("src");
  await page.getByRole("button", { name: "Redraw: Face" }).click();
  await expect(plate).not.toHaveAttribute("src", face ?? "");
  const greeting = await page.locator(".parts .say").innerText();
  await page.getByRole("button", { name: "Redraw: Greeting" }).click();
  await expect(page.locator(".parts .say")).not.toHaveText(greeting);
  await page.getByRole("button", { name: "they/them" }).click();
  await expect(page.getByRole("button", { name: "they/them" })).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  await page.getByRole("button", { name: "Publish", exact: true }).click();
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
  await expect(page.locator("main").getByRole("status").first()).toHaveAttribute("data-status", "stopped");
  await expect(page.getByText("What was written is saved.")).toBeVisible();
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.locator("main").getByRole("status").first()).toHaveAttribute("data-status", /running|queued|done/);
  await expect(page.locator("main").getByRole("status").first()).toHaveAttribute("data-status", "done", { timeout: 60_000 });
});

test("somebody else's summon is nobody's", async ({ page }) => {
  await newPerson(page, "looker");
  const response = await page.goto("/summon/01a1fe6d-99bd-725e-948b-0c864314f745");
  expect(response?.status()).toBe(404);
});
