import { accessible, alive, expect, newPerson, test, visit } from "./helpers";
import type { Page } from "@playwright/test";

/** A talk with one reply, from a file. */
async function brought(page: Page): Promise<string> {
  const lines = [
    { user_name: "Wren", character_name: "Elara", chat_metadata: {} },
    { name: "Elara", is_user: false, mes: "Welcome to the tide pool." },
    { name: "Wren", is_user: true, mes: "What do you see?" },
    { name: "Elara", is_user: false, mes: "A crab." },
  ];
  const answer = await page.request.post("/api/conversations/import?with=elara", {
    headers: { "content-type": "application/x-ndjson" },
    data: lines.map((l) => JSON.stringify(l)).join("\n"),
  });
  expect(answer.status(), await answer.text()).toBe(201);
  return `/chat/${(await answer.json()).conversation_id}`;
}

const box = (page: Page) => page.getByRole("textbox", { name: /^Say something to/ });

test("a reader hears that a reply begins, its sentences whole, and that it ends", async ({ page }) => {
  // Streams that say what the test wants, when it wants.
  await page.addInitScript(() => {
    const open: { url: string; say: (name: string, data: object) => void }[] = [];
    class Scripted extends EventTarget {
      readyState = 1;
      onopen: unknown = null;
      onerror: unknown = null;
      static CONNECTING = 0;
      static OPEN = 1;
      static CLOSED = 2;
      constructor(readonly url: string) {
        super();
        open.push({ url, say: (name, data) => this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) })) });
      }
      close() {
        this.readyState = 2;
      }
    }
    Object.assign(window, { EventSource: Scripted, streams: open, heard: [] });
    addEventListener("DOMContentLoaded", () => {
      let before = "";
      setInterval(() => {
        const now = document.querySelector(".talk > [aria-live]")?.textContent?.trim() ?? "";
        if (now && now !== before) (window as unknown as { heard: string[] }).heard.push(now);
        before = now;
      }, 20);
    });
  });
  const say = (name: string, data: object) =>
    page.evaluate(
      ([name, data]) => {
        const all = (window as unknown as { streams: { url: string; say: (n: string, d: object) => void }[] }).streams;
        all.findLast((s) => s.url.includes("/api/runs/"))?.say(name as string, data as object);
      },
      [name, data] as const,
    );
  const heard = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard);
  await newPerson(page);
  await visit(page, await brought(page));
  await box(page).fill("And the sea?");
  await box(page).press("Enter");
  await expect.poll(heard).toEqual(["Elara is writing."]);
  for (const text of ["The sea is", " grey. It", " is 3.5 fathoms deep at 4 a.m. in", " May"]) await say("delta", { text });
  await expect.poll(heard).toEqual(["Elara is writing.", "The sea is grey."]);
  await say("delta", { text: ". *She looks up.* And" });
  await expect.poll(heard).toHaveLength(3);
  expect((await heard())[2]).toBe("It is 3.5 fathoms deep at 4 a.m. in May. She looks up.");
  const content = "The sea is grey. It is 3.5 fathoms deep at 4 a.m. in May. *She looks up.* And you?";
  await say("done", { content, html: `<p>${content}</p>`, finish: "end" });
  await expect.poll(heard).toHaveLength(4);
  expect((await heard())[3]).toBe("And you? End of message.");
});

test("the focus stays on the reply after Regenerate, until it is whole and afterwards", async ({ page }) => {
  await newPerson(page);
  await visit(page, await brought(page));
  const last = page.locator("article.oc").last();
  await last.getByRole("button", { name: "Regenerate" }).focus();
  await page.keyboard.press("Enter");
  await expect(last.getByText("2 of 2")).toBeVisible({ timeout: 60_000 });
  await expect(last.getByRole("button", { name: /^(Regenerate|Try again)$/ })).toBeVisible({ timeout: 60_000 });
  await expect(last).toBeFocused();
  // The next Tab reaches what is in it.
  await page.keyboard.press("Tab");
  expect(await last.evaluate((line) => line.contains(document.activeElement))).toBe(true);
});

test("Send and Stop are one button that keeps the focus", async ({ page }) => {
  await newPerson(page);
  await visit(page, await brought(page));
  await page.route("**/api/runs/*/events*", () => undefined);
  await box(page).fill("And the sea?");
  await page.getByRole("button", { name: "Send" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Stop" })).toBeFocused();
});

test("after a change of page the focus is on its heading", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/conversations");
  for (const name of ["Characters", "Summon"]) {
    const link = page.getByRole("navigation", { name: "Main", exact: true }).getByRole("link", { name, exact: true });
    await link.focus();
    await page.keyboard.press("Enter");
    await expect(page.locator("main h1")).toBeFocused();
  }
  await page.goBack();
  await expect(page).toHaveURL(/characters/);
  await expect(page.locator("main h1")).toBeFocused();
});

test("an Enter that an input method uses sends nothing", async ({ page }) => {
  await newPerson(page);
  await visit(page, await brought(page));
  await box(page).fill("にほんご");
  let sent = 0;
  page.on("request", (request) => (sent += Number(request.url().includes("/fn/chat/send_message"))));
  const enter = (init: KeyboardEventInit & { keyCode?: number }, ended = false) =>
    box(page).evaluate(
      (area, [init, ended]) => {
        if (ended) area.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: "日本語" }));
        area.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...(init as object) }));
      },
      [init, ended] as const,
    );
  await enter({ isComposing: true });
  // As Safari tells it: the words are in, then comes the key that put them in.
  await enter({ isComposing: false, keyCode: 229 });
  await enter({ isComposing: false, keyCode: 13 }, true);
  await page.waitForTimeout(300);
  expect(sent).toBe(0);
  await expect(box(page)).toHaveValue("にほんご");
  await box(page).press("Enter");
  await expect.poll(() => sent).toBe(1);
});

test("a long paste stays whole, is counted, and is refused with a word", async ({ page }) => {
  await newPerson(page);
  await visit(page, await brought(page));
  let sent = 0;
  page.on("request", (request) => (sent += Number(request.url().includes("/fn/chat/send_message"))));
  await box(page).fill("x".repeat(7100));
  await expect(page.locator(".compose .count")).toHaveText("");
  await box(page).fill("x".repeat(7500));
  await expect(page.getByText("7,500 of 8,000")).toBeVisible();
  await box(page).fill("x".repeat(100_000));
  await expect(page.getByText("This message has 100,000 characters; the limit is 8,000.")).toBeVisible();
  await box(page).press("Enter");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.waitForTimeout(300);
  expect(sent).toBe(0);
  expect((await box(page).inputValue()).length).toBe(100_000);
  // It is there after a reload, too, and so is the word.
  await visit(page, page.url());
  await expect(page.getByText("This message has 100,000 characters; the limit is 8,000.")).toBeVisible();
  await box(page).fill("Short.");
  await expect(page.locator(".compose .count")).toHaveText("");
  await box(page).press("Enter");
  await expect.poll(() => sent).toBe(1);
});

test("a text of several messages is sent one after the other, kept as a file, or cut", async ({ page }) => {
  test.setTimeout(240_000);
  await newPerson(page);
  await visit(page, await brought(page));
  const text = ["First part.", "Second part.", "Third part."].map((start) => `${start} ${"word ".repeat(1000)}end.`);
  await box(page).fill(text.join("\n\n"));
  const choice = page.getByRole("group", { name: "This text is too long for one message" });
  await expect(choice.getByRole("button", { name: "Send as 3 messages" })).toBeVisible();
  await accessible(page);
  const [file] = await Promise.all([page.waitForEvent("download"), choice.getByRole("button", { name: "Save as text file" }).click()]);
  expect(file.suggestedFilename()).toBe("message.txt");
  await choice.getByRole("button", { name: "Keep the first 8,000 characters" }).click();
  await expect(choice).toHaveCount(0);
  expect((await box(page).inputValue()).length).toBeLessThanOrEqual(8000);
  await box(page).fill(text.join("\n\n"));
  await choice.getByRole("button", { name: "Send as 3 messages" }).click();
  // The next one waits for the reply, in sight; the page may go and come back.
  await expect(page.locator("article.mine", { hasText: "First part." })).toBeVisible();
  await page.reload();
  for (const start of ["Second part.", "Third part."]) {
    await expect(page.locator("article.mine", { hasText: start })).toBeVisible({ timeout: 90_000 });
  }
  await expect(box(page)).toHaveValue("");
  for (const start of ["First part.", "Second part.", "Third part."]) {
    await expect(page.locator("article.mine", { hasText: start })).toHaveCount(1);
  }
});

test("changes that were not saved are kept, said, and can be thrown away", async ({ page }) => {
  await newPerson(page);
  const talk = await brought(page);
  const notes = page.getByLabel("Instructions");
  await visit(page, `${talk}/notes`);
  await notes.fill("We are on a ferry.");
  await expect(page.getByText("Unsaved changes.")).toBeVisible();
  await page.getByRole("link", { name: /^Back to chat/ }).click();
  await expect(page).toHaveURL(new RegExp(`${talk}$`));
  await visit(page, `${talk}/notes`);
  await expect(notes).toHaveValue("We are on a ferry.");
  await expect(page.getByText("Unsaved changes from before are back.")).toBeVisible();
  await page.getByRole("button", { name: "Discard" }).click();
  await expect(notes).toHaveValue("");
  await notes.fill("We are on a train.");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Applies from the next reply.").first()).toBeVisible();
  await expect(page.getByText("Unsaved changes")).toHaveCount(0);
  await visit(page, `${talk}/notes`);
  await expect(notes).toHaveValue("We are on a train.");
  await expect(page.getByText("Unsaved changes")).toHaveCount(0);
  await alive(page);
});
