// Cuts typefaces: `node fonts.mjs ORDERS.json`, a list of {source, target, ranges, weights, features}. Letters that a
// typeface does not have are no error; a file without any of them is.
import { createRequire } from "node:module";
import { readFile, rename, writeFile } from "node:fs/promises";

const subset = createRequire(new URL("../end2end/package.json", import.meta.url))("subset-font");

for (const { source, target, ranges, weights, features } of JSON.parse(await readFile(process.argv[2]))) {
  let letters = "";
  for (const [first, last] of ranges) {
    for (let letter = first; letter <= last; letter++) letters += String.fromCodePoint(letter);
  }
  const [min, max = min] = weights;
  const cut = await subset(await readFile(source), letters, {
    targetFormat: "woff2",
    variationAxes: { wght: min === max ? min : { min, max } },
    keepFeatures: features,
  });
  if (cut.length < 1024) throw new Error(`${target} would be empty`);
  await writeFile(`${target}.part`, cut);
  await rename(`${target}.part`, target);
  console.log(`${target}: ${cut.length}`);
}
