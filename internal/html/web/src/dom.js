// Elements out of a tag, properties and children. Text is always text, never markup.

export function h(tag, props = {}, ...children) {
  const e = tag.startsWith('svg:') ? document.createElementNS('http://www.w3.org/2000/svg', tag.slice(4)) : document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue
    if (name === 'style') Object.entries(value).forEach(([k, v]) => e.style.setProperty(k, v))
    else if (name.startsWith('on')) e.addEventListener(name.slice(2), value)
    else if (name === 'value') e.value = value
    else e.setAttribute(name, value === true ? '' : value)
  }
  e.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false))
  return e
}

// Runs f at most once a frame, with the last arguments.
export function perFrame(f) {
  let args = null
  return (...a) => {
    if (args === null) requestAnimationFrame(() => {
      const now = args
      args = null
      f(...now)
    })
    args = a
  }
}

// One of several, by radio buttons.
export function choice(name, label, options, value, change) {
  return h('fieldset', { class: 'choice' }, h('legend', {}, label), ...options.map(([v, text]) => h('label', {}, h('input', { type: 'radio', name, value: v, checked: v === value, onchange: () => change(v) }), h('span', {}, text))))
}
