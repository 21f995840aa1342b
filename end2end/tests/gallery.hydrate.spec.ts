import { accessible, expect, newPerson, test, visit } from "./helpers";

test("more characters are put below the first page", async ({ page }) => {
  test.setTimeout(120_000);
  const owner = await newPerson(page);
  for (let n = 0; n < 26; n += 1) {
    const data = { name: `${owner} ${n}`, description: "d", personality: "p", is_public: true };
    expect((await page.request.post("/api/ocs", { data })).status()).toBe(201);
  }
  await visit(page, `/characters?owner=${owner}&sort=name`);
  await expect(page.locator(".oc-card")).toHaveCount(24);
  await page.getByRole("link", { name: "Show more" }).click();
  await expect(page.locator(".oc-card")).toHaveCount(26);
  await expect(page).not.toHaveURL(/after=/);
  await expect(page.getByRole("link", { name: "Show more" })).toHaveCount(0);
});

test("the search beside every page shows characters while one types", async ({ page }) => {
  await visit(page, "/");
  const field = page.getByRole("searchbox", { name: "Find a character" });
  await page.keyboard.press("/");
  await expect(field).toBeFocused();
  await field.pressSequentially("lumnia");
  const found = page.getByRole("group", { name: "Characters", exact: true });
  await expect(found.getByText("Did you mean “lumina”?")).toBeVisible();
  await accessible(page);
  await field.press("Escape");
  await expect(found).toBeHidden();
  await expect(field).toHaveValue("lumnia");
  await field.fill("");
  await field.pressSequentially("lum");
  await expect(found.getByRole("link", { name: /Lumina/ })).toBeVisible();
  await field.press("ArrowDown");
  await expect(found.getByRole("link").first()).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/c\/lumina$/);
  await expect(found).toBeHidden();
  // As a form it leads to the gallery, where the Tab key begins with the characters.
  await field.fill("cinema");
  await field.press("Enter");
  await expect(page).toHaveURL(/\/characters\?q=cinema/);
  await page.keyboard.press("Tab");
  await expect(page.locator(".oc-card").first()).toBeFocused();
});
