import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import { asAdmin } from "./admin";
import { PASSWORD, accessible, expect, fits, freshName, hydrated, newPerson, test, visit } from "./helpers";

/** A name of the page itself, not of the rail. */
const main = (page: Page) => page.locator("main");

/** A provider that speaks Chat Completions, on this machine; it wants its key before it says which models it has. */
async function provider(): Promise<[Server, string]> {
  const server = createServer((request, response) => {
    if (request.url === "/v1/models") {
      const known = request.headers.authorization === "Bearer sk-only-in-this-test-0000";
      response.writeHead(known ? 200 : 401, { "content-type": "application/json" });
      const price = { prompt: "0.000003", completion: "0.000015" };
      const data = [{ id: "far-2" }, { id: "far-1", name: "The far one", context_length: 65_536, pricing: price }];
      response.end(JSON.stringify(known ? { object: "list", data } : { error: { message: "no", type: "authentication_error" } }));
      return;
    }
    request.resume().on("end", () => {
      const piece = (delta: object, finish: string | null) =>
        `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(piece({ content: "The sea is grey " }, null));
      setTimeout(() => {
        response.write(piece({ content: "and loud." }, null));
        response.write(piece({}, "stop"));
        response.write(`data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 900, completion_tokens: 8 } })}\n\n`);
        response.end("data: [DONE]\n\n");
      }, 60);
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`];
}

test("an admin connects a model, tries it, and somebody talks with it", async ({ page, browser, baseURL }) => {
  const [server, address] = await provider();
  const name = freshName("Far");
  try {
    await asAdmin(page);
    await page.goto("/settings");
    await main(page).getByRole("link", { name: "Administration" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Overview");
    await accessible(page);
    await fits(page);
    await main(page).getByRole("navigation", { name: "Administration" }).getByRole("link", { name: "Models" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Models");
    const confirm = main(page).getByRole("link", { name: "Confirm your password" });
    if (await confirm.count()) {
      await confirm.click();
      await page.getByLabel("Password").fill(PASSWORD);
      await main(page).getByRole("button", { name: "Confirm" }).click();
      await expect(page).toHaveURL(/\/admin\/models/);
    }
    await page.getByLabel("Hosts inside your network").fill("127.0.0.1");
    await main(page).locator("#reach").getByRole("button", { name: "Save" }).click();
    await expect(main(page).getByText("Saved.")).toBeVisible();
    await accessible(page);
    await fits(page);

    await main(page).getByRole("link", { name: "Add a provider" }).click();
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Address").fill("http://169.254.169.254/v1");
    await page.getByLabel("Key").fill("sk-only-in-this-test-0000");
    await main(page).getByRole("button", { name: "Add the provider" }).click();
    await expect(main(page).locator(".field.bad .error")).toHaveText(/address/i);
    await expect(page.getByLabel("Name")).toHaveValue(name);
    await expect(page.getByLabel("Key")).toHaveValue("");
    await accessible(page);
    await page.getByLabel("Address").fill(address);
    await page.getByLabel("Key").fill("sk-only-in-this-test-0000");
    await main(page).getByRole("button", { name: "Add the provider" }).click();
    await expect(main(page).getByText("Saved.")).toBeVisible();
    await expect(main(page).getByText("A key that ends in 0000 is set.")).toBeVisible();
    await accessible(page);
    await fits(page);

    await main(page).getByRole("link", { name: "Add a model" }).click();
    await main(page).getByRole("button", { name: "Fetch the list" }).click();
    await expect(main(page).locator(".listed li")).toHaveCount(2);
    await accessible(page);
    for (const width of [390, 320]) {
      await page.setViewportSize({ width, height: 800 });
      await fits(page);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole("searchbox", { name: "A part of the name" }).fill("FAR-1");
    await main(page).getByRole("button", { name: "Find" }).click();
    await expect(main(page).locator(".listed li")).toHaveCount(1);
    await main(page).locator(".listed").getByText("65,536 tokens of context").click();
    await expect(page.getByLabel("Name at the provider")).toHaveValue("far-1");
    await expect(page.getByLabel("Name shown to people")).toHaveValue("The far one");
    await expect(page.getByLabel("Context, tokens")).toHaveValue("65536");
    await expect(page.getByLabel("Read", { exact: true })).toHaveValue("3");
    await expect(page.getByLabel("Written", { exact: true })).toHaveValue("15");
    await accessible(page);
    await page.getByLabel("Name shown to people").fill(`${name} model`);
    await page.getByLabel("Available to users").check();
    await main(page).getByRole("button", { name: "Add the model" }).click();
    await expect(main(page).getByText("Saved.")).toBeVisible();
    await main(page).getByRole("button", { name: "Ask" }).click();
    await expect(main(page).getByText("The sea is grey and loud.")).toBeVisible();
    await expect(main(page).getByText(/first word after \d+ ms .* tokens per second/)).toBeVisible();
    await accessible(page);
    await fits(page);

    const other = await browser.newContext({ baseURL, javaScriptEnabled: hydrated(page) });
    const guest = await other.newPage();
    await newPerson(guest, "guest");
    await visit(guest, "/talk/lumina");
    await guest.getByRole("textbox", { name: /^Say something to/ }).fill("Hello");
    await guest.getByRole("button", { name: "Send" }).click();
    await expect(guest).toHaveURL(/\/chat\//);
    const conversation = guest.url().split("/chat/")[1].split(/[?#]/)[0];
    // The usual model first: 80 tokens, and 908 of this one below.
    await expect
      .poll(async () => (await (await guest.request.get(`/api/conversations/${conversation}/messages`)).json()).items.at(-1).status, { timeout: 60_000 })
      .toBe("done");
    await visit(guest, `/chat/${conversation}`);
    await guest.getByRole("button", { name: /^Model:/ }).click();
    await guest.getByLabel("Use for this chat").selectOption({ label: `${name} model, by ${name}` });
    await guest.getByRole("button", { name: "Choose" }).click();
    if (hydrated(page)) {
      // Said beside the choice, and in the head of the talk without opening it again.
      await expect(guest.getByText(`Now using ${name} model, by ${name}.`)).toBeVisible();
      await expect(guest.locator(".with .meta")).toContainText(`${name} model, by ${name}`);
    }
    await visit(guest, `/chat/${conversation}`);
    await expect(guest.locator(".with .meta")).toContainText(`${name} model, by ${name}`);
    await guest.getByRole("textbox", { name: /^Say something to/ }).fill("And the sea?");
    await guest.getByRole("button", { name: "Send" }).click();
    await expect(guest.locator(".said", { hasText: "The sea is grey and loud." })).toBeVisible({ timeout: 30_000 });

    await guest.goto("/settings/usage");
    await expect(guest.getByRole("cell", { name: `${name} model (${name})` })).toBeVisible();
    await expect(guest.getByText(/199,012 of 200,000 tokens are left/)).toBeVisible();
    await accessible(guest);
    await fits(guest);
    await guest.goto("/settings/models");
    await expect(guest.getByText("API keys are turned off")).toBeVisible();
    await accessible(guest);
    expect((await guest.goto("/admin/models"))?.status()).toBe(404);
    await other.close();
  } finally {
    server.close();
  }
});
