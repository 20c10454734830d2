import { Log, MEASURES, GROUPS } from './model.js'
import { Words, preferred } from './words.js'
import { Axis, crowded } from './axis.js'
import { Palette } from './palette.js'
import { h, choice, perFrame } from './dom.js'
import { number, size, when, shown } from './format.js'
import { timeline } from './timeline.js'
import { space } from './space.js'
import { flame } from './flame.js'
import { table } from './table.js'
import { biography } from './biography.js'
import { threads, growth, failed, advice, difference } from './lists.js'

// The page: its state, the controls, and the pictures, each of which draws itself anew (draw) or shows another moment
// (show).

async function read() {
  const text = document.getElementById('value').textContent
  let body
  if (text) {
    body = new Blob([bytesOf(text)]).stream()
  } else body = (await fetch('value')).body
  return unpacked(body)
}

async function unpacked(body) {
  return shown(await new Response(body.pipeThrough(new DecompressionStream('gzip'))).json())
}

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64)
  const text = atob(base64)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

const saved = (name, otherwise) => {
  try {
    return localStorage.getItem('vmblame ' + name) ?? otherwise
  } catch {
    return otherwise // a page from a file may have no storage
  }
}
const save = (name, value) => {
  try {
    localStorage.setItem('vmblame ' + name, value)
  } catch {
    // as above
  }
}

function theme(value) {
  if (value === 'automatic') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = value
}

class App {
  constructor(page, language) {
    this.page = page
    this.words = new Words(language)
    this.t = (text) => this.words.t(text)
    document.documentElement.lang = language
    this.logs = page.logs.map((v) => new Log(v))
    this.state = { side: 0, log: this.logs[0], process: 0, at: 0, measure: 'addresses', group: 'kind', only: null, query: '', chosen: null, from: 0, axis: null, palette: null, mode: null }
    this.scrub = perFrame((at) => this.moment(at))
    this.select(0)
  }

  // Shows another log, or another process of it.
  select(side, process) {
    const log = this.logs[side]
    const s = { side, log, process: process ?? log.largest(), only: null, chosen: null, from: 0 }
    const times = log.times(s.process)
    s.mode = this.state.mode ?? (crowded(times) ? 'steps' : 'time')
    s.at = times.length - 1
    Object.assign(this.state, s)
    this.prepare()
  }

  prepare() {
    const s = this.state
    s.axis = new Axis(s.log.times(s.process), s.mode)
    s.palette = new Palette(s.log.series(s.process, s.group, 'addresses').map((l) => l.key))
  }

  // Changes the state, and draws what shows it.
  set(changes) {
    Object.assign(this.state, changes)
    if ('mode' in changes || 'group' in changes) {
      if ('group' in changes) this.state.only = null
      this.prepare()
    }
    if ('query' in changes) {
      this.picture?.search?.()
      return
    }
    if ('from' in changes) {
      this.picture?.show()
      return
    }
    this.draw()
  }

  moment(at) {
    const s = this.state
    const n = s.axis.times.length
    at = Math.min(Math.max(at, 0), n - 1)
    if (at === s.at) return
    s.at = at
    this.verdict()
    this.line.show()
    this.picture.show()
    this.life.show()
  }

  // A range was chosen, null for none.
  choose(range) {
    this.state.chosen = range
    this.life.show()
    if (this.tab === 'mappings') this.picture.show()
  }

  // A moment in words: when it is, and what `vmblame report` calls it.
  momentText(at) {
    const { log, process, axis } = this.state
    const m = log.moments[log.value.processes[process].moments[at]]
    const name = m.moment.startsWith('seq:') ? `${this.t('event')} ${number(+m.moment.slice(4))}` : this.t(m.moment)
    return `${when(axis.times[at])}, ${name}`
  }

  groupName(group) {
    return this.t(group)
  }

  // The sentence about the moment.
  verdict() {
    const { t } = this
    const { log, process, at } = this.state
    const p = log.value.processes[process]
    const sum = log.total(process, p.moments[at])
    const part = (name, n, more) => h('span', { class: 'total', 'data-total': name, 'data-bytes': n }, h('b', { title: n === null ? t('not counted') : `${number(n)} B` }, size(n) + (more ?? '')), ` ${t(name)}`)
    this.sentence.replaceChildren(
      h('span', { class: 'moment', 'data-moment': log.moments[p.moments[at]].moment }, this.momentText(at)),
      part('addresses', sum.reserved), part('usable', sum.committed), part('in memory', sum.resident, sum.uncounted && sum.resident !== null ? '+' : ''),
      ...(p.gave_back ? [part('given back', p.gave_back[at]), ...(p.brought[at] ? [part('brought in', p.brought[at])] : [])] : []),
      h('span', { class: 'dim' }, `${number(sum.mappings)} ${t(sum.mappings === 1 ? 'mapping' : 'mappings')}, ${t('peak')} ${size(sum.peak)}` + (sum.resident_at === null ? `, ${t('No snapshot counted what is in memory.')}` : `, ${t('in memory')}: ${t('counted at')} ${when(sum.resident_at)}`)))
  }

  // The bytes of address space at every moment.
  course() {
    const lines = this.state.log.series(this.state.process, 'kind', 'addresses')
    return this.state.axis.at.map((_, i) => lines.reduce((n, l) => n + (l.values[i] ?? 0), 0))
  }

  peak() {
    const course = this.course()
    return course.indexOf(course.reduce((a, b) => Math.max(a, b), 0))
  }

  play() {
    this.playing = !this.playing
    this.playButton.textContent = this.t(this.playing ? 'Pause' : 'Play')
    this.playButton.setAttribute('aria-pressed', this.playing)
    if (!this.playing) return
    const n = this.state.axis.times.length
    const begin = performance.now()
    const first = this.state.at >= n - 1 ? 0 : this.state.at
    const step = (now) => {
      if (!this.playing) return
      // The whole of it in ten seconds.
      const at = Math.min(first + Math.floor(((now - begin) / 10000) * n), n - 1)
      this.moment(at)
      if (at >= n - 1) this.play()
      else requestAnimationFrame(step)
    }
    requestAnimationFrame(step)
  }

  // The controls that depend on what is shown.
  controls() {
    const { t } = this
    const s = this.state
    const options = (list, value) => list.map(([v, text]) => h('option', { value: v, selected: v === value }, text))
    const select = (label, list, value, change) => h('label', { class: 'select' }, h('span', {}, label), h('select', { onchange: (e) => change(e.target.value) }, ...options(list, value)))
    const measures = { addresses: t('addresses'), usable: t('usable'), resident: t('in memory') }
    return [
      this.logs.length > 1 ? select(t('Log'), this.logs.map((l, i) => [String(i), l.value.log]), String(s.side), (v) => { this.select(+v); this.draw() }) : null,
      s.log.value.processes.length > 1 ? select(t('Process'), s.log.value.processes.map((p, i) => [String(i), `${p.pid} ${p.name} (${size(Math.max(0, ...p.peak))})`]).filter(([i]) => s.log.value.processes[i].moments.length), String(s.process), (v) => { this.select(s.side, +v); this.draw() }) : null,
      choice('measure', t('Measure'), MEASURES.map((m) => [m, measures[m]]), s.measure, (measure) => this.set({ measure })),
      choice('group', t('Group by'), GROUPS.map((g) => [g, t(g)]), s.group, (group) => this.set({ group })),
      choice('axis', t('Time axis'), [['time', t('time')], ['steps', t('steps')]], s.mode, (mode) => this.set({ mode })),
    ]
  }

  // A server has more moments: those of a tenth of the width around the one that is shown, or those of all again.
  async closer(here) {
    const { side, log, process, at } = this.state
    const space = log.value.processes[process].space
    let value = this.page.logs[side]
    if (here) {
      const moments = log.value.processes[process].moments
      const seq = (i) => log.moments[moments[Math.min(Math.max(i, 0), moments.length - 1)]].seq
      const n = Math.max(Math.ceil(moments.length / 20), 1)
      this.panel.setAttribute('aria-busy', 'true')
      this.sentence.replaceChildren(h('span', { class: 'moment' }, `${this.t('reading')} …`))
      const reply = await fetch(`value?log=${side}&from=${Math.max(seq(at - n), 1)}&to=${Math.max(seq(at + n), 1)}`)
      value = (await unpacked(reply.body)).logs[0]
      this.panel.removeAttribute('aria-busy')
    }
    this.logs[side] = new Log(value)
    this.here = here
    const found = value.processes.findIndex((p) => p.space === space)
    this.select(side, found < 0 ? undefined : found)
    this.draw()
  }

  draw() {
    const { log } = this.state
    const closer = this.page.served && (!log.value.every || this.here) ? [h('button', { class: 'closer', onclick: () => this.closer(true) }, this.t('more moments here')), this.here ? h('button', { class: 'all', onclick: () => this.closer(false) }, this.t('all of it')) : null] : []
    this.bar.replaceChildren(...this.controls().filter(Boolean), this.playButton, ...closer.filter(Boolean))
    this.verdict()
    this.line.draw()
    this.open(this.tab)
    this.life.show()
  }

  open(tab) {
    this.tab = tab
    for (const b of this.tabs.children) {
      const on = b.dataset.tab === tab
      b.setAttribute('aria-selected', on)
      b.tabIndex = on ? 0 : -1
    }
    this.picture = this.pictures[tab].make
    this.panel.setAttribute('aria-labelledby', `tab-${tab}`)
    this.panel.replaceChildren(this.picture.el)
    this.picture.draw()
  }

  // Makes the page.
  mount(root) {
    const { t } = this
    const v = this.logs[0].value
    this.sentence = h('p', { class: 'verdict', id: 'verdict' })
    this.bar = h('div', { class: 'bar controls' })
    this.playButton = h('button', { 'aria-pressed': 'false', onclick: () => this.play() }, t('Play'))
    this.line = timeline(this)
    this.life = biography(this)
    this.pictures = {
      space: { name: t('Address space'), make: space(this) }, flame: { name: t('Flame graph'), make: flame(this) }, mappings: { name: t('Mappings'), make: table(this) },
      threads: { name: t('Threads'), make: threads(this) }, growth: { name: t('Growth'), make: growth(this) }, failed: { name: t('Failed calls'), make: failed(this) },
    }
    if (this.logs.some((l) => l.value.advice)) this.pictures.advice = { name: t('Given back'), make: advice(this) }
    if (this.page.diff) this.pictures.difference = { name: t('Difference'), make: difference(this) }
    this.tabs = h('div', { role: 'tablist', class: 'tabs', 'aria-label': t('What') }, ...Object.entries(this.pictures).map(([id, p]) => h('button', { role: 'tab', id: `tab-${id}`, 'data-tab': id, 'aria-controls': 'panel', onclick: () => this.open(id) }, p.name)))
    this.tabs.addEventListener('keydown', (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key]
      if (!step) return
      e.stopPropagation()
      const list = [...this.tabs.children]
      const next = list[(list.findIndex((b) => b.dataset.tab === this.tab) + step + list.length) % list.length]
      this.open(next.dataset.tab)
      next.focus()
    })
    this.panel = h('div', { role: 'tabpanel', id: 'panel', class: 'panel' })
    const search = h('input', { type: 'search', placeholder: t('address, kind, file, function'), 'aria-label': t('Search'), value: this.state.query, oninput: (e) => {
      if (e.target.value && this.tab !== 'flame' && this.tab !== 'mappings') this.open('mappings')
      this.set({ query: e.target.value })
    } })
    const appearance = h('label', { class: 'select' }, h('span', {}, t('Theme')), h('select', { onchange: (e) => { save('theme', e.target.value); theme(e.target.value); this.draw() } }, ...['automatic', 'light', 'dark'].map((x) => h('option', { value: x, selected: x === saved('theme', 'automatic') }, t(x)))))
    const language = h('label', { class: 'select' }, h('span', {}, t('Language')), h('select', { onchange: (e) => { save('language', e.target.value); start(this.page, e.target.value, this) } }, h('option', { value: 'en', selected: this.words.language === 'en' }, 'English'), h('option', { value: 'zh', lang: 'zh', selected: this.words.language === 'zh' }, '中文')))
    const licences = h('dialog', { class: 'licences', 'aria-label': t('Licences') }, h('form', { method: 'dialog' }, h('button', {}, t('Close'))), h('pre', { tabindex: 0 }, document.getElementById('licences').textContent))
    root.replaceChildren(
      h('header', {}, h('h1', {}, this.logs.map((l) => l.value.log).join(' | ')), h('p', { class: 'dim' }, this.logs.map((l) => `${l.value.command.join(' ')}`).join(' | ') + `; ${[`${t('Recorded')} ${v.started}`, v.host.hostname, v.host.kernel && `Linux ${v.host.kernel}`].filter(Boolean).join(', ')}`), h('div', { class: 'settings' }, search, appearance, language)),
      ...(this.logs.some((l) => l.value.cut) ? [h('p', { class: 'warning', role: 'alert' }, t('The log is cut: this is what stands before the cut.'))] : []),
      h('main', {}, this.bar, this.sentence, this.line.el, h('div', { class: 'below' }, h('div', { class: 'left' }, this.tabs, this.panel), this.life.el)),
      h('footer', {}, h('p', { class: 'dim' }, v.every ? t('every event that changed something is a moment') : `${number(v.moments.length)} ${t('moments chosen by change')}, ${number(v.events)} ${t('mapping calls in the log')}`, '. ', t('Keys'), ': ', t('Left and right: the moment. Home, End: the first, the last. P: the peak. Space: play. /: search. In the address space: up and down choose a mapping, Enter tells its biography, + and - zoom.')), h('button', { class: 'link', onclick: () => licences.showModal() }, t('Licences'))), licences)
    this.search = search
    this.tab ??= 'space'
    this.draw()
  }

  // Keys that work everywhere but where something is typed.
  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return
    const n = this.state.axis.times.length
    const keys = {
      ArrowLeft: () => this.moment(this.state.at - 1), ArrowRight: () => this.moment(this.state.at + 1), PageUp: () => this.moment(this.state.at - Math.ceil(n / 20)), PageDown: () => this.moment(this.state.at + Math.ceil(n / 20)),
      Home: () => this.moment(0), End: () => this.moment(n - 1), p: () => this.moment(this.peak()), '/': () => this.search.focus(),
    }
    if (e.target.tagName !== 'BUTTON' && e.target.tagName !== 'SUMMARY') keys[' '] = () => this.play()
    if (!keys[e.key]) return
    e.preventDefault()
    keys[e.key]()
  }
}

// What the console of a browser, and a test, may ask the page.
class Hand {
  constructor(app) {
    this.app = app
    this.readyAt = performance.now()
  }

  // The process that is shown.
  pid() {
    return this.app.state.log.value.processes[this.app.state.process].pid
  }

  // Goes to a moment as `vmblame report` names it.
  go(moment) {
    const { log, process } = this.app.state
    this.app.moment(log.value.processes[process].moments.findIndex((m) => log.moments[m].moment === moment))
  }

  // The bytes of address space at every moment.
  course() {
    return this.app.course()
  }

  // How many mappings came and went since the moment before, at every moment.
  unseen() {
    const { log, process } = this.app.state
    return log.value.processes[process].unseen
  }

  // The moment that is drawn at a part of the width.
  nearest(fraction) {
    return this.app.state.axis.moment(fraction)
  }

  // The outermost calls of the moment, with what they hold.
  tree(measure) {
    const { log, process, at } = this.app.state
    return log.tree(process, log.value.processes[process].moments[at], measure).children.map((c) => [c.name, c.value])
  }

  // Where the largest mapping of the moment is drawn.
  spot() {
    return this.app.pictures.space.make.spot()
  }

  // A word that some mappings of the moment have.
  word() {
    const { log, process, at } = this.app.state
    return log.about(log.live(process, log.value.processes[process].moments[at])[0]).label.split(' ').pop()
  }

  stop() {
    if (this.app.playing) this.app.play()
  }
}

let app = null
function start(page, language, old) {
  app = new App(page, language)
  if (old) {
    for (const name of ['side', 'log', 'process', 'at', 'measure', 'group', 'query', 'chosen', 'from', 'mode']) app.state[name] = old.state[name]
    app.logs = old.logs
    app.tab = old.tab
    app.prepare()
  }
  app.mount(document.getElementById('page'))
  if (window.vmblame) window.vmblame.app = app
}

theme(saved('theme', 'automatic'))
// What stands in the file already is painted first.
new Promise((painted) => requestAnimationFrame(() => setTimeout(painted))).then(read).then((page) => {
  start(page, saved('language', preferred()))
  document.addEventListener('keydown', (e) => app.key(e))
  let width = window.innerWidth
  window.addEventListener('resize', perFrame(() => {
    if (window.innerWidth === width) return
    width = window.innerWidth
    app.draw()
  }))
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => app.draw())
  window.vmblame = new Hand(app)
  document.documentElement.dataset.ready = 'yes'
}, (error) => document.getElementById('page').append(h('p', { class: 'warning', role: 'alert' }, `${new Words(preferred()).t('The page cannot be shown')}: ${error.message}`)))
