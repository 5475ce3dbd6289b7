import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { start } from '../local/index.ts'

// One of the two servers of bench/local.ts: prints one line with its address, then answers `rss` on standard input.

const began = performance.now()
if (process.argv[2] === 'ours') await ours()
else await bare()
createInterface({ input: process.stdin }).on(
  'line',
  () => void process.stdout.write(`${process.memoryUsage().rss}\n`),
)

async function ours(): Promise<void> {
  const aws = await start({})
  tell({ url: aws.url, startMs: performance.now() - began, ...aws.iam.administrator })
  process.once('SIGTERM', () => void aws.close().then(() => process.exit(0)))
}

/** Answers a constant that both calls can read. */
async function bare(): Promise<void> {
  const body = JSON.stringify({
    ARN: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:bench/describe-AbCdEf',
    Name: 'bench/describe',
    KeyId: 'arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000',
    Plaintext: Buffer.alloc(43, 1).toString('base64'),
  })
  const headers = {
    'content-type': 'application/x-amz-json-1.1',
    'content-length': Buffer.byteLength(body),
    'x-amzn-requestid': '0',
  }
  const server = createServer((request, response) => {
    request.resume()
    request.once('end', () => response.writeHead(200, headers).end(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const none = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'none', sessionToken: 'none' }
  tell({ url: `http://127.0.0.1:${port}`, startMs: performance.now() - began, ...none })
  process.once('SIGTERM', () => process.exit(0))
}

function tell(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
