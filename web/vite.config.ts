import process from 'node:process';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// `QUADRAT_SERVER=http://127.0.0.1:8000 node_modules/vite/bin/vite.js` serves the sources beside a running server.
const server = process.env.QUADRAT_SERVER ?? 'http://127.0.0.1:8000';
const proxied = ['/ui/api', '/v2.1', '/v1', '/api', '/v2', '/files'];

// Svelte wraps what it gives custom properties to in an element with an inline style, which the content policy forbids;
// `app.css` says the same.
const wrapperWithoutStyle: Plugin = {
  name: 'wrapper-without-style',
  enforce: 'post',
  transform: (code) => (code.includes('<svelte-css-wrapper style=') ? code.replaceAll('<svelte-css-wrapper style="display: contents">', '<svelte-css-wrapper>') : null),
};

export default defineConfig({
  base: '/ui/',
  plugins: [svelte(), wrapperWithoutStyle],
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
