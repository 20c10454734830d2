import { Virtualizer, elementScroll, observeElementOffset, observeElementRect } from '@tanstack/virtual-core'
import { h } from './dom.js'
import { hex, number, size, when } from './format.js'

// The mappings of the moment, in the manner of /proc/PID/smaps: those that the search finds, in the order of a column.
const ROW = 26

export function table(app) {
  const { t } = app
  const columns = [
    { id: 'start', label: t('Address'), width: 250, text: (r) => `${hex(r.start)}-${hex(r.end)}`, value: (r) => r.start },
    { id: 'bytes', label: t('Size'), width: 90, number: true, text: (r) => size(r.bytes), value: (r) => r.bytes },
    { id: 'usable', label: t('Usable'), width: 90, number: true, text: (r) => size(r.usable), value: (r) => r.usable },
    { id: 'resident', label: t('In memory'), width: 96, number: true, text: (r) => size(r.resident) + (r.uncounted && r.resident !== null ? '+' : ''), value: (r) => r.resident ?? -1 },
    { id: 'perms', label: t('Perms'), width: 64, text: (r) => r.perms, value: (r) => r.perms },
    { id: 'label', label: t('What'), width: 260, text: (r) => r.label, value: (r) => r.label },
    { id: 'who', label: t('Who'), width: 480, text: (r) => r.calls.join(' < '), value: (r) => r.calls.join(' < ') },
    { id: 'thread', label: t('Thread'), width: 130, text: (r) => (r.tid ? `${r.tid} ${r.thread}` : ''), value: (r) => r.tid },
    { id: 'when', label: t('When'), width: 90, number: true, text: (r) => (r.origin === null ? r.cause : when(r.t)), value: (r) => r.t },
    { id: 'pss', label: 'PSS', width: 84, number: true, text: (r) => size(r.pss), value: (r) => r.pss ?? -1 },
    { id: 'dirty', label: t('Private dirty'), width: 100, number: true, text: (r) => size(r.dirty), value: (r) => r.dirty ?? -1 },
    { id: 'swapped', label: t('Swapped'), width: 84, number: true, text: (r) => size(r.swapped), value: (r) => r.swapped ?? -1 },
  ]
  const wide = columns.reduce((n, c) => n + c.width, 0)
  let sort = { column: columns[0], up: true }
  let rows = []
  let focus = 0
  const inside = h('div', { class: 'rows', role: 'rowgroup' })
  const heads = h('div', { class: 'row head', role: 'row', 'aria-rowindex': 1, style: { width: `${wide}px` } }, ...columns.map((c, i) => h('div', { role: 'columnheader', 'aria-colindex': i + 1, 'aria-sort': 'none', class: c.number ? 'number' : '', style: { width: `${c.width}px` } }, h('button', { onclick: () => by(c) }, c.label))))
  const grid = h('div', { class: 'grid', role: 'grid', tabindex: 0, 'aria-label': t('Mappings'), 'aria-colcount': columns.length }, h('div', { role: 'rowgroup' }, heads), inside)
  const count = h('p', { class: 'note', 'aria-live': 'polite' })
  const el = h('div', {}, grid, count)

  const virtual = new Virtualizer({
    count: 0, getScrollElement: () => grid, estimateSize: () => ROW, overscan: 12, scrollToFn: elementScroll, observeElementRect, observeElementOffset, onChange: () => paint(),
    scrollPaddingStart: ROW,
  })
  virtual._didMount()

  function by(column) {
    sort = { column, up: sort.column === column ? !sort.up : !column.number }
    order()
  }

  function order() {
    const { value } = sort.column
    const way = sort.up ? 1 : -1
    rows.sort((a, b) => {
      const [p, q] = [value(a), value(b)]
      return p < q ? -way : p > q ? way : a.start - b.start
    })
    heads.querySelectorAll('[role=columnheader]').forEach((e, i) => e.setAttribute('aria-sort', columns[i] === sort.column ? (sort.up ? 'ascending' : 'descending') : 'none'))
    focus = Math.min(focus, Math.max(rows.length - 1, 0))
    grid.setAttribute('aria-rowcount', rows.length + 1)
    virtual.setOptions({ ...virtual.options, count: rows.length })
    virtual._willUpdate()
    virtual.measure()
    paint()
  }

  // The mappings that the search finds: an address finds what it lies in.
  function find() {
    const { log, process, at, query } = app.state
    const moment = log.value.processes[process].moments[at]
    const f = log.value.figures
    const words = query.toLowerCase().split(/\s+/).filter(Boolean)
    const address = /^(0x)?[0-9a-f]{6,16}$/i.test(query.trim()) ? parseInt(query.trim().replace(/^0x/i, ''), 16) : null
    const live = log.live(process, moment)
    rows = []
    for (const i of live) {
      const r = log.about(i)
      if (address !== null ? !(r.start <= address && address < r.end) && !hex(r.start).includes(query.trim().replace(/^0x/i, '')) : !words.every((w) => `${hex(r.start)} ${r.perms} ${r.label} ${r.kind} ${r.path} ${r.thread} ${r.calls.join(' ')}`.toLowerCase().includes(w))) continue
      const j = log.figures(i, moment)
      rows.push({ ...r, range: i, usable: log.measure(i, moment, 'usable'), resident: f.resident[j], uncounted: f.uncounted[j], pss: f.pss[j], dirty: f.private_dirty[j], swapped: f.swapped[j] })
    }
    const sum = rows.reduce((n, r) => n + r.bytes, 0)
    count.textContent = `${number(rows.length)} ${t('of')} ${number(live.length)} ${t('mappings')}, ${size(sum)} (${number(sum)} B)`
    count.dataset.bytes = sum
    count.dataset.rows = rows.length
    order()
  }

  function paint() {
    inside.style.setProperty('height', `${virtual.getTotalSize()}px`)
    inside.style.setProperty('width', `${wide}px`)
    inside.replaceChildren(...virtual.getVirtualItems().map((item) => {
      const r = rows[item.index]
      if (!r) return null
      return h('div', { class: 'row' + (item.index === focus ? ' focus' : '') + (r.range === app.state.chosen ? ' chosen' : ''), id: `row-${item.index}`, role: 'row', 'aria-rowindex': item.index + 2, 'aria-selected': r.range === app.state.chosen ? 'true' : 'false', style: { transform: `translateY(${item.start}px)`, width: `${wide}px` }, onclick: () => pick(item.index) },
        ...columns.map((c, i) => h('div', { role: 'gridcell', 'aria-colindex': i + 1, class: c.number ? 'number' : '', style: { width: `${c.width}px` }, title: c.id === 'label' ? `${r.label} (${r.kind}) ${r.path}` : c.number && typeof c.value(r) === 'number' && c.id !== 'when' ? `${number(c.value(r))} B` : c.text(r) }, c.text(r))))
    }).filter(Boolean))
    grid.setAttribute('aria-activedescendant', rows.length ? `row-${focus}` : '')
  }

  function pick(i) {
    focus = i
    app.choose(rows[i].range)
    paint()
  }

  grid.addEventListener('keydown', (e) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 }[e.key]
    if (step) {
      e.preventDefault()
      e.stopPropagation()
      focus = Math.min(Math.max(focus + step, 0), rows.length - 1)
      virtual.scrollToIndex(focus)
      paint()
    } else if (e.key === 'Enter' && e.target === grid && rows[focus]) pick(focus)
  })
  return { el, draw: find, show: find, search: find }
}
