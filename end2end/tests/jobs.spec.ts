import { accessible, expect, fits, hydrated, newPerson, test } from "./helpers";
import { asAdmin } from "./admin";

test("an admin sees the background jobs, pauses a queue and resumes it", async ({ page, browser, baseURL }) => {
  await asAdmin(page);
  await page.goto("/admin/jobs");
  const main = page.locator("main");
  await expect(main.getByRole("heading", { level: 1, name: "Background jobs" })).toBeVisible();
  const row = main.getByRole("listitem").filter({ has: page.getByText("chat-side", { exact: true }) });
  await expect(row).toContainText("running");
  await expect(main.getByText("Erase guests who did not return")).toBeVisible();
  await accessible(page);
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    await fits(page);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await row.getByRole("button", { name: "Pause chat-side" }).click();
  await expect(page).toHaveURL(/saved=paused/);
  await expect(main.getByText("The queue is paused. Jobs that are running go on.")).toBeVisible();
  await expect(row).toContainText("paused");
  await row.getByRole("button", { name: "Resume chat-side" }).click();
  await expect(page).toHaveURL(/saved=resumed/);
  await expect(row.getByRole("button", { name: "Pause chat-side" })).toBeVisible();

  const other = await browser.newContext({ baseURL, javaScriptEnabled: hydrated(page) });
  const guest = await other.newPage();
  await newPerson(guest, "guest");
  expect((await guest.goto("/admin/jobs"))?.status()).toBe(404);
  await other.close();
});
