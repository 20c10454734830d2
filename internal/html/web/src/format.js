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

export function base(path) {
  return path.slice(path.lastIndexOf('/') + 1)
}
