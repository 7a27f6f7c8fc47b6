import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import { loadEnv } from 'vite';
import { defineConfig } from 'vitest/config';

const pages = '../src/genlock/web/built_pages';
const server = loadEnv('', '.', 'GENLOCK_')['GENLOCK_URL'] ?? 'http://127.0.0.1:8470';

export default defineConfig({
  plugins: [sveltekit({ adapter: adapter({ pages, assets: pages, fallback: 'index.html' }) })],
  build: { target: 'es2023' },
  server: { proxy: { '/api': server } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
