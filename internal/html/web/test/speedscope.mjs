// Opens files in speedscope, as it is installed here, and prints what it has made of them: node speedscope.mjs CHROMIUM FILE ... gives, for each,
//   { "title", "listed": [[PROFILE, TOTAL]], "shown": [[SELF, SYMBOL]], "profiles": [{ "name", "unit", "total", "self": { FRAME: NUMBER } }] }
// where listed are the profiles that it offers, shown the first lines of its view Sandwich, and profiles what it exports after it has
// imported them.
import { chromium } from 'playwright-core'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const [, , executablePath, ...files] = process.argv
const app = join(dirname(createRequire(import.meta.url).resolve('speedscope/package.json')), 'dist/release/index.html')
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
const open = async (file) => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } })
  page.setDefaultTimeout(120000)
  page.on('pageerror', (e) => console.error(`an error: ${e.message}`))
  page.on('console', (m) => m.type() === 'error' && console.error(`the console says: ${m.text()}`))
  await page.goto('file://' + app)
  await page.setInputFiles('#file', file)
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
    const stack = []
    let last = p.startValue
    for (const e of p.events) {
      if (e.at > last) {
        const name = exported.shared.frames[stack.at(-1)].name
        self[name] = (self[name] ?? 0) + e.at - last
      }
      last = e.at
      if (e.type === 'O') stack.push(e.frame)
      else stack.pop()
    }
    return { name: p.name, unit: p.unit, total: p.endValue - p.startValue, self }
  })
  const title = await page.title()
  await page.close()
  return { title, listed, shown, profiles }
}
try {
  const answers = []
  for (const file of files) answers.push(await open(file))
  console.log(JSON.stringify(answers))
} finally {
  await browser.close()
}
