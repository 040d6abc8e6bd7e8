// Drives Chromium: a line of JSON on stdin is one request, a line on stdout its answer, {"value"} or {"error"}.
//   {"open": {…options of the context}}   a fresh profile with one tab; the value is its number
//   {"tab", "calls": [["getByRole", "button"], ["click"]], "until"}   calls of Playwright, one on what the other gave,
//       from the tab on; with `until` also an event of the tab is waited for: "load" gives the next page's HTTP status,
//       "download" a file's name
//   {"tab", "judge": {…options of axe}}   what is wrong with the page for people who cannot see or point well
//   {"close": tab}                        the value: what went wrong in the tab while nobody looked
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { stripVTControlCharacters } from 'node:util'
import { chromium } from 'playwright-core'

const PATIENCE_MS = 60_000
const NOWHERE = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost' // but to this machine
const TOLD_BY_STATUS = 'Failed to load resource: the server responded with a status of'
const GIVEN_UP = 'net::ERR_ABORTED' // by the browser, which left the page
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const browser = await chromium.launch({ executablePath: process.argv[2], timeout: PATIENCE_MS, args: [NOWHERE] })
const tabs = []

async function open(options) {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  const tab = { context, page, status: null, wrong: [] }
  const note = (...words) => tab.wrong.push(words.join(' '))
  page.on('console', (said) => {
    if (['error', 'warning'].includes(said.type()) && !said.text().startsWith(TOLD_BY_STATUS)) note(said.text())
  })
  page.on('pageerror', (error) => note(String(error)))
  page.on('dialog', (dialog) => { note('dialog:', dialog.message()); dialog.dismiss() })
  page.on('requestfailed', (request) => {
    const { errorText } = request.failure()
    if (errorText !== GIVEN_UP) note(request.url(), errorText)
  })
  page.on('response', (response) => {
    const request = response.request()
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) tab.status = response.status()
    else if (response.status() >= 400) note(response.url(), response.status())
  })
  return tabs.push(tab) - 1
}

async function call({ page }, calls) {
  let on = page
  for (const [name, ...given] of calls) on = await (typeof on[name] === 'function' ? on[name](...given) : on[name])
  return typeof on === 'object' && !Array.isArray(on) ? null : on
}

async function callUntil(tab, calls, event) {
  const [happened] = await Promise.all([tab.page.waitForEvent(event), call(tab, calls)])
  return event === 'download' ? happened.suggestedFilename() : tab.status
}

async function judge({ page }, options) {
  await page.evaluate(AXE)
  return page.evaluate(async (given) => {
    const { violations } = await axe.run({ resultTypes: ['violations'], preload: false, ...given })
    return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html, failureSummary }) => ({ id, help, html, failureSummary })))
  }, options)
}

async function close({ context, wrong }) {
  await context.close()
  return wrong
}

async function answer(asked) {
  if (asked.open) return open(asked.open)
  if (asked.close !== undefined) return close(tabs[asked.close])
  const tab = tabs[asked.tab]
  if (asked.judge) return judge(tab, asked.judge)
  return asked.until ? callUntil(tab, asked.calls, asked.until) : call(tab, asked.calls)
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = await answer(JSON.parse(line)).then((value) => ({ value: value ?? null }), (error) => ({ error: stripVTControlCharacters(String(error)) }))
  process.stdout.write(JSON.stringify(said) + '\n')
}
await browser.close()
