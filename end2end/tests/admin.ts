import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Page } from "@playwright/test";
import { PASSWORD, expect, freshName, test, visit } from "./helpers";

/** Signs in as the first admin: by the link in the server's log, which works once, or as the one who used it. */
export async function asAdmin(page: Page) {
  const log = process.env.SERVER_LOG;
  test.skip(!log || !existsSync(log), "the first admin's link is in the server's log");
  const token = readFileSync(log!, "utf8").match(/\/setup\/([\w-]+)/)?.[1];
  test.skip(!token, "this server has an admin already");
  const kept = `${tmpdir()}/sf-admin-${token!.slice(0, 16)}`;
  const name = freshName("keeper");
  try {
    writeFileSync(kept, name, { flag: "wx" });
  } catch {
    await page.waitForTimeout(500);
    const answer = await page.request.post("/api/sessions", { data: { login: readFileSync(kept, "utf8"), password: PASSWORD } });
    expect(answer.status()).toBe(201);
    await expect.poll(async () => (await page.request.get("/admin")).status(), { timeout: 20_000 }).toBe(200);
    return;
  }
  const answer = await page.request.post("/api/accounts", {
    data: { username: name, email: `${name}@example.org`, password: PASSWORD, birth_date: "1990-01-31" },
  });
  expect(answer.status()).toBe(201);
  await visit(page, `/setup/${token}`);
  await page.locator("main").getByRole("button", { name: "Become the first admin" }).click();
  await expect(page).toHaveURL(/\/settings\?admin=1/);
}
