import { accessible, alive, expect, fits, freshName, hydrated, newPerson, test, visit } from "./helpers";

test("home introduces characters and leads to one", async ({ page }) => {
  await visit(page, "/");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.getByRole("link", { name: "Summon a character" }).first()).toBeVisible();
  await expect(page.getByRole("link", { name: /^Talk to / })).toHaveAttribute("href", /^\/talk\//);
  await expect(page.locator(".feed .post").first()).toBeVisible();
  await page.getByRole("link", { name: "All characters" }).click();
  await expect(page).toHaveURL(/\/characters$/);
  await expect(page.locator(".oc-card")).not.toHaveCount(0);
});

test("the gallery searches, filters and sorts by its address", async ({ page }) => {
  await visit(page, "/characters?q=goose");
  await expect(page.locator(".oc-card").first()).toContainText("Harmonix");
  await visit(page, "/characters?kind=luminor&sort=name");
  await expect(page.locator(".oc-card .name")).toHaveText(["Harmonix", "Kinetix", "Lumina"]);
  await visit(page, "/characters?q=nobodyhasthisname");
  await expect(page.getByText("No characters match")).toBeVisible();
  await visit(page, "/characters");
  await page.getByRole("searchbox", { name: "Search characters" }).fill("thor");
  if (hydrated(page)) {
    await expect(page).toHaveURL(/q=thor/);
  } else {
    await page.getByRole("button", { name: "Search" }).click();
  }
  // Others with a name like that may have been summoned meanwhile.
  await expect(page.locator(".oc-card .name", { hasText: /^Thorne$/ })).toHaveCount(1);
  await expect(page.locator(".oc-card .name", { hasText: "Lumina" })).toHaveCount(0);
});

test("a profile is a reference sheet", async ({ page }) => {
  await visit(page, "/c/lumina");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Lumina");
  await expect(page.locator(".sw-primary")).toContainText("#4444ff");
  await expect(page.locator(".sw-primary")).toHaveCSS("background-color", "rgb(68, 68, 255)");
  await expect(page.getByText("Matchbox of ferry rust")).toBeVisible();
  await expect(page.getByRole("link", { name: "Chat with Lumina" })).toHaveAttribute("href", "/talk/lumina");
  await page.getByText("Share", { exact: true }).click();
  await expect(page.getByLabel("Link to this page")).toHaveValue(/\/c\/lumina$/);
  await accessible(page);
  await fits(page);
});

test("a draft is made, published, changed, restored and deleted", async ({ page }) => {
  test.setTimeout(150_000);
  await newPerson(page);
  const name = freshName("Pim").replaceAll("_", " ");
  await visit(page, "/characters/new");
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Title", { exact: true }).fill("Courier fox");
  await page.getByLabel("Description", { exact: true }).fill("A fox who carries letters, one of them ticking.");
  await page.getByLabel("Personality", { exact: true }).fill("Quick, polite, counts stairs.");
  await page.getByLabel("Greeting", { exact: true }).fill("Three letters. Sign here?");
  await page.getByLabel("Primary", { exact: true }).fill("not a colour");
  await page.getByLabel("Item 1", { exact: true }).fill("Satchel");
  await page.getByLabel("Effect of item 1").fill("Never loses a letter.");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page.getByText("is not a colour").first()).toBeVisible();
  await expect(page.getByLabel("Description", { exact: true })).toHaveValue(/one of them ticking/);
  await page.getByLabel("Primary", { exact: true }).fill("#d9622b");
  if (hydrated(page)) {
    await expect(page.locator(".preview img")).toHaveAttribute("src", /primary=%23d9622b/);
  }
  await page.getByRole("button", { name: "Save draft" }).click();

  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  await expect(page.getByText("This is a draft.")).toBeVisible();
  await expect(page.getByText("Never loses a letter.")).toBeVisible();
  // A draft's address ends in letters of chance; publishing gives the one that can be said.
  const drafted = page.url();
  await page.getByRole("button", { name: "Publish" }).click();
  await expect(page.getByRole("button", { name: "Unpublish" })).toBeVisible();
  await expect(page).not.toHaveURL(drafted);
  const address = page.url();

  await page.getByRole("link", { name: "Edit" }).click();
  await expect(page).toHaveURL(/\/edit$/);
  await alive(page);
  await page.getByLabel("Personality", { exact: true }).fill("Slow and solemn.");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Slow and solemn.")).toBeVisible();

  await visit(page, `${address}/versions`);
  await page.getByText("Version 1", { exact: true }).click();
  await expect(page.getByText("Quick, polite, counts stairs.")).toBeVisible();
  await page.getByRole("button", { name: "Restore version 1" }).click();
  await expect(page).toHaveURL(address);
  await expect(page.getByText("Quick, polite, counts stairs.")).toBeVisible();

  await visit(page, `${address}/edit`);
  await accessible(page);
  await fits(page);
  await page.getByLabel("Type the name to confirm").fill(name);
  await page.getByRole("button", { name: "Delete character" }).click();
  await expect(page.getByText("Character and your chats with it deleted")).toBeVisible();
  expect((await page.request.get(address)).status()).toBe(404);
});

test("somebody else's draft does not exist", async ({ page, browser, baseURL }) => {
  await newPerson(page);
  const name = freshName("Secret").replaceAll("_", " ");
  const made = await page.request.post("/api/ocs", { data: { name, description: "d", personality: "p" } });
  expect(made.status()).toBe(201);
  const { slug } = await made.json();
  const stranger = await browser.newContext({ baseURL });
  expect((await stranger.request.get(`/c/${slug}`)).status()).toBe(404);
  await stranger.close();
  expect((await page.request.get(`/c/${slug}`)).status()).toBe(200);
});

test("what is yours is on the home page and in a list of its own, drafts first", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/");
  await expect(page.getByRole("heading", { level: 1, name: /^Welcome/ })).toBeVisible();
  await expect(page.getByText("None yet.")).toBeVisible();
  const names = [freshName("Public"), freshName("Draft")].map((n) => n.replaceAll("_", " "));
  for (const [n, name] of names.entries()) {
    const data = { name, description: "d", personality: "p", is_public: n === 0 };
    expect((await page.request.post("/api/ocs", { data })).status()).toBe(201);
  }
  await visit(page, "/");
  await page.getByRole("navigation", { name: "Main", exact: true }).getByRole("link", { name: "Your characters" }).click();
  await expect(page).toHaveURL(/\/characters\/mine$/);
  await expect(page.getByRole("heading", { level: 1, name: "Your characters" })).toBeVisible();
  await expect(page.locator(".oc-card .name")).toHaveText([names[1], names[0]]);
  await expect(page.locator(".oc-card").first().getByText("Draft", { exact: true })).toBeVisible();
  await accessible(page);
  await fits(page);
  // The search finds drafts for their owner, too.
  await visit(page, `/characters?q=${encodeURIComponent(names[1])}`);
  await expect(page.locator(".oc-card .name")).toHaveText([names[1]]);
});
