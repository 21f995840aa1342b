import { BORN, PASSWORD, accessible, alive, expect, fits, freshName, hydrated, newPerson, test, visit } from "./helpers";
import type { Page } from "@playwright/test";

/** A name of the page itself, not of the rail. */
const main = (page: Page) => page.locator("main");

/** Confirms the password when the page asks for it. */
async function confirm(page: Page) {
  const link = main(page).getByRole("link", { name: "Confirm your password" });
  if (await link.count()) {
    await link.click();
    await page.getByLabel("Password").fill(PASSWORD);
    await main(page).getByRole("button", { name: "Confirm" }).click();
    await expect(page).toHaveURL(/\/settings\/account/);
    await alive(page);
  }
}

async function signIn(page: Page, login: string, password = PASSWORD) {
  await visit(page, "/sign-in");
  await page.getByLabel("Username or e-mail").fill(login);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await main(page).getByRole("button", { name: "Sign in" }).click();
}

/** Fills the form for joining; the button is for the test. */
async function fill(page: Page, name: string, other: { password?: string; email?: string; birth?: string; terms?: boolean } = {}) {
  await page.getByLabel("Username", { exact: true }).fill(name);
  await page.getByLabel("E-mail").fill(other.email ?? `${name}@example.org`);
  await page.getByLabel("Password", { exact: true }).fill(other.password ?? PASSWORD);
  await page.getByLabel("Date of birth").fill(other.birth ?? BORN);
  if (other.terms ?? true) await page.getByLabel(/I accept the/).check();
}

/** Leaves the page of recovery codes; gives them. */
async function codesOf(page: Page): Promise<string[]> {
  await expect(page).toHaveURL(/\/welcome/);
  const codes = await main(page).locator(".code-list code").allInnerTexts();
  expect(codes).toHaveLength(10);
  await main(page).getByRole("button", { name: "I saved them" }).click();
  return codes;
}

test("joining, coming back, leaving the device", async ({ page }) => {
  const name = freshName("ada");
  await visit(page, "/sign-up?next=/settings");
  await fill(page, name);
  await main(page).getByRole("button", { name: "Create account" }).click();
  await accessible(page);
  await codesOf(page);
  await expect(page).toHaveURL(/\/settings$/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  await alive(page);

  await main(page).getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/$/);
  const settings = await page.goto("/settings/account");
  expect(settings?.url()).toContain("/sign-in?next=/settings/account");

  await signIn(page, name, "not the right password");
  await expect(main(page).getByText("Wrong username or password.")).toHaveCount(1);
  await expect(page).toHaveURL(/\/sign-in$/);
  await page.getByLabel("Username or e-mail").fill(name.toUpperCase());
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await main(page).getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/$/);
  expect((await page.request.get("/api/me")).status()).toBe(200);
});

test("all that is wrong is told at once, nothing is emptied, the address stays", async ({ page }) => {
  const taken = await newPerson(page, "taken");
  await page.context().clearCookies();
  await visit(page, "/sign-up");
  await fill(page, taken.toUpperCase(), { password: "too short", birth: "2999-01-01", email: "nonsense@", terms: false });
  for (let i = 0; i < 2; i += 1) {
    await main(page).getByRole("button", { name: "Create account" }).click();
    await expect(main(page).locator("#username-error")).toContainText("taken");
    await expect(main(page).locator("#email-error")).toContainText("name@example.org");
    await expect(main(page).locator("#password-error")).toContainText("15 characters");
    await expect(main(page).locator("#birth_date-error")).toContainText("year");
    await expect(main(page).locator("#terms-error")).toContainText("accept");
    await expect(page).toHaveURL(/\/sign-up$/);
  }
  await expect(main(page).getByText("This username is taken.")).toHaveCount(1);
  await expect(page.getByLabel("E-mail")).toHaveValue("nonsense@");
  await expect(page.getByLabel("Password", { exact: true })).toHaveValue("too short");
  await accessible(page);
  await main(page).locator("#faults").getByRole("link", { name: "E-mail" }).click();
  await expect(page).toHaveURL(/#email$/);
  await fill(page, freshName("mended"));
  await main(page).getByRole("button", { name: "Create account" }).click();
  await codesOf(page);
  await expect(page).toHaveURL(/\/$/);
});

test("a password is shown, proposed and good", async ({ page }) => {
  await visit(page, "/sign-up");
  const password = page.getByLabel("Password", { exact: true });
  await password.fill("short");
  if (hydrated(page)) await expect(page.locator("#password-count")).toHaveText("5 of 15 characters");
  await main(page).getByRole("button", { name: "Show password" }).click();
  await expect(password).toHaveAttribute("type", "text");
  await expect(password).toHaveValue("short");
  await main(page).getByRole("button", { name: "Hide password" }).click();
  await expect(password).toHaveAttribute("type", "password");
  await main(page).getByRole("button", { name: "Propose four words" }).click();
  await expect(password).toHaveValue(/^[a-z]{4,}( [a-z]{4,}){3}$/);
  await expect(password).toHaveAttribute("type", "text");
  if (hydrated(page)) await expect(page.locator("#password-count")).toHaveText("Strong");
  await fill(page, freshName("words"), { password: await password.inputValue() });
  await main(page).getByRole("button", { name: "Create account" }).click();
  await codesOf(page);
});

test("names are checked while one types", async ({ page }) => {
  const taken = await newPerson(page, "taken");
  await page.context().clearCookies();
  await visit(page, "/sign-up");
  if (!hydrated(page)) return;
  const name = page.getByLabel("Username", { exact: true });
  await name.pressSequentially(taken);
  await expect(main(page).locator("#username-error")).toContainText("taken");
  await name.pressSequentially("z");
  await expect(main(page).locator("#username-error")).toBeEmpty();
});

test("a forgotten password is replaced with a recovery code", async ({ page }) => {
  const name = freshName("lost");
  await visit(page, "/sign-up");
  await fill(page, name);
  await main(page).getByRole("button", { name: "Create account" }).click();
  const codes = await codesOf(page);
  await page.context().clearCookies();
  await visit(page, "/sign-in");
  await main(page).getByRole("link", { name: "Forgot your password?" }).click();
  await page.getByLabel("Username or e-mail").fill(name);
  await page.getByLabel("Recovery code").fill(codes[3].toLowerCase());
  await page.getByLabel("New password", { exact: true }).fill("amber thicket whistles softly");
  await accessible(page);
  await main(page).getByRole("button", { name: "Set new password" }).click();
  await expect(page).toHaveURL(/\/settings\/account/);
  await alive(page);
  await expect(main(page).getByText("Your new password is set.")).toBeVisible();
  await expect(main(page).getByText("You have 9 recovery codes left.")).toBeVisible();
  await main(page).getByRole("button", { name: "Make new recovery codes" }).click();
  expect(await codesOf(page)).not.toContain(codes[4]);
  await expect(page).toHaveURL(/\/settings\/account/);
});

test("the profile is edited and seen by others", async ({ page, browser, baseURL }) => {
  const name = await newPerson(page);
  await visit(page, "/settings/profile");
  await page.getByLabel("Display name").fill("Zoë </title><script>alert(1)</script>");
  await page.getByLabel("About you").fill("I draw maps.\n\n</textarea><b>And</b> I collect clouds.");
  await main(page).getByRole("button", { name: "Save" }).click();
  await expect(main(page).getByText("Saved.")).toBeVisible();
  await expect(page.getByLabel("About you")).toHaveValue(/<b>And<\/b> I collect clouds/);

  const other = await browser.newContext({ baseURL });
  const visitor = await other.newPage();
  const answer = await visitor.goto(`/u/${name}`);
  expect(answer?.status()).toBe(200);
  await expect(visitor.getByRole("heading", { level: 1 })).toContainText("Zoë </title><script>");
  await expect(visitor.getByText("I draw maps.")).toBeVisible();
  await expect(visitor.getByText("No public characters yet")).toBeVisible();
  await other.close();
});

test("a picture is set, refused and removed", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/settings/profile");
  const file = page.getByLabel("Choose a picture");
  await file.setInputFiles({ name: "a.svg", mimeType: "image/svg+xml", buffer: Buffer.from("<svg/>") });
  await main(page).getByRole("button", { name: "Upload" }).click();
  await expect(main(page).getByText("Please choose a JPEG, PNG, WebP or GIF picture.")).toBeVisible();
  await alive(page);
  const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  await file.setInputFiles({ name: "a.png", mimeType: "image/png", buffer: Buffer.from(pixel, "base64") });
  await main(page).getByRole("button", { name: "Upload" }).click();
  await expect(main(page).getByText("Your picture is saved.")).toBeVisible();
  await alive(page);
  await expect(main(page).locator(".person.large img")).toHaveAttribute("src", /^\/avatars\//);
  await main(page).getByRole("button", { name: "Remove the picture" }).click();
  await expect(main(page).locator(".person.large img")).toHaveCount(0);
});

test("devices are seen and ended", async ({ page, browser, baseURL }) => {
  const name = await newPerson(page);
  const other = await browser.newContext({ baseURL });
  const answer = await other.request.post("/api/sessions", { data: { login: name, password: PASSWORD } });
  expect(answer.status()).toBe(201);
  await visit(page, "/settings/devices");
  await expect(main(page).getByText("This device")).toHaveCount(1);
  await main(page).getByRole("button", { name: /^Sign out (?!all)/ }).click();
  await expect(main(page).locator("li")).toHaveCount(1);
  expect((await other.request.get("/api/me")).status()).toBe(401);
  expect((await page.request.get("/api/me")).status()).toBe(200);
  await other.close();
});

test("everything that opens the account ends by one button", async ({ page, browser, baseURL, playwright }) => {
  const name = await newPerson(page);
  const other = await browser.newContext({ baseURL });
  expect((await other.request.post("/api/sessions", { data: { login: name, password: PASSWORD } })).status()).toBe(201);
  const made = await page.request.post("/api/tokens", { data: { name: "my script", scopes: ["read"], expires_in_days: 7 } });
  const { token } = await made.json();
  const program = await playwright.request.newContext({ baseURL, extraHTTPHeaders: { authorization: `Bearer ${token}` } });
  expect((await program.get("/api/me")).status()).toBe(200);
  await visit(page, "/settings/devices");
  await expect(main(page).getByText("my script")).toBeVisible();
  await expect(main(page).getByText(/expires/)).toBeVisible();
  await expect(main(page).getByLabel("Revoke my API tokens as well")).toBeChecked();
  await main(page).getByRole("button", { name: "Sign out all other devices" }).click();
  await expect(main(page).getByText("All other devices are signed out.")).toBeVisible();
  await expect(main(page).getByText("my script")).toHaveCount(0);
  expect((await other.request.get("/api/me")).status()).toBe(401);
  expect((await program.get("/api/me")).status()).toBe(401);
  expect((await page.request.get("/api/me")).status()).toBe(200);
  await program.dispose();
  await other.close();
});

test("what is stored is shown on the account page", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/settings/account");
  await expect(main(page).getByRole("heading", { name: "Storage used" })).toBeVisible();
  await expect(main(page).getByRole("meter", { name: "Pictures" })).toBeVisible();
  await expect(main(page).getByText("0 bytes of 100 MB")).toBeVisible();
});

test("e-mail and password change, then the account is deleted", async ({ page }) => {
  const name = await newPerson(page);
  await visit(page, "/settings/account");
  await confirm(page);
  await page.getByLabel("E-mail").fill("nonsense@");
  await main(page).getByRole("button", { name: "Change e-mail" }).click();
  if (hydrated(page)) {
    // The browser's own check stands before ours.
    await page.getByLabel("E-mail").fill("nonsense@localhost");
    await main(page).getByRole("button", { name: "Change e-mail" }).click();
    await expect(main(page).locator(".field .error").getByText("like name@example.org")).toBeVisible();
  }
  await page.getByLabel("E-mail").fill(`new_${name}@example.org`);
  await main(page).getByRole("button", { name: "Change e-mail" }).click();
  await expect(main(page).getByText("Your e-mail is changed.")).toBeVisible();

  const next = "amber thicket whistles softly";
  await page.getByLabel("New password").fill(next);
  await page.getByLabel("The same again").fill(`${next}!`);
  await main(page).getByRole("button", { name: "Change password" }).click();
  await expect(main(page).locator(".field .error").getByText("not the same")).toBeVisible();
  await page.getByLabel("New password").fill(next);
  await page.getByLabel("The same again").fill(next);
  await main(page).getByRole("button", { name: "Change password" }).click();
  await expect(main(page).getByText("Your password is changed.")).toBeVisible();

  await page.getByLabel(`Type ${name} to confirm`).fill(name);
  await main(page).getByRole("button", { name: "Delete my account" }).click();
  await expect(page).toHaveURL(/\/goodbye$/);
  expect((await page.request.post("/api/sessions", { data: { login: name, password: next } })).status()).toBe(422);
});

test("an API token is made, shown once, used and revoked", async ({ page, playwright, baseURL }) => {
  await newPerson(page);
  await visit(page, "/settings/tokens");
  await page.getByLabel("What it is for").fill("my script");
  await page.getByLabel("It may").selectOption("write");
  await main(page).getByRole("button", { name: "Create token" }).click();
  const secret = await main(page).locator(".secret").innerText();
  expect(secret).toMatch(/^sf_/);
  const program = await playwright.request.newContext({ baseURL, extraHTTPHeaders: { authorization: `Bearer ${secret}` } });
  expect((await program.get("/api/me")).status()).toBe(200);
  await visit(page, "/settings/tokens");
  await expect(main(page).locator(".secret")).toHaveCount(0);
  await main(page).getByRole("button", { name: "Revoke my script" }).click();
  await expect(main(page).getByRole("button", { name: /Revoke/ })).toHaveCount(0);
  expect((await program.get("/api/me")).status()).toBe(401);
  await program.dispose();
});

test("the theme is chosen and kept", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/settings/appearance");
  await main(page).getByRole("button", { name: "Dark" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(main(page).getByRole("button", { name: "Dark" })).toHaveAttribute("aria-pressed", "true");
  await visit(page, "/settings");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("the account menu works by keyboard", async ({ page }) => {
  const name = await newPerson(page);
  await visit(page, "/settings");
  const summary = page.locator(".account-menu > summary");
  await summary.focus();
  await page.keyboard.press("Enter");
  await expect(page.locator(".account-menu-body").getByRole("link", { name: "Your page" })).toBeVisible();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/u/${name}$`));
});

test("sign-in, profile and person pages are accessible and fit", async ({ page }) => {
  const name = await newPerson(page);
  for (const path of ["/confirm", "/settings/profile", "/goodbye", `/u/${name}`, "/developers"]) {
    await page.setViewportSize({ width: 1280, height: 900 });
    await visit(page, path);
    await accessible(page);
    for (const width of [390, 320]) {
      await page.setViewportSize({ width, height: 800 });
      await fits(page);
    }
  }
});
