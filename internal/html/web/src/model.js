// The value of a log (value.go), and what the pictures need of it: what is there at a moment, and sums. It
// knows nothing of the page. Sizes are bytes; null is what was not counted.

const PAGE = 4096

// What can be measured of a mapping.
export const MEASURES = ['addresses', 'usable', 'resident']

// By what mappings can be added up.
export const GROUPS = ['kind', 'owner', 'file']

export class Log {
  constructor(value) {
    this.value = value
    this.strings = value.strings
    this.moments = value.moments
    this.lines = new Map() // the series that were asked for
    const r = value.ranges
    this.size = (r.from ?? []).length
    this.start = Float64Array.from(r.start ?? [])
    this.pages = Float64Array.from(r.pages ?? [])
    this.from = Int32Array.from(r.from ?? [])
    this.to = Int32Array.from(r.to ?? [])
    this.process = Int32Array.from(r.process ?? [])
    this.what = Int32Array.from(r.what ?? [])
    this.maker = Int32Array.from(r.maker ?? [])
    this.offset = r.offset ?? []
    // Where the figures of each range begin.
    this.first = new Int32Array(this.size + 1)
    const f = value.figures
    this.figureRange = f.range ?? []
    for (const range of this.figureRange) this.first[range + 1]++
    for (let i = 0; i < this.size; i++) this.first[i + 1] += this.first[i]
    // Whether a mapping can be accessed in some way, by what it is.
    this.accessible = Uint8Array.from((value.whats.perms ?? []).map((s) => (/[rwx]/.test(this.strings[s]) ? 1 : 0)))
    this.ofProcess = value.processes.map(() => [])
    for (let i = 0; i < this.size; i++) this.ofProcess[this.process[i]].push(i)
    for (const list of this.ofProcess) list.sort((a, b) => this.start[a] - this.start[b] || this.from[a] - this.from[b])
  }

  // The ranges of a process at a moment, ascending by address.
  live(process, moment) {
    const kept = this.kept
    if (kept && kept.process === process && kept.moment === moment) return kept.list
    const list = this.ofProcess[process].filter((i) => this.from[i] <= moment && moment < this.to[i])
    this.kept = { process, moment, list }
    return list
  }

  // The place of the figures that a range has at a moment.
  figures(range, moment) {
    let at = this.first[range]
    while (at + 1 < this.first[range + 1] && this.value.figures.moment[at + 1] <= moment) at++
    return at
  }

  reserved(range) {
    return this.pages[range] * PAGE
  }

  // How much of a range there is, by a measure.
  measure(range, moment, measure) {
    if (measure === 'addresses') return this.reserved(range)
    const resident = this.value.figures.resident[this.figures(range, moment)]
    if (measure === 'resident') return resident
    return this.accessible[this.what[range]] ? this.reserved(range) : resident ?? 0
  }

  // All of a process at a moment, as the total of a report has it.
  total(process, moment) {
    const f = this.value.figures
    const sum = { reserved: 0, committed: 0, resident: null, uncounted: 0, pss: null, private_dirty: null, swapped: null, mappings: 0 }
    const add = (name, n) => {
      if (n !== null && n !== undefined) sum[name] = (sum[name] ?? 0) + n
    }
    for (const i of this.live(process, moment)) {
      const at = this.figures(i, moment)
      sum.reserved += this.reserved(i)
      sum.committed += this.measure(i, moment, 'usable')
      sum.uncounted += f.uncounted[at]
      sum.mappings++
      add('resident', f.resident[at])
      add('pss', f.pss[at])
      add('private_dirty', f.private_dirty[at])
      add('swapped', f.swapped[at])
    }
    const p = this.value.processes[process]
    const k = p.moments.indexOf(moment)
    if (sum.mappings === 0 && k >= 0 && p.resident_at[k] !== null) Object.assign(sum, { resident: 0, pss: 0, private_dirty: 0, swapped: 0 })
    return { ...sum, count: p.count[k], vmas: p.vmas[k], peak: p.peak[k], resident_at: p.resident_at[k] }
  }

  // The key that a range has in a group: a number of a heading or of a string.
  key(range, group) {
    const { whats, makers, chains } = this.value
    switch (group) {
      case 'kind':
        return whats.heading[this.what[range]]
      case 'owner': {
        const c = chains[makers.chain[this.maker[range]]]
        return c.calls[c.keep - 1]
      }
    }
    return whats.path[this.what[range]]
  }

  // What a key is called.
  label(key, group, words) {
    switch (group) {
      case 'kind':
        return words.heading(this.value.headings[key])
      case 'file':
        return this.strings[key] || words.t('no file')
    }
    return this.strings[key]
  }

  // The sums of a process by key, at one moment: { key: bytes }, null where nothing of it was counted.
  sums(process, moment, group, measure) {
    const sums = new Map()
    for (const i of this.live(process, moment)) {
      const k = this.key(i, group)
      const n = this.measure(i, moment, measure)
      if (n !== null) sums.set(k, (sums.get(k) ?? 0) + n)
      else if (!sums.has(k)) sums.set(k, null)
    }
    return sums
  }

  // The sums by key at every moment of a process: a list of { key, values } of which the one that has most comes first.
  // Where nothing of the process was counted the values are null.
  series(process, group, measure) {
    const name = `${process} ${group} ${measure}`
    if (!this.lines.has(name)) this.lines.set(name, this.sum(process, group, measure))
    return this.lines.get(name)
  }

  sum(process, group, measure) {
    const n = this.moments.length
    const moments = this.value.processes[process].moments
    const by = new Map()
    const counted = new Float64Array(n + 1) // how many ranges have figures
    const f = this.value.figures
    for (const i of this.ofProcess[process]) {
      const k = this.key(i, group)
      let line = by.get(k)
      if (!line) by.set(k, (line = new Float64Array(n + 1)))
      const put = (from, to, bytes) => {
        if (bytes === null) return
        counted[from]++
        counted[to]--
        line[from] += bytes
        line[to] -= bytes
      }
      if (measure === 'addresses') {
        put(this.from[i], this.to[i], this.reserved(i))
        continue
      }
      for (let at = this.first[i]; at < this.first[i + 1]; at++) {
        const to = at + 1 < this.first[i + 1] ? f.moment[at + 1] : this.to[i]
        put(f.moment[at], to, this.measure(i, f.moment[at], measure))
      }
    }
    let has = 0
    const known = moments.map(() => false)
    for (let m = 0, k = 0; m < n; m++) {
      has += counted[m]
      if (moments[k] === m) known[k++] = has > 0
    }
    const lines = []
    for (const [key, line] of by) {
      let sum = 0
      let most = 0
      const values = new Array(moments.length)
      for (let m = 0, k = 0; m < n; m++) {
        sum += line[m]
        if (moments[k] !== m) continue
        values[k] = known[k] ? sum : null
        most = Math.max(most, sum)
        k++
      }
      lines.push({ key, values, most })
    }
    lines.sort((a, b) => b.most - a.most || a.key - b.key)
    return lines
  }

  // How many bytes no snapshot counted, at every moment of a process.
  uncounted(process) {
    const f = this.value.figures
    const change = new Float64Array(this.moments.length + 1)
    for (const i of this.ofProcess[process]) {
      for (let at = this.first[i]; at < this.first[i + 1]; at++) {
        change[f.moment[at]] += f.uncounted[at]
        change[at + 1 < this.first[i + 1] ? f.moment[at + 1] : this.to[i]] -= f.uncounted[at]
      }
    }
    let sum = 0
    const course = this.moments.map((_, m) => (sum += change[m]))
    return this.value.processes[process].moments.map((m) => course[m])
  }

  // When the moments of a process were, in nanoseconds.
  times(process) {
    const p = this.value.processes[process]
    return p.moments.map((m) => (p.ended && m === this.moments.length - 1 ? p.until : this.moments[m].t))
  }

  // What calls of madvise did in a process, in the order of time.
  advised(process) {
    return this.value.advised.filter((x) => x.process === process).map((x) => x.advised)
  }

  // How much of a process was in memory at each snapshot, in the order of time: none where there is but one of them.
  snapshots(process) {
    const p = this.value.processes[process]
    const list = this.value.growth.processes.find((x) => x.pid === p.pid && x.until === p.until)?.memory ?? []
    return list.length > 1 ? list : []
  }

  // The calls that made a range, innermost first.
  calls(range) {
    return this.value.chains[this.value.makers.chain[this.maker[range]]].calls.map((s) => this.strings[s])
  }

  keep(range) {
    return this.value.chains[this.value.makers.chain[this.maker[range]]].keep
  }

  // What is known of a range, in words.
  about(range) {
    const { whats, makers } = this.value
    const w = this.what[range]
    const m = this.maker[range]
    const s = (column) => this.strings[whats[column][w]]
    return {
      start: this.start[range] * PAGE,
      end: (this.start[range] + this.pages[range]) * PAGE,
      bytes: this.reserved(range),
      perms: s('perms'),
      path: s('path'),
      label: s('label'),
      kind: s('kind'),
      name: s('name'),
      confidence: s('confidence'),
      evidence: s('evidence'),
      owner: whats.owner[w],
      heading: whats.heading[w],
      origin: makers.origin[m],
      cause: this.strings[makers.cause[m]],
      call: this.strings[makers.call[m]],
      t: makers.t[m],
      pid: makers.pid[m],
      tid: makers.tid[m],
      thread: this.strings[makers.thread[m]],
      stack: makers.stack[m],
      calls: this.calls(range),
      keep: this.keep(range),
    }
  }

  // The frames of a stack, innermost first.
  frames(stack) {
    const s = this.value.stacks[stack]
    if (!s) return []
    const f = this.value.frames
    return s.frames.map((i) => ({
      function: this.strings[f.function[i]],
      module: this.strings[f.module[i]],
      offset: f.offset[i],
      file: this.strings[f.file[i]],
      line: f.line[i],
      inlined: f.inlined[i] === 1,
    }))
  }

  // What lay at an address of a process, in the order of the moments.
  at(process, address) {
    const page = Math.floor(address / PAGE)
    return this.ofProcess[process].filter((i) => this.start[i] <= page && page < this.start[i] + this.pages[i]).sort((a, b) => this.from[a] - this.from[b])
  }

  // The tree of calls that hold the bytes of a moment: the outermost call first, each with what lies below it.
  tree(process, moment, measure) {
    const root = { name: '', value: 0, children: [], by: new Map() }
    for (const i of this.live(process, moment)) {
      const n = this.measure(i, moment, measure)
      if (!n) continue
      let node = root
      node.value += n
      for (const call of this.calls(i).reverse()) {
        let next = node.by.get(call)
        if (!next) {
          next = { name: call, value: 0, children: [], by: new Map() }
          node.by.set(call, next)
          node.children.push(next)
        }
        next.value += n
        node = next
      }
    }
    const sort = (node) => {
      delete node.by
      node.children.sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1))
      node.children.forEach(sort)
    }
    sort(root)
    return root
  }

  // The process of which there was most.
  largest() {
    let best = 0
    this.value.processes.forEach((p, i) => {
      if (Math.max(0, ...p.peak) > Math.max(0, ...this.value.processes[best].peak)) best = i
    })
    return best
  }
}
