import uPlot from 'uplot'
import { h } from './dom.js'
import { splits } from './timeline.js'
import { hex, number, signed, size, together, when } from './format.js'

// Pictures that are tables: threads, growth, calls that failed, and the difference between two logs.

function sheet(label, heads, rows) {
  return h('div', { class: 'sheet', tabindex: 0, role: 'region', 'aria-label': label }, h('table', {}, h('thead', {}, h('tr', {}, ...heads.map((c) => h('th', { scope: 'col', class: c.number ? 'number' : '' }, c.label)))), h('tbody', {}, ...rows)))
}

function cell(text, props = {}) {
  return h('td', props, text)
}

const bytes = (n) => cell(size(n), { class: 'number', title: n === null || n === undefined ? '' : `${number(n)} B`, 'data-bytes': n })
const change = (n) => cell(signed(n), { class: 'number ' + (n > 0 ? 'more' : n < 0 ? 'less' : ''), title: `${number(Math.abs(n))} B`, 'data-bytes': n })

export function threads(app) {
  const { t } = app
  const el = h('div', {})
  function show() {
    const { log, process, at } = app.state
    const p = log.value.processes[process]
    const moment = p.moments[at]
    const now = log.times(process)[at]
    const stacks = new Map()
    const mapped = new Map()
    for (const i of log.live(process, moment)) {
      const a = log.about(i)
      if (a.owner && (a.kind === 'thread-stack' || a.kind === 'stack-guard')) {
        const s = stacks.get(a.owner) ?? { bytes: 0, resident: null, range: i }
        s.bytes += a.bytes
        const n = log.measure(i, moment, 'resident')
        if (n !== null) s.resident = (s.resident ?? 0) + n
        if (a.kind === 'thread-stack') s.range = i
        stacks.set(a.owner, s)
      } else if (a.kind === 'main-stack') stacks.set(p.pid, { bytes: a.bytes, resident: log.measure(i, moment, 'resident'), range: i })
      if (a.origin !== null) mapped.set(a.tid, (mapped.get(a.tid) ?? 0) + a.bytes)
    }
    const rows = p.threads.filter((x) => x.start <= now).map((x) => {
      const s = stacks.get(x.tid)
      const alive = x.end === null || x.end > now
      return h('tr', { class: alive ? '' : 'dim' }, cell(`${x.tid} ${x.name}`), cell(when(x.start), { class: 'number' }), cell(alive ? t('lives') : when(x.end), { class: 'number' }),
        s && alive ? h('td', {}, h('button', { class: 'link', onclick: () => app.choose(s.range) }, `${hex(log.about(s.range).start)}, ${size(s.bytes)}`)) : cell(''), alive ? bytes(s ? s.resident : undefined) : cell(''), bytes(mapped.get(x.tid) ?? 0))
    })
    el.replaceChildren(sheet(t('Threads'), [{ label: t('Thread') }, { label: t('Began'), number: true }, { label: t('Ended'), number: true }, { label: t('Its stack') }, { label: t('Stack in memory'), number: true }, { label: t('Mapped by it'), number: true }], rows))
  }
  return { el, draw: show, show }
}

// The calls up to the first of the program's own.
function short(r) {
  const who = r.who ?? []
  return who.slice(0, r.who_keep).join(' < ') + (who.length > r.who_keep ? ' < …' : '')
}

// The course of a row as a line.
function course(points) {
  if (!points?.length) return ''
  const low = Math.min(0, ...points)
  const high = Math.max(1, ...points)
  const d = points.map((n, i) => `${i ? 'L' : 'M'}${((i / (points.length - 1 || 1)) * 120).toFixed(1)} ${(21 - ((n - low) / (high - low)) * 20).toFixed(1)}`).join('')
  return h('svg:svg', { class: 'course', width: 120, height: 22, viewBox: '0 0 120 22', 'aria-hidden': 'true' }, h('svg:path', { d }))
}

export function growth(app) {
  const { t } = app
  const box = h('div', {})
  const el = h('div', {}, box)

  // From the start to the end of the log, as `vmblame growth` has it.
  function whole() {
    const { log, process } = app.state
    const p = log.value.processes[process]
    const g = log.value.growth.processes.find((x) => x.pid === p.pid && x.until === p.until) ?? log.value.growth.processes.find((x) => x.pid === p.pid)
    if (!g) return []
    const form = (x) => {
      const c = x.course
      switch (c.form) {
        case 'line':
          return `${t('a straight line since')} ${when(c.t)}` + (x.per_hour === null ? '' : `, ${signed(x.per_hour)} ${t('an hour')}`)
        case 'step':
          return `${t('one step at')} ${when(c.t)}`
        case 'saw':
          return `${t('up and down')}: ${number(c.cycles)} × ${size(c.swing)}`
      }
      return t(c.form)
    }
    return [
      h('h3', {}, t('From the start to the end')),
      h('p', { class: 'verdict', 'data-net': g.net }, h('b', {}, signed(g.net)), ` ${t('in')} ${((g.until - g.from) / 1e9).toFixed(3)} s`, h('span', {}, form(g)), course(g.points), h('span', { class: 'dim' }, `${t('came')} ${size(g.came)}, ${t('went')} ${size(g.went)}`)),
      g.rows.length ? sheet(t('Growth'), [{ label: t('difference'), number: true }, { label: t('course') }, { label: t('What') }, { label: t('never freed'), number: true }, { label: t('came'), number: true }, { label: t('went'), number: true }, { label: t('oldest'), number: true }, { label: t('Who') }],
        g.rows.slice(0, 200).map((r) => h('tr', {}, change(r.net), h('td', {}, course(r.points), ' ', form(r)), h('th', { scope: 'row' }, r.label), cell(r.left ? (r.each ? `${number(r.left)} × ${size(r.each)}` : number(r.left)) : '', { class: 'number' }), bytes(r.came), bytes(r.went), cell(r.oldest === undefined ? '' : `${(r.oldest / 1e9).toFixed(1)} s`, { class: 'number' }), cell(short(r) + (r.where ? ` (${r.where})` : ''), { title: (r.who ?? []).join(' < ') })))) : null,
    ]
  }

  function draw() {
    el.replaceChildren(box, ...whole().filter(Boolean))
    show()
  }

  function show() {
    const { log, process, at, group, measure, from } = app.state
    const moments = log.value.processes[process].moments
    const before = log.sums(process, moments[from], group, measure)
    const after = log.sums(process, moments[at], group, measure)
    // What was counted on one side alone has no growth.
    const rows = [...new Set([...before.keys(), ...after.keys()])].map((k) => ({ k, was: before.get(k) ?? (before.has(k) ? null : 0), is: after.get(k) ?? (after.has(k) ? null : 0) })).map((r) => ({ ...r, by: r.was === null || r.is === null ? null : r.is - r.was }))
      .filter((r) => r.by !== 0).sort((a, b) => Math.abs(b.by ?? 0) - Math.abs(a.by ?? 0))
    const sum = rows.reduce((n, r) => n + (r.by ?? 0), 0)
    const seconds = (log.times(process)[at] - log.times(process)[from]) / 1e9
    const gave = log.value.processes[process].gave_back
    const given = gave && gave[at] !== null && gave[from] !== null ? `${t('given back by madvise')}: ${size(gave[at] - gave[from])}` : ''
    box.replaceChildren(
      h('div', { class: 'bar' }, h('span', {}, `${t('Growth from')} ${app.momentText(from)} ${t('to')} ${app.momentText(at)}`), h('button', { onclick: () => app.set({ from: at }) }, t('Set to this moment')), h('button', { onclick: () => app.set({ from: 0 }) }, t('Set to the start'))),
      h('p', { class: 'verdict', 'data-bytes': sum }, h('b', {}, signed(sum)), ` ${t('in')} ${seconds.toFixed(3)} s`, h('span', {}, given)),
      rows.length ? sheet(t('Growth'), [{ label: app.groupName(group) }, { label: t('before'), number: true }, { label: t('now'), number: true }, { label: t('difference'), number: true }],
        rows.map((r) => h('tr', {}, h('th', { scope: 'row' }, h('span', { class: 'swatch', style: { background: app.state.palette.colour(r.k) } }), ` ${log.label(r.k, group, app.words)}`), bytes(r.was), bytes(r.is), r.by === null ? cell('?', { class: 'number' }) : change(r.by)))) : h('p', { class: 'dim' }, t('Nothing grew, and nothing shrank.')))
  }
  return { el, draw, show }
}

export function failed(app) {
  const { t } = app
  const el = h('div', {})
  function draw() {
    const f = app.state.log.value.failed
    if (!f.calls.length) {
      el.replaceChildren(h('p', { class: 'dim' }, t('No mapping call failed.')))
      return
    }
    const limit = (l) => (l ? `${l.name}${l.value === undefined ? '' : ' ' + (l.name === 'max_map_count' ? number(l.value) : size(l.value))} (${t(l.confidence)})` : '?')
    el.replaceChildren(h('p', { class: 'verdict' }, `${number(f.times)} ${t('calls failed')}`), sheet(t('Failed calls'),
      [{ label: t('Call') }, { label: t('Error') }, { label: t('Times'), number: true }, { label: t('asked for'), number: true }, { label: t('were mapped'), number: true }, { label: t('Limit') }, { label: t('When'), number: true }, { label: t('Who') }],
      f.calls.map((c) => h('tr', { class: c.refused ? 'refused' : '' }, h('th', { scope: 'row', title: c.made }, c.call), cell(c.error), cell(number(c.times), { class: 'number' }), c.asked ? bytes(c.asked) : cell(''), bytes(c.mapped), cell(c.error === 'ENOMEM' || c.error === 'EAGAIN' ? limit(c.limit) : ''), cell(when(c.t), { class: 'number' }), cell((c.who ?? []).join(' < '))))))
  }
  return { el, draw, show() {} }
}

// What calls of madvise gave back and brought in, up to the last moment.
export function advice(app) {
  const { t } = app
  const el = h('div', {})
  function draw() {
    const { log, process } = app.state
    const list = log.value.processes[process].advised ?? []
    if (!list.length) {
      el.replaceChildren(h('p', { class: 'dim' }, t('No call of madvise moved anything.')))
      return
    }
    const [gave, brought] = [together(list, 'gave_back'), together(list, 'brought')]
    el.replaceChildren(
      h('p', { class: 'verdict', 'data-gave': gave, 'data-brought': brought }, h('b', {}, size(gave)), ` ${t('given back')}`, ...(brought ? [h('b', {}, size(brought)), ` ${t('brought in')}`] : []), h('span', { class: 'dim' }, app.momentText(app.state.axis.times.length - 1))),
      gave === null ? h('p', { class: 'dim' }, t('What was in memory of the ranges was not counted: run, or --backend seccomp or syscall, counts it.')) : '',
      sheet(t('Given back'), [{ label: t('given back'), number: true }, { label: t('brought in'), number: true }, { label: t('asked about'), number: true }, { label: t('calls'), number: true }, { label: t('failed'), number: true }, { label: t('Advice') }, { label: t('Where') }, { label: t('Who') }],
        list.map((x) => h('tr', {}, bytes(x.gave_back), bytes(x.brought), bytes(x.bytes), cell(number(x.times), { class: 'number' }), cell(number(x.failed ?? 0), { class: 'number' }), h('th', { scope: 'row' }, x.advice), cell(x.where ?? ''), cell((x.who ?? []).join(' < '))))))
  }
  return { el, draw, show() {} }
}

export function difference(app) {
  const { t } = app
  const el = h('div', {})
  function draw() {
    const d = app.page.diff
    const known = app.logs.flatMap((l) => l.value.headings)
    const heading = (label) => app.words.heading(known.find((x) => x.one === label) ?? { one: label })
    const value = (v, unknown) => (unknown ? t('not recorded') : v === null ? t('unset') : v)
    const parts = []
    for (const p of d.processes) {
      parts.push(h('h3', {}, `${p.name_before ?? '-'} ${p.pid_before ?? ''} | ${p.name_after ?? '-'} ${p.pid_after ?? ''}`))
      if (p.because) {
        const b = p.because
        parts.push(h('p', { class: 'verdict' }, `${t('Because')}: ${b.more === 'after' ? d.after.log : d.before.log} ${t('has more')} (${size(Math.abs(b.difference))}): ${b.label}, ${(b.who ?? []).join(' < ')}; ${b.set_by === 'after' ? d.after.log : d.before.log}: ${b.setting}=${b.value}`))
      }
      if (p.same) parts.push(h('p', { class: 'dim' }, t('nothing differs but addresses')))
      const line = (name, was, is, by, props = {}) => h('tr', props, h('th', { scope: 'row' }, name), bytes(was), bytes(is), by === null ? cell('?', { class: 'number' }) : change(by))
      const less = (a, b) => (a === null || b === null ? null : b - a)
      const rows = [line(t('addresses'), p.before.reserved, p.after.reserved, p.difference), line(t('usable'), p.before.committed, p.after.committed, p.after.committed - p.before.committed), line(t('in memory'), p.before.resident, p.after.resident, less(p.before.resident, p.after.resident))]
      if (p.given_back_before !== undefined && p.given_back_after !== undefined) rows.push(line(t('given back by madvise'), p.given_back_before, p.given_back_after, p.given_back_after - p.given_back_before))
      for (const k of p.kinds) {
        rows.push(line(heading(k.label), k.before.reserved, k.after.reserved, k.difference, { class: 'kind' }))
        for (const c of k.parts ?? []) if (c.difference) rows.push(line(`${c.note ? c.note + ', ' : ''}${c.how ? c.how + ' ' : ''}${(c.who ?? []).join(' < ')}`, c.before.reserved, c.after.reserved, c.difference, { class: 'part' }))
      }
      parts.push(sheet(t('Difference'), [{ label: '' }, { label: d.before.log, number: true }, { label: d.after.log, number: true }, { label: t('difference'), number: true }], rows))
    }
    // Both courses, to one scale.
    const courses = app.logs.map((log, i) => {
      const p = log.largest()
      return { name: app.page.logs[i].log, process: log.value.processes[p], times: log.times(p).map((n) => n / 1e9), lines: ['addresses', 'usable', 'resident'].map((m) => sum(log.series(p, 'kind', m), log.times(p).length)) }
    })
    const most = Math.max(1, ...courses.flatMap((c) => c.lines[0]))
    const sides = h('div', { class: 'sides' })
    parts.unshift(sides)
    const env = [...d.environment, ...d.unrecorded]
    if (env.length) parts.push(h('h3', {}, t('environment')), sheet(t('environment'), [{ label: t('setting') }, { label: d.before.log }, { label: d.after.log }], env.map((s) => h('tr', {}, h('th', { scope: 'row' }, s.name), cell(value(s.before, s.unknown_before)), cell(value(s.after, s.unknown_after))))))
    el.replaceChildren(...parts)
    const style = getComputedStyle(document.documentElement)
    const [ink, rule] = ['--ink', '--rule'].map((n) => style.getPropertyValue(n).trim())
    for (const c of courses) {
      const box = h('div', { role: 'img', 'aria-label': `${c.name}: ${t('Over time')}, ${t('peak')} ${size(Math.max(...c.lines[0]))}` })
      sides.append(h('figure', {}, h('figcaption', {}, `${c.name}: ${c.process.name} ${c.process.pid}, ${t('peak')} ${size(Math.max(0, ...c.process.peak))}`), box))
      const stepped = uPlot.paths.stepped({ align: 1 })
      const line = (props) => ({ stroke: ink, width: 1.5, paths: stepped, points: { show: false }, ...props })
      new uPlot({
        width: Math.max((el.clientWidth - 20) / 2, 200), height: 170, padding: [8, 10, 0, 0], legend: { show: false }, cursor: { show: false }, scales: { x: { time: false }, y: { range: [0, most * 1.04] } },
        axes: [{ stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule }, size: 30, space: 80, values: (_, list) => list.map((v) => `${+v.toPrecision(4)} s`) }, { stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule }, size: 84, splits: (_, __, min, max) => splits(max), values: (_, list) => list.map((v) => size(v)) }],
        series: [{}, line({ fill: '#56b4e9', stroke: '#0072b2' }), line({ dash: [6, 4] }), line({ dash: [2, 3] })],
      }, [c.times, ...c.lines], box)
    }
  }

  // The sums of lines, null where nothing was counted.
  function sum(lines, n) {
    return Array.from({ length: n }, (_, i) => (lines[0]?.values[i] === null ? null : lines.reduce((all, l) => all + l.values[i], 0)))
  }
  return { el, draw, show() {} }
}
