import { alive, expect, newPerson, test, visit } from "./helpers";

type Page = import("@playwright/test").Page;
const box = (page: Page) => page.getByRole("textbox", { name: /^Say something to/ });
/** Waits until the newest reply is whole: not "nothing is being written", for before it begins nothing is. */
const whole = (page: Page) =>
  expect(page.locator("article.oc").last().getByRole("button", { name: /^(Regenerate|Try again)$/ })).toBeVisible({ timeout: 60_000 });

/** A browser without a network writes its failures into the console. */
const quiet = (complaints: string[]) => {
  const kept = complaints.filter((c) => !/ERR_INTERNET_DISCONNECTED|Failed to fetch|Failed to load resource/.test(c));
  complaints.splice(0, complaints.length, ...kept);
};

/** Somebody who has said one thing to Lumina. */
async function talking(page: Page) {
  await newPerson(page);
  await visit(page, "/talk/lumina");
  await box(page).fill("Good evening.");
  await box(page).press("Enter");
  await expect(page).toHaveURL(/\/chat\//);
  await alive(page);
  await whole(page);
}

test("a draft survives a reload, in its own conversation only", async ({ page }) => {
  await talking(page);
  await expect(box(page)).toHaveValue("");
  await box(page).fill("half a\nthought");
  await page.reload();
  await alive(page);
  await expect(box(page)).toHaveValue("half a\nthought");
  const room = page.url();
  await visit(page, "/talk/thorne");
  await expect(box(page)).toHaveValue("");
  await visit(page, room);
  await box(page).press("Enter");
  await expect(page.locator(".me")).toHaveCount(2);
  await expect(box(page)).toHaveValue("");
  await page.reload();
  await alive(page);
  await expect(box(page)).toHaveValue("");
  await expect(page.locator(".me")).toHaveCount(2);
});

test("without a network a message waits, and is sent once when it is back", async ({ page, context, complaints }) => {
  await talking(page);
  const second = await context.newPage();
  await visit(second, page.url());
  await context.setOffline(true);
  await expect(page.getByText("You are offline. Messages will be sent when you are back.")).toBeVisible();
  await box(page).fill("Sent from a tunnel");
  await box(page).press("Enter");
  await expect(page.getByText("You are offline; this will be sent when you are back.")).toBeVisible();
  await expect(box(page)).toHaveValue("Sent from a tunnel");
  await context.setOffline(false);
  await expect(page.locator(".me", { hasText: "Sent from a tunnel" })).toHaveCount(1, { timeout: 20_000 });
  await expect(page.getByText("You are offline")).toHaveCount(0);
  await expect(box(page)).toHaveValue("");
  await expect(second.locator(".me", { hasText: "Sent from a tunnel" })).toHaveCount(1, { timeout: 20_000 });
  await whole(page);
  await page.reload();
  await alive(page);
  await expect(page.locator(".me")).toHaveCount(2);
  quiet(complaints);
});

test("a message that waits can be taken back", async ({ page, context, complaints }) => {
  await talking(page);
  await context.setOffline(true);
  await expect(page.getByText("You are offline. Messages will be sent when you are back.")).toBeVisible();
  await box(page).fill("Never mind");
  await box(page).press("Enter");
  await page.getByRole("button", { name: "Don't send" }).click();
  await context.setOffline(false);
  await expect(page.getByText("You are offline")).toHaveCount(0);
  await page.reload();
  await alive(page);
  await expect(box(page)).toHaveValue("Never mind");
  await expect(page.locator(".me")).toHaveCount(1);
  quiet(complaints);
});

test("an answer that was lost on the way does not make a second message", async ({ page, complaints }) => {
  await talking(page);
  // The server gets it, the page never hears.
  await page.route("**/fn/chat/send_message", async (route) => {
    await route.fetch();
    await route.abort("connectionreset");
  });
  await box(page).fill("Did you hear me?");
  await box(page).press("Enter");
  await expect(page.getByRole("button", { name: "Try again" })).toBeVisible();
  await expect(box(page)).toHaveValue("Did you hear me?");
  await page.unroute("**/fn/chat/send_message");
  await whole(page);
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(box(page)).toHaveValue("");
  await expect(page.locator(".me", { hasText: "Did you hear me?" })).toHaveCount(1);
  await page.reload();
  await alive(page);
  await expect(page.locator(".me", { hasText: "Did you hear me?" })).toHaveCount(1);
  const kept = complaints.filter((c) => !/ERR_CONNECTION_RESET|Failed to load resource/.test(c));
  complaints.splice(0, complaints.length, ...kept);
});

test("what one tab types, the other shows within a second, but not over what is typed there", async ({ page, context }) => {
  await talking(page);
  const second = await context.newPage();
  await visit(second, page.url());
  const leave = (tab: typeof page) => tab.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await leave(second);
  await box(page).fill("half a thought");
  await expect(box(second)).toHaveValue("half a thought", { timeout: 1_500 });
  // Gone on with over there, while the first tab is left alone.
  await leave(page);
  await box(second).pressSequentially(" more");
  await expect(box(page)).toHaveValue(/more/, { timeout: 1_500 });
  // Whoever types is not disturbed.
  const here = await box(second).inputValue();
  await box(page).fill("something else");
  await page.waitForTimeout(1_000);
  await expect(box(second)).toHaveValue(here);
  await box(second).fill("");
  await expect(box(page)).toHaveValue("something else");
  // What was sent is nobody's draft any more, and the next message is another one.
  await leave(second);
  await box(page).fill("Sent from the first");
  await expect(box(second)).toHaveValue("Sent from the first", { timeout: 1_500 });
  await box(page).press("Enter");
  await expect(page.locator(".me", { hasText: "Sent from the first" })).toHaveCount(1);
  await expect(box(second)).toHaveValue("");
  // The other tab has heard of the reply before it is asked whether that is whole.
  await expect(second.locator(".me", { hasText: "Sent from the first" })).toHaveCount(1);
  await whole(page);
  await whole(second);
  await box(second).fill("Sent from the second");
  await box(second).press("Enter");
  await expect(page.locator(".me", { hasText: "Sent from the second" })).toHaveCount(1);
  await whole(page);
});

test("what one tab says, the other shows within a second", async ({ page, context }) => {
  await talking(page);
  const second = await context.newPage();
  await visit(second, page.url());
  await box(page).fill("Do you see this?");
  await box(page).press("Enter");
  await expect(page.locator(".me", { hasText: "Do you see this?" })).toHaveCount(1);
  await expect(second.locator(".me", { hasText: "Do you see this?" })).toHaveCount(1, { timeout: 1_500 });
  await whole(page);
  await whole(second);
});
