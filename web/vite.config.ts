import process from 'node:process';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// `QUADRAT_SERVER=http://127.0.0.1:8000 node_modules/vite/bin/vite.js` serves the sources beside a running server.
const server = process.env.QUADRAT_SERVER ?? 'http://127.0.0.1:8000';
const proxied = ['/ui/api', '/v2.1', '/v1', '/api', '/v2', '/files'];

export default defineConfig({
  base: '/ui/',
  plugins: [svelte()],
  build: {
    outDir: '../src/quadrat/webui',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: Object.fromEntries(proxied.map((path) => [path, { target: server, changeOrigin: false }])) },
  test: { include: ['test/**/*.test.ts'] },
});
