import { sealed } from '../test/nightly/sealed.ts'

// npm run nightly -- NAME: what takes too long for npm test.

/** A long check: says what it found in one object; `ok` decides the exit status. */
type Night = () => Promise<{ readonly ok: boolean } & Readonly<Record<string, unknown>>>

const NIGHTS: Readonly<Record<string, Night>> = { sealed }

const names = process.argv.slice(2)
const unknown = names.filter((name) => !Object.hasOwn(NIGHTS, name))
if (unknown.length > 0) {
  process.stderr.write(
    `certrelay: no nightly check ${unknown.join(', ')}; use npm run nightly -- ${Object.keys(NIGHTS).join(' | ')}, or none of them for all\n`,
  )
  process.exitCode = 2
} else {
  for (const [name, night] of Object.entries(NIGHTS)) {
    if (names.length > 0 && !names.includes(name)) continue
    const began = performance.now()
    const found = await night()
    const seconds = Math.round((performance.now() - began) / 100) / 10
    process.stdout.write(`${JSON.stringify({ nightly: name, ...found, seconds })}\n`)
    if (!found.ok) process.exitCode = 1
  }
}
