import { h } from './dom.js'
import { base, hex, number, shown, size, when } from './format.js'

// What is known of the range that was chosen: who made it, and what lay at its place before and after.
export function biography(app) {
  const { t } = app
  const el = h('aside', { class: 'biography', 'aria-label': t('Biography'), tabindex: -1 })
  let asked = 0

  function frames(log, stack) {
    return h('ol', { class: 'frames' }, ...log.frames(stack).map((f) => h('li', { class: f.inlined ? 'inlined' : '' }, h('code', {}, f.function || `${base(f.module)}+0x${hex(f.offset)}`), h('span', { class: 'dim' }, f.file ? ` ${base(f.file)}:${f.line}` : ` ${base(f.module)}`))))
  }

  function row(name, ...content) {
    return content.some((c) => c) ? [h('dt', {}, name), h('dd', {}, ...content)] : []
  }

  function show() {
    const { log, process, at, chosen } = app.state
    if (chosen === null) {
      el.replaceChildren(h('h2', {}, t('Biography')), h('p', { class: 'dim' }, t('Click a rectangle, a frame or a row: who made it, and what lay there before and after.')))
      return
    }
    const moment = log.value.processes[process].moments[at]
    const a = log.about(chosen)
    const seen = moment >= log.from[chosen] && moment < log.to[chosen] ? moment : log.to[chosen] - 1
    const address = hex(a.start)
    const command = `vmblame history ${log.value.log} 0x${address}`
    const steps = h('ol', { class: 'steps' })
    el.replaceChildren(
      h('div', { class: 'bar' }, h('h2', {}, t('Biography')), h('button', { class: 'close', 'aria-label': t('Close'), onclick: () => app.choose(null) }, '×')),
      h('p', {}, h('span', { class: 'swatch', style: { background: app.state.palette.colour(log.key(chosen, app.state.group)) } }), h('b', {}, a.label)),
      h('dl', {},
        ...row(t('Address'), h('code', {}, `${address}-${hex(a.end)}`), ` ${a.perms}`),
        ...row(t('Size'), `${size(a.bytes)} (${number(a.bytes)} B)`),
        ...row(t('In memory'), size(log.measure(chosen, seen, 'resident'))),
        ...row(t('file'), a.path),
        ...row(t('confidence'), `${t(a.confidence)}: ${a.evidence}`),
        ...row(t('made by'), a.origin === null ? a.calls.join(' < ') : h('span', {}, `${a.call}, ${t('event')} ${number(a.origin)}, ${when(a.t)}, ${t('thread')} ${a.tid} ${a.thread}`))),
      h('ol', { class: 'calls' }, ...a.calls.map((c, i) => h('li', { class: i < a.keep ? 'own' : '' }, h('code', {}, c)))),
      a.stack ? h('details', {}, h('summary', {}, t('Call stack')), frames(log, a.stack)) : null,
      h('h3', {}, `${t('What lay at')} ${address}`), steps,
      log.value.every ? null : h('p', { class: 'dim' }, t('as seen at the moments shown; every step:'), ' ', h('code', {}, command)))
    const list = log.at(process, a.start)
    let last = null
    const moments = log.value.processes[process].moments
    const place = (m) => Math.max(moments.findIndex((x) => x >= m), 0)
    for (const i of list) {
      if (last !== null && log.to[last] < log.from[i]) steps.append(gap(log.to[last], place))
      const b = log.about(i)
      steps.append(h('li', { class: i === chosen ? 'now' : '' }, h('button', { onclick: () => { app.scrub(place(log.from[i])); app.choose(i) } },
        h('span', { class: 'swatch', style: { background: app.state.palette.colour(log.key(i, app.state.group)) } }), ` ${app.momentText(place(log.from[i]))}`), h('div', {}, `${b.label}, ${size(b.bytes)} ${b.perms}`), h('div', { class: 'dim' }, b.calls.slice(0, b.keep).join(' < '))))
      last = i
    }
    if (last !== null && log.to[last] < log.moments.length) steps.append(gap(log.to[last], place))
    exact(process, a.start, steps)
  }

  function gap(m, place) {
    return h('li', { class: 'free' }, h('button', { onclick: () => app.scrub(place(m)) }, app.momentText(place(m))), h('div', { class: 'dim' }, t('nothing there')))
  }

  // A server knows every step.
  async function exact(process, address, steps) {
    if (!app.page.served) return
    const mine = ++asked
    const { log } = app.state
    const reply = await fetch(`history?log=${app.state.side}&pid=${log.value.processes[process].pid}&address=0x${hex(address)}`)
    if (!reply.ok || mine !== asked) return
    const told = shown(await reply.json())
    const chapter = told.chapters.find((c) => c.space === log.value.processes[process].space)
    if (!chapter) return
    steps.classList.add('exact')
    steps.replaceChildren(...chapter.steps.slice(0, 500).map((s) => h('li', {}, h('span', {}, `${when(s.t)} `), h('b', {}, s.what === 'repeated' ? `… × ${number(s.times)}` : s.what), h('div', {}, s.text), h('div', { class: 'dim' }, (s.who ?? []).slice(0, s.who_keep).join(' < ')))))
  }
  return { el, show }
}
