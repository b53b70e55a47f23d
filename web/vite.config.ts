import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// The pages are embedded in the gateway: everything comes from its own address, nothing from another host.
export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    // The console's content policy forbids inline code and data: scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": "http://localhost:8080" } },
  test: { include: ["src/**/*.test.ts"] },
});
