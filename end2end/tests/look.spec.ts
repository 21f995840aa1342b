import { accessible, alive, expect, fits, newPerson, test, visit } from "./helpers";

/** Pages for everybody. */
const PUBLIC = ["/", "/characters", "/characters?q=lumina", "/characters?q=nobodyhasthisname", "/c/lumina", "/c/thorne", "/sign-in", "/sign-up", "/forgot", "/terms", "/privacy", "/contact", "/about-ai", "/talk/lumina", "/developers", "/no-such-page"];
/** Pages of somebody who is signed in. */
const OWN = ["/", "/summon", "/characters/new", "/conversations", "/talk/lumina", "/settings", "/settings/account", "/settings/devices", "/settings/tokens", "/settings/appearance"];

for (const theme of ["light", "dark"] as const) {
  test(`public pages are accessible and fit, ${theme}`, async ({ page, context, baseURL }) => {
    test.setTimeout(180_000);
    await context.addCookies([{ name: "sf_theme", value: theme, url: baseURL ?? "" }]);
    for (const path of PUBLIC) {
      await page.setViewportSize({ width: 1280, height: 900 });
      await visit(page, path);
      await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
      await expect(page.locator("main h1").first()).toBeVisible();
      await accessible(page);
      for (const width of [390, 320]) {
        await page.setViewportSize({ width, height: 800 });
        await fits(page);
      }
    }
  });

  test(`own pages are accessible and fit, ${theme}`, async ({ page, context, baseURL }) => {
    test.setTimeout(180_000);
    await context.addCookies([{ name: "sf_theme", value: theme, url: baseURL ?? "" }]);
    await newPerson(page);
    for (const path of OWN) {
      await page.setViewportSize({ width: 1280, height: 900 });
      const answer = await visit(page, path);
      expect(answer?.status(), path).toBe(200);
      await accessible(page);
      for (const width of [390, 320]) {
        await page.setViewportSize({ width, height: 800 });
        await fits(page);
      }
    }
  });
}

test("a page that does not exist says so with the right status", async ({ page }) => {
  const answer = await visit(page, "/no-such-page");
  expect(answer?.status()).toBe(404);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await page.getByRole("link", { name: "Go home" }).click();
  await expect(page).toHaveURL(/\/$/);
  await alive(page);
});
