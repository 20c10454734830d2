// Numbers for people, as vmblame's own text writes them (internal/text).

export function size(n) {
  if (n === null || n === undefined) return '?'
  if (n < 0) return '-' + size(-n)
  if (n === 0) return '0'
  if (n < 1024) return `${n} B`
  if (n < 2 ** 20) return `${Math.floor(n / 1024)} KiB`
  let v = n / 2 ** 20
  let u = 0
  while (v >= 1023.95 && u < 2) {
    v /= 1024
    u++
  }
  return `${v.toFixed(1)} ${['MiB', 'GiB', 'TiB'][u]}`
}

export function signed(n) {
  return n > 0 ? '+' + size(n) : size(n)
}

export function percent(part, whole) {
  if (whole <= 0 || part >= whole) return '100.0 %'
  const p = Math.min(Math.floor((part / whole) * 1000), 999)
  return `${Math.floor(p / 10)}.${p % 10} %`
}

// A time since the recording began, of nanoseconds.
export function when(ns) {
  const s = ns / 1e9
  return `${s.toFixed(s >= 100 ? 1 : s >= 10 ? 2 : 4)} s`
}

export function hex(n) {
  return n.toString(16)
}

// A number with its thousands apart.
export function number(n) {
  return n.toString().replace(/\B(?=(\d{3})+$)/g, ',')
}

// The sum of a column, null where one of it was not counted.
export function together(list, column) {
  return list.reduce((n, x) => (n === null || x[column] === null ? null : n + x[column]), 0)
}

export function base(path) {
  return path.slice(path.lastIndexOf('/') + 1)
}

// A text as it is shown: threads and files can have any name, and what is no letter, mark, number, sign or blank (control
// characters, others that change the writing direction) is escaped, as text.Printable does for a terminal.
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} \u00a0]/gu
const short = { '\u0007': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v' }
export function printable(text) {
  return text.replace(unprintable, (c) => {
    const n = c.codePointAt(0)
    return short[c] ?? (n < 0x80 ? `\\x${n.toString(16).padStart(2, '0')}` : n < 0x10000 ? `\\u${n.toString(16).padStart(4, '0')}` : `\\U${n.toString(16).padStart(8, '0')}`)
  })
}

// A value of JSON with every text in it as it is shown. Lists of numbers stay the same ones.
export function shown(value) {
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value)) return typeof value[0] === 'number' ? value : value.map(shown)
  if (value === null || typeof value !== 'object') return value
  for (const name in value) value[name] = shown(value[name])
  return value
}
