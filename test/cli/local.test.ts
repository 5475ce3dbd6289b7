import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { afterEach, describe, expect, it } from 'vitest'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')
const children: ChildProcess[] = []

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
  }
})

describe('certrelay local', () => {
  it('prints an environment with which an SDK works, moves its clock, and ends on Ctrl-C', async () => {
    const child = certrelay('local', '--still', '--start', '2026-01-31T00:00:00Z')
    const environment = await exported(child)
    const client = new STSClient({
      region: environment['AWS_REGION'] ?? '',
      endpoint: environment['AWS_ENDPOINT_URL'] ?? '',
      credentials: {
        accessKeyId: environment['AWS_ACCESS_KEY_ID'] ?? '',
        secretAccessKey: environment['AWS_SECRET_ACCESS_KEY'] ?? '',
        sessionToken: environment['AWS_SESSION_TOKEN'] ?? '',
      },
    })

    const { Account } = await client.send(new GetCallerIdentityCommand({}))
    const moved = await advance(environment, '60d')
    const refused = await advance(environment, 'a while')
    child.kill('SIGINT')
    const [status] = await once(child, 'exit')

    expect(Account).toBe('111122223333')
    expect(moved).toEqual([200, '2026-04-01T00:00:00.000Z\n'])
    expect(refused).toEqual([400, 'post a length of time like 90s, 12h or 60d\n'])
    expect(status).toBe(0)
  })

  it.each([
    [['local', '--port', 'http'], '--port is not a whole number: give one like --port 4510'],
    [
      ['local', '--start', 'soon'],
      '--start is not a time: give one like --start 2026-01-31T00:00:00Z',
    ],
    [['locol'], 'no command locol'],
  ])('refuses %j with a line that says what to give', async (words, line) => {
    const child = certrelay(...words)
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      said += part
    })

    const [status] = await once(child, 'close')

    expect(status).toBe(2)
    expect(said).toContain(`certrelay: ${line}`)
  })
})

function certrelay(...words: string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  return child
}

/** Reads the six `export NAME=VALUE` lines. */
async function exported({ stdout }: ChildProcess): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {}
  if (stdout === null) throw new TypeError('standard output is a pipe')
  for await (const line of createInterface({ input: stdout })) {
    const [, name = '', value = ''] = /^export ([A-Z_]+)=(.+)$/.exec(line) ?? []
    found[name] = value
    if (Object.keys(found).length === 6) break
  }
  return found
}

async function advance(
  environment: Readonly<Record<string, string>>,
  body: string,
): Promise<[number, string]> {
  const answer = await fetch(`${environment['AWS_ENDPOINT_URL']}/_local/advance`, {
    method: 'POST',
    body,
  })
  return [answer.status, await answer.text()]
}
