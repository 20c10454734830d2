import uPlot from 'uplot'
import { h } from './dom.js'
import { size, when, percent, number, together } from './format.js'
import { OTHERS } from './palette.js'

// The picture over time: what was measured, stacked, and under it the scrubber that chooses the moment.
const GUTTER = 96 // pixels of the labels on the left, here and in the address space
const RIGHT = 12
const HEIGHT = 230
const WIDE = 92 // pixels of a figure beside a mark

export { GUTTER, RIGHT }

// Round numbers of bytes, for an axis up to a number.
export function splits(max) {
  let step = 4096
  while (max / step > 5) step *= 2
  const list = []
  for (let v = 0; v <= max; v += step) list.push(v)
  return list
}

export function timeline(app) {
  const { t } = app
  const chart = h('div', { class: 'chart' })
  const thumb = h('div', { class: 'thumb' })
  const line = h('div', { class: 'moment-line' })
  const slider = h('div', { class: 'slider', role: 'slider', tabindex: 0, 'aria-label': t('Moment'), 'aria-valuemin': 0 }, h('div', { class: 'track' }), thumb)
  const marks = h('div', { class: 'marks' })
  const held = h('span', {})
  const usable = h('span', {}, h('span', { class: 'dashes' }), t('usable'))
  const dotted = h('span', {}, h('span', { class: 'dots' }), held)
  const counted = h('span', {}, h('span', { class: 'snapshot' }, '●'), t('in memory at each snapshot'))
  const gave = h('span', {}, h('span', { class: 'less' }, '↓'), t('given back by madvise'))
  const brought = h('span', {}, h('span', { class: 'more' }, '↑'), t('brought in'))
  const refused = h('span', {}, h('span', { class: 'failure' }, '▼'), t('Failed calls'))
  const key = h('p', { class: 'key dim' }, usable, dotted, counted, gave, brought, refused)
  const least = h('p', { class: 'key dim' }, t('what was not counted is not in it'))
  const legend = h('ul', { class: 'legend', 'aria-label': t('Over time') })
  const el = h('section', { class: 'timeline', 'aria-label': t('Over time') }, h('div', { class: 'plot' }, chart, line, marks), slider, legend, key, least)
  let plot = null
  let stack = []

  const width = () => el.clientWidth || 900
  const inner = () => width() - GUTTER - RIGHT

  // The sums of the keys that have a colour, and of the others together.
  function stacked() {
    const { log, process, group, measure, palette } = app.state
    const lines = log.series(process, group, measure)
    const shown = lines.filter((l) => palette.has(l.key)).map((l) => ({ name: log.label(l.key, group, app.words), key: l.key, colour: palette.colour(l.key), values: l.values }))
    const rest = lines.filter((l) => !palette.has(l.key))
    if (rest.length) {
      shown.push({ name: `${t('others')} (${rest.length})`, key: null, colour: OTHERS, values: rest[0].values.map((v, i) => (v === null ? null : rest.reduce((n, l) => n + l.values[i], 0))) })
    }
    return shown
  }

  function draw() {
    const { log, process, measure, axis } = app.state
    plot?.destroy()
    stack = stacked()
    const n = axis.at.length
    const xs = [...axis.at, axis.end]
    const data = [xs]
    const series = [{}]
    const ink = getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()
    const paper = getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()
    const rule = getComputedStyle(document.documentElement).getPropertyValue('--rule').trim()
    const sums = new Array(n).fill(0)
    const layers = []
    for (const s of stack) {
      const values = s.values.map((v, i) => (v === null ? null : (sums[i] += v)))
      layers.push({ s, values: [...values, values[n - 1]] })
    }
    const stepped = uPlot.paths.stepped({ align: 1 })
    for (const { s, values } of layers.reverse()) {
      data.push(values)
      series.push({ label: s.name, stroke: paper, width: 0.5, fill: s.colour, paths: stepped, points: { show: false } })
    }
    usable.hidden = measure !== 'addresses'
    least.hidden = measure !== 'resident' || !log.uncounted(process).some((n) => n > 0)
    const snapshots = measure === 'usable' ? [] : log.snapshots(process)
    counted.hidden = !snapshots.length
    dotted.hidden = measure !== 'addresses' || snapshots.length > 0
    if (measure === 'addresses') {
      // What of the addresses can be used, and what of that is in memory: as each snapshot counted it, or as the one nearest to each moment did.
      for (const [m, dash] of snapshots.length ? [['usable', [6, 4]]] : [['usable', [6, 4]], ['resident', [2, 3]]]) {
        const lines = log.series(process, 'kind', m)
        // Where half of it was not counted there is nothing to show.
        const lacks = m === 'resident' ? log.uncounted(process) : null
        const whole = log.series(process, 'kind', 'usable')
        const values = axis.at.map((_, i) => (lines[0]?.values[i] === null || (lacks && lacks[i] * 2 > whole.reduce((sum, l) => sum + (l.values[i] ?? 0), 0)) ? null : lines.reduce((sum, l) => sum + l.values[i], 0)))
        if (lacks) held.textContent = t(values.some((v, i) => v !== null && lacks[i] > 0) ? 'in memory, at least' : 'in memory')
        data.push([...values, values[n - 1]])
        series.push({ label: t(m), stroke: ink, width: 1.5, dash, paths: stepped, points: { show: false } })
      }
    }
    const highest = snapshots.reduce((n, x) => Math.max(n, x.resident), 0)
    plot = new uPlot({
      width: width(), height: HEIGHT, padding: [8, RIGHT, 0, 0], legend: { show: false }, cursor: { show: false }, select: { show: false },
      scales: { x: { time: false, range: () => [axis.begin, axis.end] }, y: { range: (_, __, max) => [0, (Math.max(max, highest) || 1) * 1.04] } },
      hooks: { draw: [(u) => dots(u, snapshots, ink, paper)] },
      axes: [
        { stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule }, size: 30, space: 86, font: '12px system-ui', values: (_, list) => list.map((v) => label(v)) },
        { stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule }, size: GUTTER, font: '12px system-ui', splits: (_, __, min, max) => splits(max), values: (_, list) => list.map((v) => size(v)) },
      ],
      series,
    }, data, chart)
    chart.querySelector('canvas').setAttribute('aria-hidden', 'true')
    slider.setAttribute('aria-valuemax', n - 1)
    marked()
    show()
  }

  // What was in memory at each snapshot: moments stand where something was mapped, and memory comes and goes between them.
  function dots(u, snapshots, ink, paper) {
    const { axis } = app.state
    const g = u.ctx
    const ratio = g.canvas.width / u.width
    const at = snapshots.map((x) => [u.valToPos(axis.begin + axis.place(x.t) * (axis.end - axis.begin), 'x', true), u.valToPos(x.resident, 'y', true)])
    g.save()
    g.setLineDash([])
    for (const [colour, width] of [[paper, 4], [ink, 1.5]]) {
      g.strokeStyle = colour
      g.lineWidth = width * ratio
      g.beginPath()
      at.forEach(([x, y]) => g.lineTo(x, y))
      g.stroke()
    }
    g.fillStyle = ink
    g.strokeStyle = paper
    g.lineWidth = ratio
    for (const [x, y] of at) {
      g.beginPath()
      g.arc(x, y, 3 * ratio, 0, 2 * Math.PI)
      g.fill()
      g.stroke()
    }
    g.restore()
  }

  // Where memory was given back or brought in, and where calls failed.
  function marked() {
    const failures = failed()
    const moves = moved()
    marks.replaceChildren(...moves, ...failures)
    refused.hidden = !failures.length
    gave.hidden = !moves.some((e) => e.classList.contains('less'))
    brought.hidden = !moves.some((e) => e.dataset.brought > 0)
    key.hidden = [...key.children].every((e) => e.hidden)
  }

  // Where calls of madvise moved memory. What stands closer than a figure is wide is one mark, with the sum.
  function moved() {
    const { log, process, axis } = app.state
    const groups = []
    for (const x of log.advised(process)) {
      if (x.gave_back === 0 && x.brought === 0 && x.times) continue // there was nothing to move
      const left = GUTTER + axis.place(x.first) * inner()
      const last = groups[groups.length - 1]
      if (last && left - last.left < (last.list.some((y) => y.gave_back) && last.list.some((y) => y.brought) ? 2 : 1) * WIDE) last.list.push(x)
      else groups.push({ left, list: [x] })
    }
    return groups.map(({ left, list }) => {
      const sum = (column) => together(list, column)
      const [gave, brought] = [sum('gave_back'), sum('brought')]
      const text = [gave === null ? '↓ ?' : gave > 0 ? `↓ ${size(gave)}` : '', brought > 0 ? `↑ ${size(brought)}` : ''].filter(Boolean).join(' ')
      if (!text) return null // they only failed
      const most = list.reduce((a, b) => ((b.gave_back ?? b.bytes) > (a.gave_back ?? a.bytes) ? b : a))
      const end = list[list.length - 1].last
      const times = sum('times')
      const what = `${when(list[0].first)}${end > list[0].first ? ` – ${when(end)}` : ''}: ${text}; ${number(times)} ${t(times === 1 ? 'call' : 'calls')}, ${t('most of it by')} ${most.advice}, ${(most.who ?? []).join(' < ')}`
      return h('button', { class: 'moved ' + (gave === 0 ? 'more' : 'less') + (left > width() - 2 * WIDE ? ' last' : ''), title: what, 'aria-label': what, 'data-gave': gave ?? '', 'data-brought': brought ?? '', style: { left: `${left}px` }, onclick: () => app.open('advice') }, text)
    }).filter(Boolean)
  }

  // Where calls failed, those that were refused memory before the others.
  function failed() {
    const { log, process, axis } = app.state
    const calls = log.value.failed.calls.filter((c) => c.pid === log.value.processes[process].pid).slice(0, 100)
    return calls.map((c) => h('button', { class: 'failure', title: `${when(c.t)}: ${c.made}`, 'aria-label': `${c.call}: ${c.error}, ${when(c.t)}`, style: { left: `${GUTTER + axis.place(c.t) * inner()}px` }, onclick: () => app.open('failed') }, '▼'))
  }

  // What stands at a place of the axis.
  function label(v) {
    const { axis } = app.state
    if (axis.mode === 'time') return `${+v.toPrecision(6)} s`
    return Number.isInteger(v) && v < axis.times.length ? when(axis.times[v]) : ''
  }

  // The moment that was chosen: the line, the thumb and the legend.
  function show() {
    const { at, axis } = app.state
    const x = GUTTER + axis.fraction(at) * inner()
    line.style.setProperty('transform', `translateX(${x}px)`)
    thumb.style.setProperty('transform', `translateX(${x}px)`)
    slider.setAttribute('aria-valuenow', at)
    slider.setAttribute('aria-valuetext', app.momentText(at))
    const whole = stack.reduce((sum, s) => sum + (s.values[at] ?? 0), 0)
    const known = stack.some((s) => s.values[at] !== null)
    legend.replaceChildren(...stack.map((s) => {
      const v = s.values[at]
      return h('li', { class: v ? '' : 'none', 'data-key': s.key, 'data-bytes': v },
        h('button', { class: 'swatch-button', 'aria-pressed': app.state.only === s.key && s.key !== null, title: s.name, onclick: () => app.set({ only: app.state.only === s.key ? null : s.key }), disabled: s.key === null },
          h('span', { class: 'swatch', style: { background: s.colour } }), h('span', { class: 'name' }, s.name)),
        h('span', { class: 'bytes', title: v === null ? '' : `${number(v)} B` }, size(v)), h('span', { class: 'share' }, known && whole ? percent(v ?? 0, whole) : ''))
    }))
  }

  // Where a pointer is, as a moment.
  function pick(e) {
    const box = el.getBoundingClientRect()
    app.scrub(app.state.axis.moment(Math.min(Math.max((e.clientX - box.left - GUTTER) / inner(), 0), 1)))
  }
  for (const target of [chart, slider]) {
    target.addEventListener('pointerdown', (e) => {
      target.setPointerCapture(e.pointerId)
      pick(e)
    })
    target.addEventListener('pointermove', (e) => {
      if (e.buttons & 1) pick(e)
    })
  }
  return { el, draw, show }
}
