import type { MessagePort, Worker } from 'node:worker_threads'
import type { Revoked } from '../authority/list.ts'
import type { CaRecord } from '../authority/record.ts'
import type { Samples } from '../cfssl/counts.ts'
import type { State } from './state.ts'

/** What a thread asks of the main one, which alone has the state. */
export type Question =
  | { readonly ask: 'revoke'; readonly label: string; readonly revoked: Revoked }
  | { readonly ask: 'list'; readonly label: string }
  | { readonly ask: 'claim'; readonly label: string; readonly serial: string }
  | { readonly ask: 'samples' }

/** What goes from a thread to the main one. */
export type Up =
  | { readonly kind: 'question'; readonly id: number; readonly question: Question }
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'samples'; readonly id: number; readonly samples: Samples }

/** What goes from the main thread to another one. */
export type Down =
  | { readonly kind: 'answer'; readonly id: number; readonly value: Answered }
  | { readonly kind: 'wrong'; readonly id: number; readonly message: string }
  | { readonly kind: 'samples'; readonly id: number }
  | { readonly kind: 'records'; readonly records: readonly CaRecord[] }
  | { readonly kind: 'stop' }

export interface Answered {
  readonly claimed?: boolean
  readonly revocations?: readonly Revoked[]
  readonly samples?: readonly Samples[]
}

/** Sends questions to the main thread, and finds their answers. */
export class Asking {
  readonly #port: MessagePort
  readonly #open = new Map<number, PromiseWithResolvers<Answered>>()
  #last = 0

  constructor(port: MessagePort) {
    this.#port = port
  }

  ask(question: Question): Promise<Answered> {
    const id = ++this.#last
    const waiting = Promise.withResolvers<Answered>()
    this.#open.set(id, waiting)
    this.#port.postMessage({ kind: 'question', id, question } satisfies Up)
    return waiting.promise
  }

  take(message: Down): void {
    if (message.kind !== 'answer' && message.kind !== 'wrong') return
    const waiting = this.#open.get(message.id)
    this.#open.delete(message.id)
    if (message.kind === 'answer') waiting?.resolve(message.value)
    else waiting?.reject(new Error(message.message))
  }
}

/** Answers the questions of threads. */
export async function answer(
  worker: Worker,
  { id, question }: Extract<Up, { kind: 'question' }>,
  {
    state,
    samples,
  }: { readonly state: State | undefined; readonly samples: () => Promise<readonly Samples[]> },
): Promise<void> {
  const send = (message: Down) => worker.postMessage(message)
  try {
    const value =
      question.ask === 'samples' ? { samples: await samples() } : await fromState(question, state)
    send({ kind: 'answer', id, value })
  } catch (error) {
    send({ kind: 'wrong', id, message: error instanceof Error ? error.message : String(error) })
  }
}

async function fromState(
  question: Exclude<Question, { ask: 'samples' }>,
  state: State | undefined,
): Promise<Answered> {
  if (state === undefined) throw new Error('this server keeps no state: start it with --state FILE')
  if (question.ask === 'list') return { revocations: await state.list(question.label) }
  if (question.ask === 'claim')
    return { claimed: await state.claim(question.label, question.serial) }
  await state.revoke(question.label, question.revoked)
  return {}
}
