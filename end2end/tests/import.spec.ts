import { deflateSync } from "node:zlib";
import { accessible, expect, fits, freshName, newPerson, test, visit } from "./helpers";

/** CRC-32 of a chunk of a PNG. */
function crc(bytes: Buffer): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return (sum ^ 0xffffffff) >>> 0;
}

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** A picture of one colour with a card in it. */
function picture(card: object): Buffer {
  const side = 64;
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(side * 3, Buffer.from([160, 40, 90]))]);
  const text = Buffer.concat([Buffer.from("chara\0"), Buffer.from(Buffer.from(JSON.stringify(card)).toString("base64"))]);
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(Buffer.concat(Array(side).fill(row)))),
    chunk("tEXt", text),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function card(name: string) {
  return {
    spec: "chara_card_v2",
    spec_version: "2.0",
    data: {
      name,
      description: "{{char}} keeps the lamp at the end of the pier.",
      personality: "Patient.",
      scenario: "",
      first_mes: "You are early.",
      mes_example: "<START>\n{{user}}: Is it late?\n{{char}}: The tide says no.",
      alternate_greetings: ["You are late."],
      tags: ["sea"],
      creator_notes: "Best at night.",
      extensions: { "somebody/else": { kept: true } },
      character_book: { entries: [{ keys: ["pier"], content: "The pier is old.", enabled: true, insertion_order: 1 }] },
    },
  };
}

const file = (name: string, mimeType: string, buffer: Buffer) => ({ name, mimeType, buffer });

test("many files are imported, and a bad one stops nobody", async ({ page }) => {
  await newPerson(page);
  await visit(page, "/characters/mine");
  await page.getByRole("link", { name: "Import", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Import characters");
  await accessible(page);
  await fits(page);
  const [first, second] = [freshName("Pia"), freshName("Juno")].map((n) => n.replaceAll("_", " "));
  await page.getByLabel("Files").setInputFiles([
    file("pia.png", "image/png", picture(card(first))),
    file("broken.png", "image/png", Buffer.from("89504e470d0a1a0a00", "hex")),
    file("juno.json", "application/json", Buffer.from(JSON.stringify(card(second)))),
  ]);
  await page.getByRole("button", { name: "Import" }).click();
  await expect(page.getByRole("status").filter({ hasText: "imported" })).toHaveText("2 characters imported, 1 failed.");
  const report = page.locator("article", { hasText: first });
  await expect(report).toContainText("pia.png, PNG, Character Card V2");
  await report.getByText("Kept for export only").click();
  await expect(report).toContainText("character_book");
  await expect(page.locator("article", { hasText: "broken.png" })).toContainText("cut off");
  await accessible(page);
  await fits(page);
  await report.getByRole("link", { name: first }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(first);
  await expect(page.getByText("This is a draft.")).toBeVisible();
  await expect(page.getByText("{{char}}")).toHaveCount(0);
});

test("a card is pasted, and its export is imported again", async ({ page }) => {
  await newPerson(page);
  const name = freshName("Ilse").replaceAll("_", " ");
  await visit(page, "/characters/import");
  await page.getByLabel("Or paste a card").fill(JSON.stringify(card(name)));
  await page.getByRole("button", { name: "Import" }).click();
  await page.getByRole("link", { name, exact: true }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  await page.getByText("Export", { exact: true }).click();
  const link = page.getByRole("link", { name: "PNG card" });
  const exported = await page.request.get((await link.getAttribute("href")) ?? "");
  expect(exported.status()).toBe(200);
  expect(exported.headers()["content-type"]).toBe("image/png");
  const bytes = await exported.body();
  await visit(page, "/characters/import");
  await page.getByLabel("Files").setInputFiles([file("again.png", "image/png", bytes)]);
  await page.getByRole("button", { name: "Import" }).click();
  await expect(page.locator("article")).toContainText("You have a character called");
});

test("nothing chosen is said, and visitors are led to the door", async ({ page }) => {
  await visit(page, "/characters/import");
  await expect(page).toHaveURL(/\/sign-up\?next=/);
  await newPerson(page);
  await visit(page, "/characters/import");
  await page.getByRole("button", { name: "Import" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "Please choose a file first" })).toBeVisible();
  await page.getByLabel("Or paste a card").fill('{"hello": "world"}');
  await page.getByRole("button", { name: "Import" }).click();
  await expect(page.getByRole("status").filter({ hasText: "imported" })).toHaveText("None of 1 imported.");
});
