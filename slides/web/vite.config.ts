import { defineConfig } from "vite";

// One script and one style sheet, as classic files: the same ones are served by the stage and opened from a folder,
// where browsers load no modules. Mermaid, which is ten times as big, is a file of its own that decks with diagrams
// load.
export default defineConfig({
  base: "./",
  publicDir: "public",
  build: {
    outDir: "dist/app",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1024,
    cssCodeSplit: false,
    rolldownOptions: {
      input: "src/main.ts",
      output: {
        format: "iife",
        entryFileNames: "app/main.js",
        assetFileNames: "app/[name][extname]",
      },
    },
  },
});
