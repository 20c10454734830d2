import flamegraph from 'd3-flame-graph'
import { select } from 'd3-selection'
import { h, choice } from './dom.js'
import { size, percent, number } from './format.js'
import { OTHERS } from './palette.js'

// Who holds the bytes of the moment, as a tree of calls.
export function flame(app) {
  const { t } = app
  const box = h('div', { class: 'flames' })
  const about = h('p', { class: 'note', 'aria-live': 'polite' })
  let icicles = true
  let chart = null
  const el = h('div', {}, h('div', { class: 'bar' },
    choice('direction', t('Direction'), [['icicles', t('icicles')], ['flames', t('flames')]], 'icicles', (v) => {
      icicles = v === 'icicles'
      draw()
    }),
    h('button', { onclick: () => chart?.resetZoom() }, t('Reset zoom')), h('span', { class: 'dim' }, t('Calls, the outermost first; the width is bytes.'))), box, about)

  function tree() {
    const { log, process, at, measure } = app.state
    const root = log.tree(process, log.value.processes[process].moments[at], measure)
    root.name = log.value.processes[process].name || t('all')
    return root
  }

  const text = (d) => `${d.data.name}: ${size(d.data.value)} (${number(d.data.value)} B, ${percent(d.data.value, whole)})`
  let whole = 0

  function draw() {
    const data = tree()
    whole = data.value
    box.replaceChildren()
    const { palette, log, group } = app.state
    // Calls that have a colour as owners keep it.
    const colours = new Map()
    if (group === 'owner') for (const [key, c] of palette.of) colours.set(log.strings[key], c)
    chart = flamegraph().width(el.clientWidth || 900).cellHeight(20).minFrameSize(1).transitionDuration(0).inverted(icicles).selfValue(false).sort((a, b) => b.value - a.value)
      .setColorMapper((d, original) => colours.get(d.data.name) ?? (group === 'owner' ? OTHERS : original)).label(text).onHover((d) => (about.textContent = text(d)))
    chart.setDetailsElement(null)
    select(box).datum(data).call(chart)
    name()
  }

  function name() {
    const svg = box.querySelector('svg')
    if (!svg) return
    svg.setAttribute('role', 'group')
    svg.setAttribute('aria-label', `${t('Flame graph')}: ${app.momentText(app.state.at)}, ${size(whole)}`)
    svg.querySelectorAll('g').forEach((g) => {
      g.setAttribute('role', 'button')
      g.setAttribute('tabindex', '0')
      g.setAttribute('aria-label', text(g.__data__))
    })
    if (app.state.query) chart.search(escape(app.state.query))
    else chart.clear()
  }

  function show() {
    if (!chart) return draw()
    const data = tree()
    if ((data.value === 0) !== (whole === 0)) return draw()
    whole = data.value
    chart.update(data)
    name()
  }
  box.addEventListener('keydown', (e) => {
    if (e.key === 'Enter') e.target.closest('g')?.dispatchEvent(new MouseEvent('click'))
  })
  return { el, draw, show, search: name }
}

// A text as a pattern that finds it.
function escape(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
