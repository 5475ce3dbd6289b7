import { parentPort } from 'node:worker_threads'
import { type Simulation, simulate } from './simulate.ts'

// One of several threads that simulate: asked for a history, it answers with it.

parentPort?.on('message', async (wanted: Simulation) => {
  parentPort?.postMessage(await simulate(wanted))
})
