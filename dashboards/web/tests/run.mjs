// Compiles the pure core with its tests and runs them with Node's own runner: no test framework.

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const built = join(root, "node_modules/.cache/tests");

function run(program, ...args) {
  const { status } = spawnSync(program, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

rmSync(built, { recursive: true, force: true });
run(process.execPath, join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.test.json");
const tests = readdirSync(built, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.js"))
  .map((name) => relative(root, join(built, name)));
run(process.execPath, "--test", "--enable-source-maps", ...process.argv.slice(2), ...tests.sort());
