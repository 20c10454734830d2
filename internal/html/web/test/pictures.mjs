// Opens pages in Chromium and holds them against reports, in the manner of someone who looks at them. Usage:
// node pictures.mjs PLAN.json, where PLAN is
//   { "chromium": PATH, "shots": FOLDER, "pages": [{ "name", "url", "served", "dark", "advice", "reports": [{ "moment", "kind", "function", "stack" }] }] }
// and kind, function and stack are what `vmblame report --json --by …` prints. Prints a line for everything that is wrong, and then what it
// has seen.
import { chromium } from 'playwright-core'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { printable, together } from '../src/format.js'
import { GUTTER, RIGHT } from '../src/timeline.js'

const plan = JSON.parse(readFileSync(process.argv[2]))
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
let wrong = 0
let name = ''
const fail = (text) => {
  wrong++
  console.log(`${name}: ${text}`)
}
const hold = (what, got, want) => {
  if (JSON.stringify(got) !== JSON.stringify(want)) fail(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`)
}

const browser = await chromium.launch({ executablePath: plan.chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] })

async function look(page, p) {
  const seen = await numbers(page, p)
  const answers = p.served ? await served(page) : ''
  await keys(page)
  if (!p.served) await pointer(page)
  await unseen(page)
  await names(page)
  await search(page)
  await growth(page)
  await appearance(page)
  await language(page)
  const judged = await access(page, p)
  await policy(page)
  const frame = await speed(page)
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime)
  console.log(`${name}: ${seen} numbers as in the reports, axe has judged ${judged} views, first paint after ${Math.round(paint)} ms, ready after ${Math.round(await page.evaluate(() => window.vmblame.readyAt))} ms, ${frame.toFixed(1)} ms from frame to frame while scrubbing${answers}`)
  if (plan.shots) await shots(page)
}

const moment = (page) => page.getAttribute('#verdict [data-moment]', 'data-moment')
const totals = (page) => page.$$eval('#verdict [data-total]', (list) => list.map((e) => (e.dataset.bytes === undefined ? null : +e.dataset.bytes)))
const legend = (page) => page.$$eval('.legend li', (list) => list.map((e) => [e.querySelector('.name').textContent, +(e.dataset.bytes ?? 0)]))

// Every total, every kind, every function and the first calls of the tree, at each moment that there is a report of.
async function numbers(page, p) {
  let seen = 0
  const choose = (group) => page.check(`input[name=group][value=${group}]`, { force: true })
  for (const r of p.reports) {
    const pid = await page.evaluate(() => window.vmblame.pid())
    const of = (report) => report.processes.find((x) => x.pid === pid)
    if (!of(r.kind)) continue
    await page.evaluate((m) => window.vmblame.go(m), r.moment)
    hold('the moment', await moment(page), r.moment)
    const total = of(r.kind).total
    hold(`${r.moment}: addresses, usable, in memory`, (await totals(page)).slice(0, 3), [total.reserved, total.committed, total.resident])
    const moved = ['gave_back', 'brought'].map((column) => together(of(r.kind).advised ?? [], column))
    hold(`${r.moment}: given back, brought in`, await page.$$eval('#verdict [data-total]', (list) => list.slice(3).map((e) => +e.dataset.bytes)), !p.advice ? [] : moved[1] ? moved : moved.slice(0, 1))
    if (r.moment === 'end') seen += await advice(page, p, of(r.kind).advised ?? [])
    await choose('kind')
    const shown = (await legend(page)).map(([, n]) => n)
    const rows = of(r.kind).holders.map((x) => x.reserved)
    hold(`${r.moment}: all kinds together`, shown.reduce((a, b) => a + b, 0), rows.reduce((a, b) => a + b, 0))
    const single = (await legend(page)).filter(([text]) => !text.startsWith('others')).map(([, n]) => n).filter((n) => n)
    for (const n of single) if (!rows.includes(n)) fail(`${r.moment}: a kind of ${n} bytes, the report has ${rows}`)
    await choose('owner')
    for (const [text, n] of (await legend(page)).filter(([text, n]) => n && !text.startsWith('others'))) hold(`${r.moment}: ${text}`, n, of(r.function).holders.find((x) => printable(x.label) === text)?.reserved)
    await choose('kind')
    for (const measure of ['addresses', 'usable', 'resident']) {
      const column = { addresses: 'reserved', usable: 'committed', resident: 'resident' }[measure]
      const outer = {}
      for (const row of of(r.stack).holders) if (row[column]) outer[printable(row.calls[0])] = (outer[printable(row.calls[0])] ?? 0) + row[column]
      hold(`${r.moment}: calls by ${measure}`, await page.evaluate((m) => Object.fromEntries(window.vmblame.tree(m).sort()), measure), Object.fromEntries(Object.entries(outer).sort()))
      seen += Object.keys(outer).length
    }
    await page.click('#tab-mappings')
    hold(`${r.moment}: the table`, await page.$eval('.panel .note', (e) => [+e.dataset.rows, +e.dataset.bytes]), [total.mappings, total.reserved])
    await page.click('#tab-space')
    seen += 4 + single.length
    // A line of what is in memory that leaves something out says so.
    const line = await page.textContent('.key')
    if (!line.includes('each snapshot') && total.uncounted && total.uncounted * 2 <= total.committed && !line.includes('in memory, at least')) fail(`${r.moment}: ${total.uncounted} bytes were not counted, and the line is of all that is in memory: ${line}`)
  }
  return seen
}

// What calls of madvise did stands over the picture, all of it together, and in a table of its own, row by row.
async function advice(page, p, rows) {
  hold('the tab of what was given back', (await page.$$('#tab-advice')).length, p.advice ? 1 : 0)
  if (!p.advice) return 0
  const marks = await page.$$eval('.marks .moved', (list) => list.map((e) => ({ gave_back: +e.dataset.gave, brought: +e.dataset.brought })))
  const want = ['gave_back', 'brought'].map((column) => together(rows, column))
  hold('the marks, all together', ['gave_back', 'brought'].map((column) => together(marks, column)), want)
  if (!want[0] || !marks.length) fail('nothing was given back')
  for (const group of ['steps', 'time']) {
    await page.check(`input[name=axis][value=${group}]`, { force: true })
    const [first, last] = await page.$$eval('.marks .moved', (list) => [list[0], list[list.length - 1]].map((e) => e.getBoundingClientRect()).map((b) => [b.left, b.right]))
    if (first[0] < 0 || last[1] > 1440) fail(`the marks reach from ${first[0]} to ${last[1]}`)
  }
  await page.click('.marks .moved')
  hold('the tab that a mark opens', await page.getAttribute('#tab-advice', 'aria-selected'), 'true')
  hold('what the tab has of all', await page.$eval('.panel .verdict', (e) => [+e.dataset.gave, +e.dataset.brought]), want)
  const cells = await page.$$eval('.panel tbody tr', (list) => list.map((e) => [...[0, 1, 2].map((i) => +e.children[i].dataset.bytes), ...[3, 4].map((i) => +e.children[i].textContent.replace(/,/g, '')), ...[5, 6, 7].map((i) => e.children[i].textContent)]))
  hold('the rows of what was given back', cells, rows.map((x) => [x.gave_back, x.brought, x.bytes, x.times, x.failed ?? 0, x.advice, x.where ?? '', (x.who ?? []).join(' < ')]))
  await page.click('#tab-space')
  return 2 + 8 * rows.length
}

// A server tells everything that happened at an address, and has more moments.
async function served(page) {
  const spot = await page.evaluate(() => window.vmblame.spot())
  await page.locator('.space .picture').scrollIntoViewIfNeeded()
  await page.locator('.space .picture').click({ position: { x: spot.x, y: spot.y } })
  const began = performance.now()
  await page.waitForSelector('.biography .steps.exact li')
  const told = performance.now() - began
  if (!(await page.textContent('.biography .steps')).includes('mapped')) fail(`the biography has no step: ${await page.textContent('.biography .steps')}`)
  await page.click('.biography .close')
  const before = await page.evaluate(() => window.vmblame.course().length)
  await page.keyboard.press('Home')
  for (let i = 0; i < 12; i++) await page.keyboard.press('PageDown')
  const asked = performance.now()
  await page.click('.closer')
  await page.waitForSelector('.all')
  const read = performance.now() - asked
  await page.click('.all')
  await page.waitForSelector('.all', { state: 'detached' })
  hold('moments, all of them again', await page.evaluate(() => window.vmblame.course().length), before)
  return `, a history after ${Math.round(told)} ms, more moments after ${Math.round(read)} ms`
}

async function keys(page) {
  const last = await page.evaluate(() => +document.querySelector('[role=slider]').getAttribute('aria-valuemax'))
  const at = () => page.evaluate(() => +document.querySelector('[role=slider]').getAttribute('aria-valuenow'))
  await page.focus('[role=slider]')
  await page.keyboard.press('Home')
  hold('Home', await at(), 0)
  hold('the moment after Home', await moment(page), 'start')
  await page.keyboard.press('ArrowRight')
  hold('the arrow to the right', await at(), Math.min(1, last))
  await page.keyboard.press('End')
  hold('End', await at(), last)
  await page.keyboard.press('ArrowLeft')
  hold('the arrow to the left', await at(), Math.max(last - 1, 0))
  await page.keyboard.press('p')
  const [most] = await totals(page)
  const all = await page.evaluate(() => Math.max(...window.vmblame.course()))
  hold('p goes to the peak', most, all)
  if (!/\d/.test(await page.getAttribute('[role=slider]', 'aria-valuetext'))) fail('the slider does not say its moment')
  await page.keyboard.press('Home')
  await page.keyboard.press(' ')
  if (last > 0) await page.waitForFunction(() => document.querySelector('[role=slider]').getAttribute('aria-valuenow') !== '0')
  await page.evaluate(() => window.vmblame.stop())
  await page.keyboard.press('End')
  // From tab to tab, and in the address space from mapping to mapping.
  await page.focus('#tab-space')
  await page.keyboard.press('ArrowRight')
  hold('the tab after the first', await page.evaluate(() => document.activeElement.id), 'tab-flame')
  if (!(await page.$('.flames svg g'))) fail('the flame graph is empty')
  await page.focus('.flames svg g')
  await page.keyboard.press('Enter')
  await page.focus('#tab-flame')
  await page.keyboard.press('ArrowLeft')
  await page.focus('.space .picture')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowUp')
  if (!(await page.textContent('.space .unseen'))) fail('the address space does not say which mapping is chosen')
  await page.keyboard.press('Enter')
  if (!(await page.$('.biography .steps li'))) fail('Enter in the address space tells no biography')
  await page.click('.biography .close')
  await page.keyboard.press('/')
  hold('/ goes to the search', await page.evaluate(() => document.activeElement.type), 'search')
  await page.evaluate(() => document.activeElement.blur())
}

async function pointer(page) {
  const chart = await page.locator('.chart').boundingBox()
  await page.mouse.move(chart.x + 110, chart.y + 80)
  await page.mouse.down()
  await page.mouse.move(chart.x + chart.width / 2, chart.y + 80, { steps: 5 })
  await page.mouse.up()
  const middle = await page.evaluate(() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(+document.querySelector('[role=slider]').getAttribute('aria-valuenow'))))))
  const want = await page.evaluate((f) => window.vmblame.nearest(f), (chart.width / 2 - 96) / (chart.width - 108))
  hold('dragging in the middle', middle, want)
  await page.keyboard.press('End')
  // The largest mapping is hit where it is drawn.
  const spot = await page.evaluate(() => window.vmblame.spot())
  await page.locator('.space .picture').scrollIntoViewIfNeeded()
  const canvas = await page.locator('.space .picture').boundingBox()
  await page.mouse.move(canvas.x + spot.x, canvas.y + spot.y)
  await page.waitForSelector('.tip:not([hidden])')
  if (!(await page.textContent('.tip')).includes(spot.start)) fail(`the tip says ${await page.textContent('.tip')}, want ${spot.start}`)
  await page.mouse.click(canvas.x + spot.x, canvas.y + spot.y)
  await page.waitForSelector('.biography dl')
  if (!(await page.textContent('.biography dl')).includes(spot.start)) fail(`the biography is not that of ${spot.start}`)
  const steps = await page.$$eval('.biography .steps li button', (list) => list.length)
  if (steps) await page.click('.biography .steps li button')
  await page.keyboard.press('End')
  // A part of the height, and back.
  await page.mouse.move(canvas.x + 300, canvas.y + 100)
  await page.mouse.down()
  await page.mouse.move(canvas.x + 300, canvas.y + 200, { steps: 3 })
  await page.mouse.up()
  await page.mouse.dblclick(canvas.x + 300, canvas.y + 150)
  await page.mouse.move(0, 0)
}

// Names may be any: none changes how what is beside it is read.
async function names(page) {
  for (const tab of await page.$$eval('[role=tab]', (list) => list.map((e) => e.id))) {
    await page.click('#' + tab)
    const text = await page.evaluate(() => [document.title, document.body.innerText, ...[...document.querySelectorAll('[aria-label], [title]')].map((e) => `${e.title} ${e.getAttribute('aria-label')}`)].join(' '))
    const bad = /[^\p{L}\p{M}\p{N}\p{P}\p{S}\s\u00a0]|[\u2028\u2029]/u.exec(text)
    if (bad) fail(`${tab}: a name is shown as it is: ${escape(text.slice(Math.max(bad.index - 20, 0), bad.index + 20))}`)
    if (/\\n/.test(text) && !/new\\nline/.test(text)) fail(`${tab}: a line ends in the midst of a text: ${text.slice(text.indexOf('\\n') - 40).slice(0, 80)}`)
  }
  await page.click('#tab-space')
}

// What came and went between two moments is told of, and shown when it was.
async function unseen(page) {
  const all = await page.evaluate(() => window.vmblame.unseen())
  const told = await page.$eval('.hidden-ones', (e) => (e.hidden ? 0 : +e.dataset.unseen))
  hold('what is not drawn', told, all.reduce((a, b) => a + b, 0))
  if (!told) return
  const light = await page.$eval('.strip', (strip, [left, right]) => {
    const { app } = window.vmblame
    const g = strip.getContext('2d')
    const ratio = strip.width / strip.clientWidth
    const inner = strip.clientWidth - left - right
    const ink = (k) => g.getImageData((left + Math.floor(app.state.axis.fraction(Math.max(k - 1, 0)) * inner) + 0.5) * ratio, strip.height / 2, 1, 1).data[3]
    return window.vmblame.unseen().flatMap((n, k) => (n && !ink(k) ? [k] : []))
  }, [GUTTER, RIGHT])
  if (light.length) fail(`the strip of what is not drawn is empty at the moments ${light}`)
  await page.keyboard.press('Home')
  for (let i = 0; i < all.length && !(await page.evaluate((i) => window.vmblame.unseen()[i], i)); i++) await page.keyboard.press('ArrowRight')
  if (!/\d .*(came and went)/.test(await page.textContent('.space .note'))) fail(`the note says ${await page.textContent('.space .note')}`)
  await page.keyboard.press('End')
}

async function search(page) {
  await page.click('#tab-mappings')
  const all = +(await page.$eval('.panel .note', (e) => e.dataset.rows))
  const word = await page.evaluate(() => window.vmblame.word())
  await page.fill('input[type=search]', word)
  const found = +(await page.$eval('.panel .note', (e) => e.dataset.rows))
  const lines = await page.$$eval('.rows .row', (list) => list.map((e) => e.textContent + [...e.children].map((c) => c.title).join(' ')))
  if (!found || found > all || !lines.length) fail(`the search for ${word} finds ${found} of ${all}`)
  for (const l of lines) if (!l.toLowerCase().includes(word.toLowerCase())) fail(`the search for ${word} finds ${l}`)
  await page.fill('input[type=search]', 'no such thing')
  hold('what is found of nothing', await page.$eval('.panel .note', (e) => e.dataset.rows), '0')
  await page.fill('input[type=search]', '')
  hold('what is found of everything', +(await page.$eval('.panel .note', (e) => e.dataset.rows)), all)
  // By size, the largest first; then by the keyboard to the second.
  await page.click('.row.head button >> nth=1')
  hold('the column that is sorted by', await page.getAttribute('[role=columnheader] >> nth=1', 'aria-sort'), 'descending')
  const sizes = await page.$$eval('.rows .row', (list) => list.map((e) => [+e.getAttribute('aria-rowindex'), +e.children[1].title.replace(/\D/g, '')]).sort((a, b) => a[0] - b[0]).map((x) => x[1]))
  if (sizes.some((n, i) => i && n > sizes[i - 1])) fail(`not in order of size: ${sizes}`)
  await page.focus('.grid')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  if (all > 1 && !(await page.$('.rows .row.chosen'))) fail('Enter in the table chooses no row')
  await page.click('.biography .close')
  // Far down, only what is seen is there.
  await page.$eval('.grid', (e) => (e.scrollTop = e.scrollHeight))
  if ((await page.$$('.rows .row')).length > 80) fail('the table holds more rows than are seen')
  await page.click('#tab-space')
}

// From the start to the end as much has grown as the totals say.
async function growth(page) {
  await page.click('#tab-growth')
  await page.keyboard.press('Home')
  const [before] = await totals(page)
  await page.keyboard.press('End')
  const [after] = await totals(page)
  hold('growth', +(await page.getAttribute('.panel .verdict', 'data-bytes')), after - before)
  await page.click('#tab-space')
}

const paper = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor)

async function appearance(page) {
  const light = await paper(page)
  await page.emulateMedia({ colorScheme: 'dark' })
  const dark = await paper(page)
  if (dark === light) fail('dark is as light')
  const theme = page.locator('.settings select').first()
  await theme.selectOption('light')
  hold('light where dark is asked for', await paper(page), light)
  await theme.selectOption('dark')
  await page.emulateMedia({ colorScheme: 'light' })
  hold('dark where light is asked for', await paper(page), dark)
  await theme.selectOption('automatic')
  hold('as the machine is', await paper(page), light)
}

async function language(page) {
  const tab = () => page.textContent('#tab-flame')
  const english = await tab()
  await page.locator('.settings select').last().selectOption('zh')
  hold('the language', await page.getAttribute('html', 'lang'), 'zh')
  if ((await tab()) === english || !/[\u4e00-\u9fff]/.test(await tab())) fail(`in Chinese the tab is ${await tab()}`)
  await page.locator('.settings select').last().selectOption('en')
  hold('English again', await tab(), english)
}

// What axe-core finds serious: of the whole page with its first tab open, then of what each other tab shows. In the dark, where that
// is asked for, only colours can be worse.
async function access(page, p) {
  let judged = 0
  // The page's policy forbids scripts of others in it: axe comes by the debugger.
  await page.evaluate(axe)
  const judge = async (tab, scheme, where, rules) => {
    const found = await page.evaluate(([w, r]) => window.axe.run(w, { resultTypes: ['violations'], preload: false, ...r }), [where, rules])
    for (const v of found.violations) if (v.impact === 'serious' || v.impact === 'critical') fail(`axe, ${tab}, ${scheme}: ${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.any.concat(n.all, n.none).map((c) => c.message).join('; ')}`).join(' | ')}`)
    judged++
  }
  const tabs = await page.$$eval('[role=tab]', (list) => list.map((e) => e.id))
  for (const scheme of p.dark ? ['light', 'dark'] : ['light']) {
    await page.emulateMedia({ colorScheme: scheme })
    for (const [i, tab] of tabs.entries()) {
      await page.click('#' + tab)
      await judge(tab, scheme, i ? '#panel' : 'html', scheme === 'dark' ? { runOnly: ['color-contrast'] } : {})
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.click('#tab-space')
  return judged
}

// The page's own policy forbids what would leave it.
async function policy(page) {
  const text = await page.getAttribute('meta[http-equiv=Content-Security-Policy]', 'content')
  if (!text.startsWith("default-src 'none'")) fail(`its policy is ${text}`)
  const refused = await page.evaluate(() => new Promise((done) => {
    document.addEventListener('securitypolicyviolation', (e) => done(e.violatedDirective), { once: true })
    const i = new Image()
    i.onerror = () => setTimeout(() => done('nothing'), 1000)
    i.src = 'https://vmblame.invalid/x.png'
  }))
  hold('what an image of another site is refused by', refused, 'img-src')
}

async function speed(page) {
  return page.evaluate(async () => {
    const slider = document.querySelector('[role=slider]')
    const times = []
    let last = performance.now()
    for (let i = 0; i < 30; i++) {
      slider.dispatchEvent(new KeyboardEvent('keydown', { key: i % 10 === 9 ? 'PageUp' : 'ArrowLeft', bubbles: true }))
      await new Promise((r) => requestAnimationFrame(r))
      times.push(performance.now() - last)
      last = performance.now()
    }
    return times.sort((a, b) => a - b)[15]
  })
}

async function shots(page) {
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme })
    for (const tab of await page.$$eval('[role=tab]', (list) => list.map((e) => e.dataset.tab))) {
      await page.click('#tab-' + tab)
      await page.screenshot({ path: `${plan.shots}/${name}-${tab}-${scheme}.png` })
    }
  }
}

for (const p of plan.pages) {
  name = p.name
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, locale: 'en-US', colorScheme: 'light' })
  const page = await context.newPage()
  page.setDefaultTimeout(plan.patience ?? 120000)
  const origin = p.url.startsWith('http') ? new URL(p.url).origin : 'file://'
  page.on('request', (r) => {
    const url = r.url()
    if (!url.startsWith(origin) && !url.includes('vmblame.invalid') && !url.startsWith('data:') && !url.startsWith('blob:')) fail(`it asks for ${url}`)
  })
  page.on('pageerror', (e) => fail(`an error: ${e.message}`))
  page.on('console', (m) => {
    if (m.type() === 'error' && !m.text().includes('vmblame.invalid')) fail(`the console says: ${m.text()}`)
  })
  await page.goto(p.url)
  await page.waitForSelector('html[data-ready]')
  await look(page, p)
  await context.close()
}
await browser.close()
console.log(wrong ? `${wrong} wrong` : 'all is well')
process.exit(wrong ? 1 : 0)
