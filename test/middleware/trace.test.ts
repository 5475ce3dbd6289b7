import { expect, test } from 'vitest'
import { bind, trace } from '../../middleware/trace.ts'
import type { Log } from '../../ports/log.ts'
import { recorder } from '../support/recorder.ts'

const header = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'

function traced(environment: string | undefined, context: object) {
  const { log, lines } = recorder()
  const holder: { log?: Log } = { ...context }
  trace(log, () => environment).before({ event: 0, context: holder })
  holder.log?.info('x', { own: 1 })
  return lines[0]?.fields
}

test('every line has trace, request and function', () => {
  const context = { awsRequestId: 'r-1', functionName: 'certrelay-trust' }

  expect(traced(header, context)).toEqual({
    trace: '1-5759e988-bd862e3fe1be46a994272793',
    request: 'r-1',
    function: 'certrelay-trust',
    own: 1,
  })
})

test('without tracing the request stands for the trace, and a strange context is no harm', () => {
  expect(traced(undefined, { awsRequestId: 'r-1' })).toMatchObject({
    trace: 'r-1',
    function: 'none',
  })
  expect(traced('nonsense', { awsRequestId: 7 })).toMatchObject({ trace: 'none', request: 'none' })
})

test('bound fields are in lines of every level and not in metrics, whose dimensions they would be', () => {
  const { log, lines } = recorder()
  const bound = bind(log, { trace: 't' })
  bound.info('a')
  bound.warn('b')
  bound.error('c')
  bound.audit({ action: 'd' })
  bound.count('E', 1)

  expect(lines.map(({ fields }) => fields['trace'])).toEqual(['t', 't', 't', 't', undefined])
})
