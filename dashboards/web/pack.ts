// What is done with built pages before a server takes them in: each file compressed once, as small as it goes, and the
// digest of what they are made of, by which `dashboards/build.rs` sees that they are the newest.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** Beside all in `src` but its tests; `dashboards/build.rs` has the same list. */
const SOURCES = ["index.html", "pack.ts", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"];
/** What does not become much smaller is sent as it is. */
const WORTH = 0.9;

export function pack(root: string): Plugin {
  return {
    name: "baseflow-pack",
    apply: "build",
    writeBundle({ dir }) {
      const dist = dir ?? join(root, "dist");
      for (const name of files(dist, "").filter((name) => /\.(html|js|css|svg|json|wasm)$/.test(name))) compress(join(dist, name));
      writeFileSync(join(dist, "made-of"), `${madeOf(root)}\n`);
      // git keeps the folder and nothing in it
      writeFileSync(join(dist, ".gitignore"), "*\n!.gitignore\n");
    },
  };
}

/** The digest of everything that the pages are made of. */
function madeOf(root: string): string {
  const sources = [...SOURCES, ...files(root, "src").filter((name) => !name.endsWith(".test.ts"))].sort();
  const digest = createHash("sha256");
  for (const source of sources) {
    const bytes = readFileSync(join(root, source));
    digest.update(`${source}\n${String(bytes.length)}\n`);
    digest.update(bytes);
  }
  return digest.digest("hex");
}

function compress(path: string): void {
  const bytes = readFileSync(path);
  const isText = !path.endsWith(".wasm");
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: isText ? 11 : 9,
    [constants.BROTLI_PARAM_MODE]: isText ? constants.BROTLI_MODE_TEXT : constants.BROTLI_MODE_GENERIC,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  keep(`${path}.br`, brotliCompressSync(bytes, { params }), bytes.length);
  keep(`${path}.gz`, gzipSync(bytes, { level: 9 }), bytes.length);
}

function keep(path: string, compressed: Buffer, length: number): void {
  if (compressed.length <= length * WORTH) writeFileSync(path, compressed);
}

/** Every file below `folder`, by its path below `root`, with `/` between. */
function files(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    return entry.isDirectory() ? files(root, path) : [path];
  });
}
