import { expect, newPerson, test, visit } from "./helpers";

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
