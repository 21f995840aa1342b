import { accessible, expect, fits, newPerson, test, visit } from "./helpers";
import type { Locator, Page } from "@playwright/test";

test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

/** A talk from a file: nobody has to wait for a model. The last reply has two versions; the second is shown. */
async function brought(page: Page): Promise<string> {
  const lines = [
    { user_name: "Wren", character_name: "Lumina", chat_metadata: {} },
    { name: "Lumina", is_user: false, mes: "Welcome to the lighthouse." },
    { name: "Wren", is_user: true, mes: "What do you see?" },
    { name: "Lumina", is_user: false, mes: "A harbour." },
    { name: "Wren", is_user: true, mes: "And now?" },
    { name: "Lumina", is_user: false, mes: "A second boat.", swipe_id: 1, swipes: ["The first boat.", "A second boat."] },
  ];
  const answer = await page.request.post("/api/conversations/import?with=lumina", {
    headers: { "content-type": "application/x-ndjson" },
    data: lines.map((l) => JSON.stringify(l)).join("\n"),
  });
  expect(answer.status(), await answer.text()).toBe(201);
  return `/chat/${(await answer.json()).conversation_id}`;
}

/** A finger that moves over an element, in steps as a screen reports them. */
async function swipe(page: Page, over: Locator, move: { x?: number; y?: number }, from?: number) {
  const box = (await over.boundingBox())!;
  const [x, y] = [from ?? box.x + box.width / 2, box.y + box.height / 2];
  const screen = await page.context().newCDPSession(page);
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", points: { x: number; y: number }[]) =>
    screen.send("Input.dispatchTouchEvent", { type, touchPoints: points });
  await touch("touchStart", [{ x, y }]);
  for (let step = 1; step <= 8; step += 1) {
    await touch("touchMove", [{ x: x + ((move.x ?? 0) * step) / 8, y: y + ((move.y ?? 0) * step) / 8 }]);
  }
  await touch("touchEnd", []);
  await screen.detach();
}

test("a finger turns the last reply, and asks for another version at its end", async ({ page }) => {
  await newPerson(page);
  const talk = await brought(page);
  await visit(page, talk);
  const last = page.locator("article.oc").last();
  const words = last.locator(".said");
  await expect(words).toHaveText("A second boat.");
  await expect(last.getByText("Swipe for another version")).toBeVisible();
  // Up and down, from the edge, and too little: nothing.
  await swipe(page, words, { y: 120 });
  await swipe(page, words, { x: 120 }, 8);
  await swipe(page, words, { x: 30 });
  await expect(last.getByText("2 of 2")).toBeVisible();
  // To the right: the version before. To the left: the one after.
  await swipe(page, words, { x: 130 });
  await expect(last.getByText("1 of 2")).toBeVisible();
  await expect(words).toHaveText("The first boat.");
  await swipe(page, words, { x: -130 });
  await expect(words).toHaveText("A second boat.");
  expect(await last.evaluate((e) => (e as HTMLElement).style.translate)).toBe("");
  // At the end: a new one.
  await swipe(page, words, { x: -130 });
  await expect(last.getByText("3 of 3")).toBeVisible({ timeout: 60_000 });
  await expect(last.getByRole("button", { name: /^(Regenerate|Try again)$/ })).toBeVisible({ timeout: 60_000 });
  expect(new URL(page.url()).pathname).toBe(talk);
});

test("tools come with a tap, and everything to press is 44 pixels", async ({ page }) => {
  await newPerson(page);
  await visit(page, await brought(page));
  const [first, last] = [page.locator("article.oc").nth(1), page.locator("article.oc").last()];
  await expect(last.getByRole("button", { name: "Regenerate" })).toBeVisible();
  await expect(first.getByRole("link", { name: "Edit" })).toBeHidden();
  await first.locator(".said").tap();
  await expect(first.getByRole("link", { name: "Edit" })).toBeVisible();
  await page.locator("article.mine").last().locator(".me").tap();
  await expect(page.locator("article.mine").last().getByRole("link", { name: "Edit" })).toBeVisible();
  await expect(first.getByRole("link", { name: "Edit" })).toBeHidden();
  const small = await page.locator(".chat :is(button, a, summary):visible").evaluateAll((all) =>
    all
      .filter((e) => !e.matches(".said *, .face, .sr"))
      .map((e) => [e, e.getBoundingClientRect()] as const)
      .filter(([, box]) => box.width > 0 && (box.height < 44 || box.width < 44))
      .map(([e, box]) => `${e.textContent || e.getAttribute("aria-label")}: ${box.width} x ${box.height}`),
  );
  expect(small).toEqual([]);
  // No tab bar in a talk; everywhere else there is one.
  await expect(page.getByRole("navigation", { name: "Main, short" })).toBeHidden();
  await accessible(page);
  await visit(page, "/conversations");
  await expect(page.getByRole("navigation", { name: "Main, short" })).toBeVisible();
});

/** A finger that stays for a while, and may then move on. */
async function hold(page: Page, over: Locator, move?: { x?: number; y?: number }) {
  const box = (await over.boundingBox())!;
  const [x, y] = [box.x + Math.min(box.width / 2, 40), box.y + box.height / 2];
  const screen = await page.context().newCDPSession(page);
  await screen.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x, y }] });
  await page.waitForTimeout(700);
  if (move) await screen.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: [{ x: x + (move.x ?? 0), y: y + (move.y ?? 0) }] });
  await screen.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await screen.detach();
}

test("a long press opens the menu of a message", async ({ page }) => {
  await newPerson(page);
  await visit(page, await brought(page));
  const own = page.locator("article.mine").first();
  const menu = own.getByRole("group", { name: "More for this message" });
  await hold(page, own.locator(".me"));
  await expect(menu.getByRole("button", { name: "Branch from here" })).toBeVisible();
  await accessible(page);
  await page.keyboard.press("Escape");
  await expect(menu).toBeHidden();
  // Drawing on from there is something else, and a tap still is a tap.
  const reply = page.locator("article.oc").nth(1);
  await hold(page, reply.locator(".said"), { y: 60 });
  await expect(reply.getByRole("group", { name: "More for this message" })).toBeHidden();
  await reply.locator(".said").tap();
  await expect(reply.getByRole("link", { name: "Edit" })).toBeVisible();
  await expect(reply.getByRole("group", { name: "More for this message" })).toBeHidden();
});

test("the model is chosen from the head of the talk", async ({ page }) => {
  await newPerson(page);
  await visit(page, await brought(page));
  await page.getByRole("button", { name: /^Model:/ }).tap();
  const models = page.getByRole("group", { name: "Model" });
  await expect(models).toBeVisible();
  await expect(models.getByText(/Applies from the next reply|one model/)).toBeVisible();
  await fits(page);
  await accessible(page);
  await models.getByRole("button", { name: "Close" }).tap();
  await expect(models).toBeHidden();
});

for (const scheme of ["light", "dark"] as const) {
  test(`at 320 and 160 pixels nothing sticks out and one can write, ${scheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await newPerson(page);
    const talk = await brought(page);
    for (const width of [320, 160]) {
      await page.setViewportSize({ width, height: width === 160 ? 420 : 640 });
      await visit(page, talk);
      await fits(page);
      await accessible(page);
      const box = page.getByRole("textbox", { name: /^Say something to/ });
      const [area, send] = [await box.boundingBox(), await page.getByRole("button", { name: "Send" }).boundingBox()];
      expect(area!.width, "room to write").toBeGreaterThan(width === 160 ? 70 : 200);
      expect(send!.x + send!.width).toBeLessThanOrEqual(width);
      expect(send!.y + send!.height).toBeLessThanOrEqual(width === 160 ? 420 : 640);
      for (const path of ["/conversations", "/conversations?q=harbour", "/conversations/import", `${talk}/notes`, "/settings", "/settings/account", "/settings/personas", "/settings/devices"]) {
        await visit(page, path);
        await fits(page);
      }
      await visit(page, "/conversations");
      await accessible(page);
    }
  });
}
