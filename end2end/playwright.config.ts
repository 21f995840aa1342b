import { defineConfig, devices } from "@playwright/test";

/**
 * Every spec runs twice: hydrated, and with JavaScript off. What cannot work without it (streaming, search as you type)
 * lives in `*.hydrate.spec.ts`; what is only shown without it in `*.plain.spec.ts`.
 *
 * `make test` starts a fresh server and gives its address as BASE_URL and the browser's program as CHROMIUM.
 */
const root = process.getuid?.() === 0;

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results",
  timeout: 90_000,
  expect: { timeout: 15_000 },
  // A second attempt that passes is counted as passed and reported as flaky.
  retries: 1,
  workers: 2,
  fullyParallel: false,
  forbidOnly: true,
  use: {
    baseURL: process.env.BASE_URL ?? "http://127.0.0.1:3000",
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM || undefined,
      args: [
        // Chromium's sandbox needs a user other than root.
        ...(root ? ["--no-sandbox"] : []),
        "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "hydrated", testIgnore: /\.plain\.spec\.ts$/, use: { ...devices["Desktop Chrome"] } },
    {
      name: "no-js",
      testIgnore: /\.hydrate\.spec\.ts$/,
      use: { ...devices["Desktop Chrome"], javaScriptEnabled: false },
    },
  ],
});
