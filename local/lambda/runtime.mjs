// What runs inside an execution environment: a runtime interface client for Node.js that speaks the Lambda Runtime
// API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) and treats a handler as AWS's own does
// (https://github.com/aws/aws-lambda-nodejs-runtime-interface-client), so that either can take the other's place.
import { existsSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { basename, dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'
import { format } from 'node:util'

// Standard input says nothing; it ends when whoever started this process is gone, however that came.
process.stdin.on('end', () => process.exit(0)).resume()
process.stdin.unref()

const { env } = process
const base = `http://${env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
let current

/** One exchange with the Runtime API; without an endpoint there is nothing left to live for. */
function ask(method, path, body, headers = {}) {
  return new Promise((resolve) => {
    const sent = request(`${base}${path}`, { method, agent, headers }, async (response) => {
      const chunks = []
      for await (const chunk of response) chunks.push(chunk)
      resolve({ headers: response.headers, body: Buffer.concat(chunks).toString('utf8') })
    })
    sent.on('error', () => process.exit(0))
    sent.end(body)
  })
}

class RuntimeError extends Error {
  constructor(name, message) {
    super(message)
    this.name = `Runtime.${name}`
  }
}

/** What callers of a failed function read. */
function answerOf(error) {
  if (!(error instanceof Error)) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] }
  }
  const trace = (error.stack ?? '').split('\n')
  return { errorType: error.name, errorMessage: error.message, trace }
}

/** What the log holds of it: every enumerable member too, as AWS's client prints it. */
function complain(title, thrown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const text = JSON.stringify(error, (_key, value) => {
    if (!(value instanceof Error)) return value
    const { name: errorType, message: errorMessage, stack = '' } = value
    return { errorType, errorMessage, ...value, stack: stack.split('\n') }
  })
  write('ERROR', `${title} \t${text}`)
}

async function fail(path, error) {
  const body = answerOf(error)
  const headers = {
    'content-type': 'application/json',
    'Lambda-Runtime-Function-Error-Type': body.errorType,
  }
  await ask('POST', path, JSON.stringify(body), headers)
}

/** One line an event: line ends inside a message become carriage returns. */
function write(level, text) {
  const line = [new Date().toISOString(), current?.id, level, text].join('\t')
  process.stdout.write(`${line.replaceAll('\n', '\r')}\n`)
}

const printer =
  (level) =>
  (...parts) =>
    write(level, format(...parts))
Object.assign(console, {
  log: printer('INFO'),
  info: printer('INFO'),
  warn: printer('WARN'),
  error: printer('ERROR'),
  debug: printer('DEBUG'),
  trace: printer('TRACE'),
})

/** Node.js itself decides what is a module and what is CommonJS. */
async function load(path) {
  const file = [path, `${path}.js`, `${path}.mjs`, `${path}.cjs`].find((each) => existsSync(each))
  if (file === undefined) {
    throw new RuntimeError('ImportModuleError', `Error: Cannot find module '${basename(path)}'`)
  }
  try {
    return await import(pathToFileURL(file).href)
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new RuntimeError('UserCodeSyntaxError', String(error))
    }
    if (error?.code === 'MODULE_NOT_FOUND') {
      throw new RuntimeError('ImportModuleError', String(error))
    }
    throw error
  }
}

function pick(from, path) {
  return path.split('.').reduce((value, key) => value?.[key], from)
}

async function findHandler() {
  const handler = env._HANDLER ?? ''
  const [, name, wanted] = /^([^.]+)\.(.+)$/.exec(basename(handler)) ?? []
  if (name === undefined || handler.includes('..')) {
    throw new RuntimeError('MalformedHandlerName', 'Bad handler')
  }
  const loaded = await load(join(env.LAMBDA_TASK_ROOT, dirname(handler), name))
  const found = pick(loaded, wanted) ?? pick(loaded.default, wanted)
  if (!found) {
    throw new RuntimeError('HandlerNotFound', `${handler} is undefined or not exported`)
  }
  if (typeof found !== 'function') {
    throw new RuntimeError('HandlerNotFound', `${handler} is not a function`)
  }
  if (found.length >= 3) throw new RuntimeError('CallbackHandlerDeprecated', CALLBACK)
  return found
}

const CALLBACK =
  'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.'

function contextOf(headers, start) {
  const id = headers['lambda-runtime-aws-request-id']
  // Counted in real time from here: the local clock may stand still or jump.
  const budget = Number(headers['lambda-runtime-deadline-ms']) - Date.now()
  return {
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: undefined,
    identity: undefined,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: id,
    xRayTraceId: headers['lambda-runtime-trace-id'],
    getRemainingTimeInMillis: () => Math.round(budget - (performance.now() - start)),
  }
}

function encode(result) {
  try {
    return JSON.stringify(result === undefined ? null : result)
  } catch {
    throw new RuntimeError('JSONStringifyError', 'Unable to stringify response body')
  }
}

async function work(handler) {
  const { headers, body } = await ask('GET', '/invocation/next')
  const context = contextOf(headers, performance.now())
  current = { id: context.awsRequestId }
  env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id']
  const path = `/invocation/${current.id}`
  try {
    const result = encode(await handler(JSON.parse(body), context))
    await ask('POST', `${path}/response`, result, { 'content-type': 'application/json' })
  } catch (error) {
    complain('Invoke Error', error)
    await fail(`${path}/error`, error)
  }
  current = undefined
}

try {
  const handler = await findHandler()
  for (;;) await work(handler)
} catch (error) {
  complain('Uncaught Exception', error)
  await fail('/init/error', error)
  process.exit(1)
}
