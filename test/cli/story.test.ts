import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { envoysOf, play } from '../support/story.ts'

const README = join(import.meta.dirname, '../../README.md')

const STEPS =
  'deploy issue serve refuse renew rollout region reject rollback lost hot bad sign'.split(' ')

describe('npm start', () => {
  it('tells a story whose every fact is true, as the README shows it', async () => {
    const { status, story, lines } = await play().ended

    const facts = Object.fromEntries(story.steps.map((step) => [step.name, step.facts]))
    expect(lines).not.toContain('✗')
    expect(status).toBe(0)
    expect(story.ok).toBe(true)
    expect(story.steps.map(({ name, ok }) => [name, ok])).toEqual(STEPS.map((name) => [name, true]))
    expect(facts['deploy']).toMatchObject({ functions: 7, rules: 3 })
    expect(facts['serve']).toMatchObject({ status: 200, noCertificate: 0 })
    expect(facts['rollout']).toMatchObject({ deployments: 2, failed: 0 })
    expect(facts['reject']).toMatchObject({ code: 'CHAIN_BROKEN', deployments: 0 })
    expect(facts['rollback']).toMatchObject({ label: 'ROLLEDBACK', failed: 0 })
    expect(facts['lost']).toMatchObject({ foundBy: 'sweep', failed: 0 })
    expect(facts['hot']).toMatchObject({ deployments: 0, failed: 0, label: 'DEPLOYED' })
    expect(facts['bad']).toMatchObject({ code: 'BUNDLE_INVALID', failed: 0 })
    expect(facts['sign']).toMatchObject({ label: 'edge', region: 'us-west-2' })
    expect(shape(lines)).toBe(shape(await shown()))
  }, 150_000)

  it('exits with 1 and says which fact is false when an Envoy dies in the middle', async () => {
    const run = play()
    await run.passed('issue')
    const [envoy] = await envoysOf(run.child.pid ?? 0)
    expect(envoy).toBeDefined()
    process.kill(envoy ?? 0, 'SIGKILL')

    const { status, story, lines } = await run.ended

    expect(status).toBe(1)
    expect(story.ok).toBe(false)
    expect(lines).toMatch(/✗ (serve|refuse|renew|rollout) .*(color|gateway|requests? )/)
  }, 150_000)

  it('leaves no process behind', async () => {
    const run = play()
    await run.passed('deploy')
    const envoys = await envoysOf(run.child.pid ?? 0)
    run.child.kill('SIGTERM')

    await run.ended.catch(() => undefined)

    expect(envoys.length).toBeGreaterThan(0)
    const comm = (pid: number) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'gone')
    // a killed orphan is there until init has heard of its end
    await vi.waitFor(async () =>
      expect(await Promise.all(envoys.map(comm))).toEqual(envoys.map(() => 'gone')),
    )
  }, 150_000)
})

/** The README's block of output. */
async function shown(): Promise<string> {
  const [, block = ''] =
    /```text\n(certrelay: from[\s\S]*?)```/.exec(await readFile(README, 'utf8')) ?? []
  return block
}

/** Words without times, numbers, serials and dates: those differ from run to run. */
function shape(text: string): string {
  return text
    .replace(/[0-9a-f]{8}…/g, '#…')
    .replace(/\d+([.,-]\d+)*/g, '#')
    .replace(/handshakes/g, 'handshake')
    .replace(/[ \n]+/g, ' ')
    .trim()
}
