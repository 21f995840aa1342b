import { alive, expect, newPerson, test } from "./helpers";

test("a link that is followed before the page is alive leads there", async ({ page }) => {
  await newPerson(page);
  let release = () => {};
  const released = new Promise<void>((done) => (release = done));
  // The part of the settings is long on its way, as it is on a slow line.
  await page.route("**/pkg/split_people_part*", async (route) => {
    await released;
    await route.continue().catch(() => undefined);
  });
  const asked = page.waitForRequest(/split_people_part/);
  await page.goto("/settings", { waitUntil: "commit" });
  await asked;
  await page.getByRole("navigation", { name: "Main", exact: true }).getByRole("link", { name: "Characters", exact: true }).click();
  await expect(page).toHaveURL(/\/characters$/);
  release();
  await alive(page);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  // It is alive: the next link is followed without loading the page anew.
  await page.evaluate(() => ((window as unknown as { stays: boolean }).stays = true));
  await page.getByRole("navigation", { name: "Main", exact: true }).getByRole("link", { name: "Chats" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Chats" })).toBeVisible();
  expect(await page.evaluate(() => (window as unknown as { stays?: boolean }).stays)).toBe(true);
});
