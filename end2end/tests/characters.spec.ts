import { accessible, alive, expect, fits, freshName, hydrated, newPerson, test, visit } from "./helpers";

test("home introduces characters and leads to one", async ({ page }) => {
  await visit(page, "/");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.getByRole("link", { name: "Summon a character" }).first()).toBeVisible();
  await expect(page.getByRole("link", { name: "Talk to Lumina" })).toHaveAttribute("href", "/talk/lumina");
  await expect(page.locator(".feed .post").first()).toBeVisible();
  await page.getByRole("link", { name: "All characters" }).click();
  await expect(page).toHaveURL(/\/characters$/);
  await expect(page.locator(".oc-card")).not.toHaveCount(0);
});

test("the gallery searches, filters and sorts by its address", async ({ page }) => {
  await visit(page, "/characters?q=goose");
  await expect(page.locator(".oc-card").first()).toContainText("Harmonix");
  await visit(page, "/characters?kind=luminor&sort=name");
  await expect(page.locator(".oc-card b")).toHaveText(["Harmonix", "Kinetix", "Lumina"]);
  await visit(page, "/characters?q=nobodyhasthisname");
  await expect(page.getByText("Nobody answers to")).toBeVisible();
  await visit(page, "/characters");
  await page.getByRole("searchbox", { name: "Search characters" }).fill("thor");
  if (hydrated(page)) {
    await expect(page).toHaveURL(/q=thor/);
  } else {
    await page.getByRole("button", { name: "Search" }).click();
  }
  // Others with a name like that may have been summoned meanwhile.
  await expect(page.locator(".oc-card b", { hasText: /^Thorne$/ })).toHaveCount(1);
  await expect(page.locator(".oc-card b", { hasText: "Lumina" })).toHaveCount(0);
});

test("a profile is a reference sheet", async ({ page }) => {
  await visit(page, "/c/lumina");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Lumina");
  await expect(page.locator(".sw-primary")).toContainText("#4444ff");
  await expect(page.locator(".sw-primary")).toHaveCSS("background-color", "rgb(68, 68, 255)");
  await expect(page.getByText("Matchbox of ferry rust")).toBeVisible();
  await expect(page.getByRole("link", { name: "Talk with Lumina" })).toHaveAttribute("href", "/talk/lumina");
  await page.getByText("Share", { exact: true }).click();
  await expect(page.getByLabel("Link to this page")).toHaveValue(/\/c\/lumina$/);
  await accessible(page);
  await fits(page);
});

test("a draft is made, published, changed, brought back and let go", async ({ page }) => {
  test.setTimeout(150_000);
  await newPerson(page);
  const name = freshName("Pim").replaceAll("_", " ");
  await visit(page, "/characters/new");
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Title", { exact: true }).fill("Courier fox");
  await page.getByLabel("Who this is").fill("A fox who carries letters, one of them ticking.");
  await page.getByLabel("What they are like").fill("Quick, polite, counts stairs.");
  await page.getByLabel("First words", { exact: true }).fill("Three letters. Sign here?");
  await page.getByLabel("Primary", { exact: true }).fill("not a colour");
  await page.getByLabel("Thing 1", { exact: true }).fill("Satchel");
  await page.getByLabel("What thing 1 does to them").fill("Never loses a letter.");
  await page.getByRole("button", { name: "Save the draft" }).click();
  await expect(page.getByText("is not a colour").first()).toBeVisible();
  await expect(page.getByLabel("Who this is")).toHaveValue(/one of them ticking/);
  await page.getByLabel("Primary", { exact: true }).fill("#d9622b");
  if (hydrated(page)) {
    await expect(page.locator(".preview img")).toHaveAttribute("src", /primary=%23d9622b/);
  }
  await page.getByRole("button", { name: "Save the draft" }).click();

  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  await expect(page.getByText("This is a draft.")).toBeVisible();
  await expect(page.getByText("Never loses a letter.")).toBeVisible();
  const address = page.url();
  await page.getByRole("button", { name: "Publish" }).click();
  await expect(page.getByRole("button", { name: "Hide from everybody" })).toBeVisible();

  await page.getByRole("link", { name: "Edit" }).click();
  await expect(page).toHaveURL(/\/edit$/);
  await alive(page);
  await page.getByLabel("What they are like").fill("Slow and solemn.");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Slow and solemn.")).toBeVisible();

  await visit(page, `${address}/versions`);
  await page.getByText("Version 1", { exact: true }).click();
  await expect(page.getByText("Quick, polite, counts stairs.")).toBeVisible();
  await page.getByRole("button", { name: "Bring version 1 back" }).click();
  await expect(page).toHaveURL(address);
  await expect(page.getByText("Quick, polite, counts stairs.")).toBeVisible();

  await visit(page, `${address}/edit`);
  await accessible(page);
  await fits(page);
  await page.getByLabel("Type the name to confirm").fill(name);
  await page.getByRole("button", { name: "Delete for good" }).click();
  await expect(page.getByText("The character has left")).toBeVisible();
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
