import { h, choice } from './dom.js'
import { hex, size, number } from './format.js'
import { GUTTER, RIGHT } from './timeline.js'
import { ink } from './palette.js'

// The address space over time: from left to right the moments, from top to bottom the addresses, the highest at the top
// as in a picture of memory. What nothing ever lay in is folded.

const HEIGHT = 560
const STRIP = 12 // of what is not drawn

// Folded says where addresses are drawn: pieces between the ends of mappings, each with a weight, gaps with a small one.
export class Folded {
  constructor(log, list, scale) {
    const edges = new Set()
    for (const i of list) {
      edges.add(log.start[i])
      edges.add(log.start[i] + log.pages[i])
    }
    this.edges = Float64Array.from(edges).sort()
    const n = Math.max(this.edges.length - 1, 0)
    this.full = new Uint8Array(n)
    // A mapping fills the pieces from its first edge to its last: counted by where that begins and ends.
    const depth = new Int32Array(n + 1)
    for (const i of list) {
      depth[this.edge(log.start[i])]++
      depth[this.edge(log.start[i] + log.pages[i])]--
    }
    let d = 0
    let gaps = 0
    let weight = 0
    const weights = new Float64Array(n)
    for (let i = 0; i < n; i++) {
      d += depth[i]
      if (d > 0) {
        this.full[i] = 1
        const pages = this.edges[i + 1] - this.edges[i]
        weights[i] = scale === 'true' ? pages : Math.log2(1 + pages) + 1
        weight += weights[i]
      } else gaps++
    }
    // All gaps together take at most a fifth of the height, and one no more than a fiftieth.
    const gap = Math.min(weight / 50, (weight * 0.2) / Math.max(gaps, 1))
    this.sums = new Float64Array(n + 1)
    for (let i = 0; i < n; i++) this.sums[i + 1] = this.sums[i] + (this.full[i] ? weights[i] : gap)
    this.total = this.sums[n] || 1
  }

  // The place of the last edge at or below a page.
  edge(page) {
    let low = 0
    let high = this.edges.length
    while (high - low > 1) {
      const mid = (low + high) >> 1
      if (this.edges[mid] <= page) low = mid
      else high = mid
    }
    return low
  }

  // How far up a page is drawn, from 0 to 1.
  up(page) {
    const i = this.edge(page)
    if (i >= this.sums.length - 1) return 1
    return (this.sums[i] + ((page - this.edges[i]) / (this.edges[i + 1] - this.edges[i])) * (this.sums[i + 1] - this.sums[i])) / this.total
  }

  // The page that is drawn so far up.
  page(up) {
    const w = Math.min(Math.max(up, 0), 1) * this.total
    let low = 0
    let high = this.sums.length - 1
    while (high - low > 1) {
      const mid = (low + high) >> 1
      if (this.sums[mid] <= w) low = mid
      else high = mid
    }
    return this.edges[low] + ((w - this.sums[low]) / (this.sums[low + 1] - this.sums[low] || 1)) * (this.edges[low + 1] - this.edges[low])
  }
}

export function space(app) {
  const { t } = app
  const canvas = h('canvas', { class: 'picture', tabindex: 0, role: 'application', 'aria-roledescription': t('Address space'), 'aria-label': t('Address space') })
  const line = h('div', { class: 'moment-line' })
  const cursor = h('div', { class: 'space-cursor', hidden: true })
  const tip = h('div', { class: 'tip', hidden: true })
  const strip = h('canvas', { class: 'strip', 'aria-hidden': 'true' })
  const unseen = h('p', { class: 'hidden-ones', hidden: true })
  const note = h('p', { class: 'note' })
  const say = h('p', { class: 'unseen', 'aria-live': 'polite' })
  let scale = 'compressed'
  let low = 0 // what of the height is shown, from 0 to 1
  let high = 1
  let folded = null
  let rectangles = '' // how many are drawn, in words
  const zoom = (factor, around = (low + high) / 2) => {
    const part = Math.min((high - low) * factor, 1)
    low = Math.min(Math.max(around - ((around - low) / (high - low)) * part, 0), 1 - part)
    high = low + part
    paint()
  }
  const whole = () => {
    low = 0
    high = 1
    paint()
  }
  const el = h('div', { class: 'space' },
    h('div', { class: 'bar' },
      choice('heights', t('Heights'), [['compressed', t('compressed')], ['true', t('true to scale')]], scale, (v) => {
        scale = v
        draw()
      }),
      h('button', { onclick: () => zoom(0.5) }, t('Zoom in')), h('button', { onclick: () => zoom(2) }, t('Zoom out')), h('button', { onclick: whole }, t('Whole'))),
    unseen, h('div', { class: 'canvas' }, canvas, strip, line, cursor), tip, note, say)

  const width = () => el.clientWidth || 900
  const inner = () => width() - GUTTER - RIGHT
  const y = (page) => HEIGHT - ((folded.up(page) - low) / (high - low)) * HEIGHT
  const upAt = (py) => low + (1 - py / HEIGHT) * (high - low)

  function draw() {
    const { log, process } = app.state
    folded = new Folded(log, log.ofProcess[process], scale)
    low = 0
    high = 1
    paint()
  }

  function paint() {
    const { log, process, axis, palette, group, only } = app.state
    if (!folded) return
    const ratio = Math.min(window.devicePixelRatio || 1, 2)
    canvas.width = width() * ratio
    canvas.height = HEIGHT * ratio
    canvas.style.width = `${width()}px`
    canvas.style.height = `${HEIGHT}px`
    const g = canvas.getContext('2d')
    g.scale(ratio, ratio)
    const style = getComputedStyle(document.documentElement)
    const [paper, text, rule] = ['--paper', '--ink', '--rule'].map((n) => style.getPropertyValue(n).trim())
    g.clearRect(0, 0, width(), HEIGHT)
    // The place of each moment of the log among those of the process, where it is drawn.
    const moments = log.value.processes[process].moments
    const x = new Float64Array(log.moments.length + 1)
    for (let m = 0, k = 0; m <= log.moments.length; m++) {
      while (k < moments.length && moments[k] < m) k++
      x[m] = GUTTER + axis.fraction(k) * inner()
    }
    let all = 0
    let thin = 0
    g.save()
    g.beginPath()
    g.rect(GUTTER, 0, inner(), HEIGHT)
    g.clip()
    const names = []
    // What is thinner than a pixel is painted once where many lie in one.
    const painted = new Map()
    for (const i of log.ofProcess[process]) {
      const y0 = y(log.start[i] + log.pages[i])
      const y1 = y(log.start[i])
      if (y1 < 0 || y0 > HEIGHT) continue
      const x0 = x[log.from[i]]
      const x1 = x[log.to[i]]
      all++
      const wide = x1 - x0
      const tall = y1 - y0
      if (wide < 1 || tall < 1) thin++
      const key = log.key(i, group)
      const colour = palette.colour(key)
      if (wide < 1 || tall < 1) {
        const spot = Math.floor(y0) * 8192 + Math.floor(x0)
        const before = painted.get(spot)
        if (before && before.colour === colour && before.wide >= wide) continue
        painted.set(spot, { colour, wide })
      }
      // What cannot be accessed is paler.
      g.globalAlpha = only !== null && only !== key ? 0.12 : log.accessible[log.what[i]] ? 1 : 0.42
      g.fillStyle = colour
      g.fillRect(x0, y0, Math.max(wide, 0.75), Math.max(tall, 0.75))
      if (wide > 3 && tall > 3) {
        g.globalAlpha = 1
        g.strokeStyle = paper
        g.lineWidth = 0.75
        g.strokeRect(x0, y0, wide, tall)
      }
      if (wide > 60 && tall > 12) names.push([i, x0, y0, wide, tall, colour])
    }
    g.globalAlpha = 1
    g.font = '11px system-ui'
    g.textBaseline = 'middle'
    for (const [i, x0, y0, wide, tall, colour] of names) {
      const middle = Math.min(Math.max(y0 + tall / 2, 7), HEIGHT - 7)
      g.fillStyle = log.accessible[log.what[i]] ? ink(colour) : text
      g.fillText(fit(g, log.strings[log.value.whats.label[log.what[i]]], wide - 8), x0 + 4, middle)
    }
    g.restore()
    // Addresses where there is room.
    g.fillStyle = text
    g.textAlign = 'right'
    g.textBaseline = 'middle'
    g.font = '11px ui-monospace, monospace'
    let last = HEIGHT + 20
    for (let i = 0; i < folded.edges.length; i++) {
      const edge = y(folded.edges[i])
      if (edge > HEIGHT + 1 || edge < -1) continue
      const py = Math.min(Math.max(edge, 7), HEIGHT - 7)
      const gapBelow = i > 0 && !folded.full[i - 1]
      if (last - py < 13 || (i > 0 && !gapBelow && last - py < 40)) continue
      last = py
      g.fillText(hex(folded.edges[i] * 4096), GUTTER - 6, py)
      g.strokeStyle = rule
      g.beginPath()
      g.moveTo(GUTTER - 4, edge)
      g.lineTo(GUTTER, edge)
      g.stroke()
    }
    rectangles = `${number(all)} ${t('rectangles')}` + (thin ? `, ${number(thin)} ${t('are thinner than a pixel: zoom in')}` : '')
    hidden(ratio, text)
    show()
  }

  // What came and went between two moments is not drawn: how much that is, and a strip below the picture that says when it was, the
  // darker the more.
  function hidden(ratio, text) {
    const { log, process, axis } = app.state
    const p = log.value.processes[process]
    const sum = p.unseen.reduce((a, b) => a + b, 0)
    unseen.hidden = strip.hidden = !sum
    if (!sum) return
    unseen.dataset.unseen = sum
    unseen.replaceChildren(h('b', {}, number(sum)), ` ${t(sum === 1 ? 'mapping came and went between two moments and is not drawn; the strip below the picture shows when.' : 'mappings came and went between two moments and are not drawn; the strip below the picture shows when.')} `, ...(app.page.served ? [t('“More moments here” draws those around the moment.')] : [t('All of them:'), ' ', h('code', {}, `vmblame serve ${log.value.log}`)]))
    strip.width = width() * ratio
    strip.height = STRIP * ratio
    strip.style.setProperty('width', `${width()}px`)
    strip.style.setProperty('height', `${STRIP}px`)
    const g = strip.getContext('2d')
    g.scale(ratio, ratio)
    const most = Math.log1p(p.unseen.reduce((a, b) => Math.max(a, b), 0))
    g.fillStyle = text
    g.font = '11px system-ui'
    g.textAlign = 'right'
    g.textBaseline = 'middle'
    g.fillText(t('not drawn'), GUTTER - 6, STRIP / 2)
    // Several moments may stand in one pixel: the darkest counts.
    const dark = new Float64Array(Math.ceil(inner()) + 1)
    p.unseen.forEach((n, k) => {
      if (!n) return
      const from = Math.floor(axis.fraction(Math.max(k - 1, 0)) * inner())
      const to = Math.max(Math.floor(axis.fraction(k) * inner()), from + 1)
      for (let x = from; x < to; x++) dark[x] = Math.max(dark[x], Math.log1p(n) / most)
    })
    dark.forEach((d, x) => {
      if (!d) return
      g.globalAlpha = 0.15 + 0.85 * d
      g.fillRect(GUTTER + x, 2, 1, STRIP - 3)
    })
  }

  function show() {
    const { axis, at, log, process } = app.state
    const n = log.value.processes[process].unseen[at]
    note.textContent = rectangles + (n ? `; ${number(n)} ${t(n === 1 ? 'mapping came and went since the moment before' : 'mappings came and went since the moment before')}` : '')
    line.style.setProperty('transform', `translateX(${GUTTER + axis.fraction(at) * inner()}px)`)
    mark()
  }

  // The range at a point, and the moment.
  function under(e) {
    const { log, process, axis } = app.state
    const box = canvas.getBoundingClientRect()
    const fraction = (e.clientX - box.left - GUTTER) / inner()
    if (fraction < 0 || fraction > 1 || !folded || folded.edges.length < 2) return null
    const at = axis.moment(fraction)
    const moment = log.value.processes[process].moments[at]
    const page = folded.page(upAt(e.clientY - box.top))
    const near = ((high - low) / HEIGHT) * 1.5 // what is thin can be met, too
    let found = null
    for (const i of log.live(process, moment)) {
      if (log.start[i] <= page && page < log.start[i] + log.pages[i]) return { range: i, at, moment, page }
      if (found === null && Math.abs(folded.up(log.start[i] + log.pages[i] / 2) - folded.up(page)) < near) found = i
    }
    return { range: found, at, moment, page }
  }

  canvas.addEventListener('pointermove', (e) => {
    if (drag !== null) {
      const box = canvas.getBoundingClientRect()
      cursor.hidden = false
      cursor.className = 'space-cursor selecting'
      const [a, b] = [drag, e.clientY - box.top].sort((p, q) => p - q)
      cursor.style.setProperty('top', `${a}px`)
      cursor.style.setProperty('height', `${b - a}px`)
      return
    }
    const u = under(e)
    tip.hidden = !u || u.range === null
    if (tip.hidden) return
    const { log } = app.state
    const a = log.about(u.range)
    const resident = log.measure(u.range, u.moment, 'resident')
    tip.replaceChildren(h('b', {}, a.label), h('div', {}, `${hex(a.start)}-${hex(a.end)} ${a.perms} ${size(a.bytes)}, ${t('in memory')} ${size(resident)}`), h('div', { class: 'stack' }, ...a.calls.slice(0, 12).map((c, i) => h('div', { class: i < a.keep ? 'own' : '' }, c))), h('div', { class: 'dim' }, app.momentText(u.at)))
    const box = el.getBoundingClientRect()
    tip.style.setProperty('left', `${Math.min(e.clientX - box.left + 14, width() - 340)}px`)
    tip.style.setProperty('top', `${e.clientY - box.top + 14}px`)
  })
  canvas.addEventListener('pointerleave', () => (tip.hidden = true))
  let drag = null
  canvas.addEventListener('pointerdown', (e) => {
    drag = e.clientY - canvas.getBoundingClientRect().top
    canvas.setPointerCapture(e.pointerId)
    tip.hidden = true
  })
  canvas.addEventListener('pointerup', (e) => {
    const end = e.clientY - canvas.getBoundingClientRect().top
    const begin = drag
    drag = null
    mark()
    if (Math.abs(end - begin) > 8) {
      const [a, b] = [upAt(begin), upAt(end)].sort((p, q) => p - q)
      low = Math.max(a, 0)
      high = Math.min(b, 1)
      paint()
      return
    }
    const u = under(e)
    if (!u) return
    app.scrub(u.at)
    if (u.range !== null) app.choose(u.range)
  })
  canvas.addEventListener('dblclick', whole)
  canvas.addEventListener('wheel', (e) => {
    if (!e.ctrlKey && !e.metaKey) return
    e.preventDefault()
    zoom(e.deltaY > 0 ? 1.25 : 0.8, upAt(e.clientY - canvas.getBoundingClientRect().top))
  }, { passive: false })

  // By the keyboard: up and down go from mapping to mapping of the moment.
  let focus = null // first page
  function mark() {
    const { log } = app.state
    const i = current()
    cursor.className = 'space-cursor'
    cursor.hidden = i === null || document.activeElement !== canvas
    if (i === null) return
    const y0 = y(log.start[i] + log.pages[i])
    cursor.style.setProperty('top', `${y0 - 1}px`)
    cursor.style.setProperty('height', `${Math.max(y(log.start[i]) - y0, 2)}px`)
  }
  function current() {
    if (focus === null) return null
    const { log, process, at } = app.state
    const live = log.live(process, log.value.processes[process].moments[at])
    return live.find((i) => log.start[i] === focus) ?? null
  }
  canvas.addEventListener('focus', mark)
  canvas.addEventListener('blur', mark)
  canvas.addEventListener('keydown', (e) => {
    const { log, process, at } = app.state
    const live = log.live(process, log.value.processes[process].moments[at])
    if (e.key === 'ArrowUp' || e.key === 'ArrowDown') {
      e.preventDefault()
      e.stopPropagation()
      if (!live.length) return
      let n = live.findIndex((i) => log.start[i] >= (focus ?? -1))
      if (n < 0) n = live.length - 1
      if (focus !== null) n = Math.min(Math.max(n + (e.key === 'ArrowUp' ? 1 : -1), 0), live.length - 1)
      focus = log.start[live[n]]
      const a = log.about(live[n])
      say.textContent = `${a.label}, ${hex(a.start)}, ${size(a.bytes)}, ${a.calls.slice(0, a.keep).join(' < ')}`
      const up = folded.up(focus)
      if (up < low || up > high) {
        const part = high - low
        low = Math.min(Math.max(up - part / 2, 0), 1 - part)
        high = low + part
        paint()
      }
      mark()
    } else if (e.key === 'Enter' && current() !== null) app.choose(current())
    else if (e.key === '+' || e.key === '=') zoom(0.5, focus === null ? undefined : folded.up(focus))
    else if (e.key === '-') zoom(2)
    else if (e.key === '0') whole()
  })
  // Where in the canvas the largest mapping of the moment is drawn, and its first address.
  function spot() {
    const { log, process, at, axis } = app.state
    const live = log.live(process, log.value.processes[process].moments[at])
    const i = live.reduce((a, b) => (log.pages[b] > log.pages[a] ? b : a))
    return { x: GUTTER + ((axis.fraction(at) + axis.fraction(at + 1)) / 2) * inner(), y: (y(log.start[i]) + y(log.start[i] + log.pages[i])) / 2, start: hex(log.start[i] * 4096) }
  }
  return { el, draw, show, spot }
}

// As much of a text as fits.
function fit(g, text, width) {
  if (g.measureText(text).width <= width) return text
  let n = Math.floor((text.length * width) / g.measureText(text).width)
  while (n > 0 && g.measureText(text.slice(0, n) + '…').width > width) n--
  return n > 0 ? text.slice(0, n) + '…' : ''
}
