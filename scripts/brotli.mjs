// Writes FILE.br and FILE.gz beside every compressible file below a folder, unless they are there and newer.
// The server sends them as they are: nobody waits for the highest compression level but the build.
import { readdir, readFile, stat, writeFile, rename } from "node:fs/promises";
import { brotliCompress, gzip, constants } from "node:zlib";
import { extname, join } from "node:path";
import { promisify } from "node:util";

const compressible = new Set([".css", ".html", ".js", ".json", ".svg", ".txt", ".wasm", ".webmanifest", ".xml"]);

async function fresh(file, from) {
  try {
    return (await stat(file)).mtimeMs >= from;
  } catch {
    return false;
  }
}

async function compress(file) {
  const { mtimeMs, size } = await stat(file);
  if (size < 512 || ((await fresh(`${file}.br`, mtimeMs)) && (await fresh(`${file}.gz`, mtimeMs)))) return;
  const bytes = await readFile(file);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(bytes, { params }),
    promisify(gzip)(bytes, { level: 9 }),
  ]);
  for (const [end, data] of [["br", br], ["gz", gz]]) {
    await writeFile(`${file}.${end}.part`, data);
    await rename(`${file}.${end}.part`, `${file}.${end}`);
  }
}

const entries = await readdir(process.argv[2], { recursive: true, withFileTypes: true });
await Promise.all(
  entries
    .filter((entry) => entry.isFile() && compressible.has(extname(entry.name)))
    .map((entry) => compress(join(entry.parentPath ?? entry.path, entry.name))),
);
