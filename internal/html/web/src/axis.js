// Where moments stand from left to right: by their time, or one beside the other. A moment's state is drawn up to the
// next one, and that of the last a little further.

export class Axis {
  constructor(times, mode) {
    this.times = times
    const n = times.length
    this.mode = n > 1 && times[n - 1] > times[0] ? mode : 'steps'
    if (this.mode === 'time') {
      this.at = times.map((t) => t / 1e9)
      this.end = this.at[n - 1] + (this.at[n - 1] - this.at[0]) * 0.02
    } else {
      this.at = times.map((_, i) => i)
      this.end = n - 1 + Math.max(0.5, n * 0.02)
    }
    this.begin = this.at[0] ?? 0
  }

  // What of the width lies before a moment, from 0 to 1; n, which is behind the last, gives 1.
  fraction(i) {
    return ((i < this.at.length ? this.at[i] : this.end) - this.begin) / (this.end - this.begin || 1)
  }

  // What of the width lies before a time.
  place(t) {
    const { times } = this
    let i = 0
    while (i < times.length && times[i] <= t) i++
    if (i === 0) return 0
    if (i === times.length || times[i] === times[i - 1]) return this.fraction(i - 1)
    return this.fraction(i - 1) + ((t - times[i - 1]) / (times[i] - times[i - 1])) * (this.fraction(i) - this.fraction(i - 1))
  }

  // The moment whose state is drawn at a part of the width.
  moment(fraction) {
    const x = this.begin + fraction * (this.end - this.begin)
    let low = 0
    let high = this.at.length
    while (high - low > 1) {
      const mid = (low + high) >> 1
      if (this.at[mid] <= x) low = mid
      else high = mid
    }
    return low
  }
}

// Whether moments crowd so that time hides them: more than half of them within a twentieth of it.
export function crowded(times) {
  const n = times.length
  const all = times[n - 1] - times[0]
  const half = Math.floor(n / 2)
  for (let i = 0; i + half < n; i++) if (times[i + half] - times[i] > all / 20) continue
  else return n > 10
  return false
}
