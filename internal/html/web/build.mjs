// Builds the page: node build.mjs [folder]. The same sources give the same files, to the byte.
import { build } from 'esbuild'
import { readFileSync, writeFileSync, readdirSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const out = process.argv[2] ?? join(here, '..', 'assets')
mkdirSync(out, { recursive: true })

const common = { absWorkingDir: here, bundle: true, minify: true, keepNames: true, legalComments: 'none', charset: 'utf8', target: 'es2022', write: false, metafile: true, logLevel: 'warning' }
const script = await build({ ...common, entryPoints: ['src/main.js'], format: 'iife', loader: { '.css': 'empty' } })
const style = await build({ ...common, entryPoints: ['src/page.css'], loader: { '.css': 'css' } })
for (const [name, result] of [['page.js', script], ['page.css', style]]) {
  const text = result.outputFiles[0].text
  if (/<\/(script|style)/i.test(text)) throw new Error(`${name} has an end tag in it`)
  writeFileSync(join(out, name), text)
}

// The licence of every library that something was taken of.
const inputs = [...Object.keys(script.metafile.inputs), ...Object.keys(style.metafile.inputs)]
const libraries = [...new Set(inputs.map((f) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(f)?.[1]).filter(Boolean))].sort()
let text = 'This page was made by vmblame. The libraries in it, and their licences:\n'
for (const name of libraries) {
  const folder = join(here, 'node_modules', name)
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json')))
  const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f))
  if (!file) throw new Error(`${name} has no licence file`)
  text += `\n--- ${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').replace(/\r/g, '').trim()}\n`
}
if (/<\/script/i.test(text)) throw new Error('a licence has an end tag in it')
writeFileSync(join(out, 'licences.txt'), text)
