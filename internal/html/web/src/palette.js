// Colours that colour-blind people tell apart: those of Okabe and Ito, and two of Paul Tol's. What is not among the first
// has the last one, grey. A colour never stands alone: legends, tips and labels say the name.

const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442', '#882255']
export const OTHERS = '#9a9a9a'
export const SHOWN = COLOURS.length

// Colours for keys, in the order of their importance.
export class Palette {
  constructor(keys) {
    this.of = new Map(keys.slice(0, SHOWN).map((k, i) => [k, COLOURS[i]]))
  }

  colour(key) {
    return this.of.get(key) ?? OTHERS
  }

  has(key) {
    return this.of.has(key)
  }
}

// Black or white, whichever can be read on a colour.
export function ink(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000' : '#fff'
}
