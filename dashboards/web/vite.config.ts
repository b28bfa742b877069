// How the pages are built: assets named by their digest, nothing inline, nothing from elsewhere.

import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

import { pack } from "./pack.ts";

/** Where `npm run dev` finds a server that answers the API. */
const server = process.env["BASEFLOW_SERVER"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/",
  plugins: [pack(fileURLToPath(new URL(".", import.meta.url)))],
  build: {
    // the oldest browsers that are served: Chrome, Edge and 360 from 100, Safari from 15.4
    target: ["chrome100", "safari15.4"],
    cssTarget: ["chrome100", "safari15.4"],
    // a page's policy allows neither inline scripts nor `data:` addresses
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": { target: server, changeOrigin: true } } },
});
