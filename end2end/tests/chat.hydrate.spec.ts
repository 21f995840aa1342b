import { alive, expect, newPerson, test, visit } from "./helpers";

/** Text of the last reply as it is now. */
const reply = (page: import("@playwright/test").Page) => page.locator("article.oc").last().locator(".said");

test("Enter sends, words come without a reload, a second tab sees them", async ({ page, context }) => {
  await newPerson(page);
  await visit(page, "/talk/elara");
  const box = page.getByRole("textbox", { name: /^Say something to/ });
  await box.fill("one");
  await box.press("Shift+Enter");
  await box.pressSequentially("two");
  await expect(box).toHaveValue("one\ntwo");
  await box.press("Enter");
  await expect(page).toHaveURL(/\/chat\//);
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(reply(page)).not.toBeEmpty();

  const second = await context.newPage();
  await visit(second, page.url());
  await page.evaluate(() => ((window as unknown as { stays: boolean }).stays = true));
  await box.fill("And what do you think of the sea?");
  await box.press("Enter");
  await expect(box).toHaveValue("");
  await expect(page.locator(".me")).toHaveCount(2);
  await expect(second.locator(".me")).toHaveCount(2, { timeout: 5_000 });
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(second.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(reply(second)).toHaveText(await reply(page).innerText());
  // The finished reply is announced once, and the page was never loaded anew.
  await expect(page.locator(".talk > [aria-live]")).not.toBeEmpty();
  expect(await page.evaluate(() => (window as unknown as { stays?: boolean }).stays)).toBe(true);
});

test("Stop keeps the words, Continue goes on", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/talk/eliza");
  await page.getByRole("textbox", { name: /^Say something to/ }).fill("Please write 500 words about a lighthouse.");
  await page.getByRole("button", { name: "Send" }).click();
  await alive(page);
  const stop = page.getByRole("button", { name: "Stop" });
  await expect(reply(page)).toContainText(/\w+ \w+ \w+/);
  await stop.click();
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Send" })).toBeVisible();
  const kept = await reply(page).innerText();
  await page.getByRole("button", { name: "Continue" }).click();
  await expect.poll(async () => (await reply(page).innerText()).length).toBeGreaterThan(kept.length);
  expect((await reply(page).innerText()).startsWith(kept.trim())).toBe(true);
  await stop.click();
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0);
});

test("from sign-up to a reply with the keyboard alone", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/conversations");
  await page.getByRole("link", { name: /Lumina/ }).first().focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/talk\/lumina/);
  await page.getByRole("textbox", { name: /^Say something to/ }).focus();
  await page.keyboard.type("Hello there");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/chat\//);
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(reply(page)).not.toBeEmpty();
});

/** What a proxy says while the server behind it starts again. */
const gone = { status: 502, contentType: "text/html", body: "<h1>502 Bad Gateway</h1>" };

/** The browser notes each 502 in the console; nothing else may be there. */
function onlyGateway(complaints: string[]) {
  expect(complaints.filter((c) => !/status of 502/.test(c))).toEqual([]);
  complaints.length = 0;
}

test("a restart behind a proxy: the page says so, and hears what is said afterwards", async ({ page, complaints }) => {
  await newPerson(page);
  await visit(page, "/talk/elara");
  const box = page.getByRole("textbox", { name: /^Say something to/ });
  await box.fill("Hello");
  await box.press("Enter");
  await expect(page).toHaveURL(/\/chat\//);
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });

  let asked = 0;
  await page.route("**/api/conversations/*/events*", (route) => {
    asked += 1;
    return asked <= 2 ? route.fulfill(gone) : route.continue();
  });
  await visit(page, page.url());
  const lost = page.getByText("Connection lost, trying again.");
  await expect(lost).toBeVisible();
  await expect(lost).toBeHidden({ timeout: 15_000 });
  expect(asked).toBe(3);

  // Said on another device: it comes over the stream that was opened again.
  const oc = await page.locator("input[name=oc_id]").first().inputValue();
  const conversation = new URL(page.url()).pathname.split("/").pop();
  const said = await page.request.post(`/api/chat/${oc}/message`, {
    data: { content: "And from my other device", conversation_id: conversation },
  });
  expect(said.status(), await said.text()).toBe(202);
  await expect(page.locator(".me")).toHaveCount(2, { timeout: 5_000 });
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  onlyGateway(complaints);
});

test("a reply that was cut off by a restart goes on after its last word", async ({ page, complaints }) => {
  await newPerson(page);
  await visit(page, "/talk/elara");
  const box = page.getByRole("textbox", { name: /^Say something to/ });
  await box.fill("Hello");
  await box.press("Enter");
  await expect(page).toHaveURL(/\/chat\//);
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });

  // From the first words on nothing answers, until the server has started again.
  let back = false;
  const asked: string[] = [];
  await page.route("**/api/runs/*/events*", (route) => {
    asked.push(route.request().url());
    const begun = 'retry: 100\n\nevent: started\ndata: {}\n\nid: 7\nevent: delta\ndata: {"text":"Hello. "}\n\n';
    if (asked.length === 1) return route.fulfill({ status: 200, contentType: "text/event-stream", body: begun });
    return back ? route.continue() : route.fulfill(gone);
  });
  await page.route("**/fn/chat/get_lines*", (route) => (back ? route.continue() : route.fulfill(gone)));
  await box.fill("Tell me about the sea.");
  await box.press("Enter");
  await expect(reply(page)).toHaveText("Hello.");
  await expect(page.getByText("Connection lost, trying again.")).toBeVisible();
  back = true;
  const until = asked.length;
  await expect.poll(() => asked.length, { timeout: 30_000 }).toBeGreaterThan(until);
  expect(new URL(asked.at(-1) ?? "").searchParams.get("after")).toBe("7");
  await expect(page.locator("article.oc[aria-busy]")).toHaveCount(0, { timeout: 60_000 });
  await expect(reply(page)).not.toBeEmpty();
  await expect(page.getByText("Connection lost, trying again.")).toBeHidden();
  onlyGateway(complaints);
});
