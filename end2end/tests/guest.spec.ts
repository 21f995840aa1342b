import { BORN, PASSWORD, accessible, alive, expect, fits, freshName, hydrated, newPerson, test, visit } from "./helpers";
import type { Page } from "@playwright/test";

const main = (page: Page) => page.locator("main");
const box = (page: Page) => page.getByRole("textbox", { name: /^Say something to/ });

/** Says something and waits until it is answered. */
async function say(page: Page, line: string) {
  await box(page).fill(line);
  await main(page).getByRole("button", { name: "Send" }).click();
  await expect(page).toHaveURL(/\/chat\//);
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(main(page).getByText(line, { exact: true })).toBeVisible();
}

async function join(page: Page) {
  const name = freshName("guest");
  await page.getByLabel("Username", { exact: true }).fill(name);
  await page.getByLabel("E-mail").fill(`${name}@example.org`);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("Date of birth").fill(BORN);
  await page.getByLabel(/I accept the/).check();
  await main(page).getByRole("button", { name: "Create account" }).click();
  await expect(page).toHaveURL(/\/welcome/);
  await main(page).getByRole("button", { name: "I saved them" }).click();
}

test("a visitor reads, talks, and keeps the talk by joining", async ({ page }) => {
  test.setTimeout(180_000);
  await visit(page, "/talk/lumina");
  await expect(page.locator("article.oc .said").first()).not.toBeEmpty();
  await expect(main(page).getByText("You can try this without an account.")).toBeVisible();
  expect(await page.context().cookies()).toEqual([]);
  await accessible(page);
  await say(page, "Are you made of light?");
  await expect(main(page).getByText(/free messages left today/)).toBeVisible();
  const talk = new URL(page.url()).pathname;
  await accessible(page);
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    await fits(page);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await main(page).getByRole("link", { name: "Create a free account to keep this chat" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Create an account to keep chatting with Lumina");
  await expect(main(page).locator(".door-face img")).toBeVisible();
  await accessible(page);
  await join(page);
  await expect(page).toHaveURL(new RegExp(`${talk}$`));
  await alive(page);
  await expect(main(page).getByText("Are you made of light?", { exact: true })).toBeVisible();
  await expect(main(page).getByText(/free messages left/)).toHaveCount(0);
});

test("signing in takes the guest's talk along", async ({ page }) => {
  test.setTimeout(180_000);
  const name = await newPerson(page);
  await page.context().clearCookies();
  await visit(page, "/talk/elara");
  await say(page, "Only passing by");
  const talk = new URL(page.url()).pathname;
  await visit(page, `/sign-in?next=${talk}`);
  await page.getByLabel("Username or e-mail").fill(name);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await main(page).getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(new RegExp(`${talk}$`));
  await expect(main(page).getByText("Only passing by", { exact: true })).toBeVisible();
});

test("what is too much stays in the box and on the sign-up page", async ({ page }) => {
  await visit(page, "/talk/thorne");
  if (!hydrated(page)) return;
  const message = "You have used today's free messages. Create a free account to keep chatting.";
  await page.route("**/fn/chat/send_message", (route) =>
    route.fulfill({ status: 429, contentType: "application/json", body: JSON.stringify({ code: "too_many", message, retry_after: 60 }) }));
  await box(page).fill("My clock stopped. Can you mend it?");
  await main(page).getByRole("button", { name: "Send" }).click();
  await expect(main(page).getByText(message)).toBeVisible();
  await expect(box(page)).toHaveValue("My clock stopped. Can you mend it?");
  await main(page).locator(".guest-note a").click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/Create an account to chat with Thorne/);
  await expect(main(page).locator(".door-line")).toContainText("My clock stopped. Can you mend it?");
  await join(page);
  await expect(page).toHaveURL(/\/talk\/thorne$/);
  await alive(page);
  await expect(box(page)).toHaveValue("My clock stopped. Can you mend it?");
});

test("doors that want an account say what it is for", async ({ page }) => {
  await visit(page, "/conversations");
  await expect(page).toHaveURL(/\/sign-up\?next=/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Create an account to keep your chats");
  await main(page).getByRole("link", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Sign in");
  await expect(main(page).getByText("Welcome back")).toHaveCount(0);
});

test("the small print is on every page and can be read", async ({ page }) => {
  await visit(page, "/");
  const footer = page.getByRole("contentinfo");
  await expect(footer.getByText("Characters are AI. What they say is made up.")).toBeVisible();
  for (const name of ["Terms", "Privacy", "Contact", "About AI"]) {
    await footer.getByRole("link", { name }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  }
});
