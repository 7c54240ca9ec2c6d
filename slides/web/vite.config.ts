import { defineConfig } from "vite";

// One script and one style sheet for each page, as classic files: the same ones are served by the stage and opened from
// a folder, where browsers load no modules. Mermaid, which is ten times as big, is a file of its own that decks with
// diagrams load. The mode learn builds the page for learners beside the stage's, with the same fonts.
export default defineConfig(({ mode }) => {
  const learn = mode === "learn";
  return {
    base: "./",
    publicDir: "public",
    build: {
      outDir: "dist/app",
      emptyOutDir: !learn,
      target: "es2022",
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 1024,
      cssCodeSplit: false,
      rolldownOptions: {
        input: learn ? "src/learn/main.ts" : "src/main.ts",
        output: {
          format: "iife",
          entryFileNames: learn ? "app/learn.js" : "app/main.js",
          assetFileNames: (asset) => (learn && asset.names.some((n) => n.endsWith(".css")) ? "app/learn.css" : "app/[name][extname]"),
        },
      },
    },
  };
});
