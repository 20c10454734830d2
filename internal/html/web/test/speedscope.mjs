// Opens a profile in speedscope, as it is installed here, and prints what it has made of it: node speedscope.mjs CHROMIUM PROFILE gives
//   { "title", "listed": [[PROFILE, TOTAL]], "shown": [[SELF, SYMBOL]], "profiles": [{ "name", "unit", "total", "self": { FRAME: NUMBER } }] }
// where listed are the profiles that it offers, shown the first lines of its view Sandwich, and profiles what it exports after it has
// imported them.
import { chromium } from 'playwright-core'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const [, , executablePath, profile] = process.argv
const app = join(dirname(createRequire(import.meta.url).resolve('speedscope/package.json')), 'dist/release/index.html')
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } })
  page.setDefaultTimeout(120000)
  page.on('pageerror', (e) => console.error(`an error: ${e.message}`))
  page.on('console', (m) => m.type() === 'error' && console.error(`the console says: ${m.text()}`))
  await page.goto('file://' + app)
  await page.setInputFiles('#file', profile)
  await page.getByText('Export').waitFor()
  await page.keyboard.press('3')
  await page.getByText('Symbol Name').waitFor()
  const lines = await page.$$eval('tr', (rows) => rows.map((r) => [...r.children].map((c) => c.innerText.trim()).slice(1)).filter((r) => r.length === 2))
  const [listed, shown] = ['Total Weight', 'Symbol Name'].map((title) => lines.findIndex((r) => r[1] === title)).map((i) => lines.slice(i + 1)).map((rest) => {
    const next = rest.findIndex((r) => r[1] === 'Symbol Name')
    return next < 0 ? rest : rest.slice(0, next)
  })
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Export').click()])
  const exported = JSON.parse(readFileSync(await download.path()))
  const profiles = exported.profiles.map((p) => {
    const self = {}
    const open = []
    let last = p.startValue
    for (const e of p.events) {
      if (e.at > last) {
        const name = exported.shared.frames[open.at(-1)].name
        self[name] = (self[name] ?? 0) + e.at - last
      }
      last = e.at
      if (e.type === 'O') open.push(e.frame)
      else open.pop()
    }
    return { name: p.name, unit: p.unit, total: p.endValue - p.startValue, self }
  })
  console.log(JSON.stringify({ title: await page.title(), listed, shown, profiles }))
} finally {
  await browser.close()
}
