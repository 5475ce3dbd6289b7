import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, normalize, sep } from 'node:path'
import { unzipSync } from 'fflate'
import * as v from 'valibot'
import { AwsError } from '../service.ts'

/** Where CreateFunction and UpdateFunctionCode take the code from. */
export const codeMembers = {
  /** The zip file in base64. */
  ZipFile: v.optional(v.string()),
  S3Bucket: v.optional(v.string()),
  S3Key: v.optional(v.string()),
}
const source = v.object(codeMembers)

/** An unpacked deployment package. */
export interface Code {
  readonly folder: string
  /** Bytes of the zip file. */
  readonly size: number
  /** Base64, as `CodeSha256` has it. */
  readonly sha256: string
}

const LARGEST = 262_144_000

/**
 * Unpacks a deployment package into `folder`, which must not exist.
 * @throws AwsError InvalidParameterValueException when there is no such package, or it is none.
 */
export async function unpack(
  from: v.InferOutput<typeof source>,
  folder: string,
  artifacts: (key: string) => string,
): Promise<Code> {
  const zip = await read(from, artifacts)
  const files = Object.entries(open(zip))
  if (files.reduce((sum, [, data]) => sum + data.length, 0) > LARGEST) {
    throw invalid(`Unzipped size must be smaller than ${LARGEST} bytes`)
  }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const [name, data] of files) {
    const path = join(folder, normalize(name))
    if (!path.startsWith(folder + sep)) throw invalid(UNREADABLE)
    if (name.endsWith('/')) {
      await mkdir(path, { recursive: true })
      continue
    }
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, data)
  }
  const sha256 = createHash('sha256').update(zip).digest('base64')
  return { folder, size: zip.length, sha256 }
}

async function read(
  { ZipFile, S3Bucket, S3Key }: v.InferOutput<typeof source>,
  artifacts: (key: string) => string,
): Promise<Buffer> {
  if (ZipFile !== undefined) return Buffer.from(ZipFile, 'base64')
  if (S3Bucket === undefined || S3Key === undefined) {
    throw invalid('Please provide a source for function code.')
  }
  try {
    return await readFile(artifacts(S3Key))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw invalid(
      `Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: ${S3Key}: ${reason}`,
    )
  }
}

function open(zip: Buffer) {
  try {
    return unzipSync(zip)
  } catch {
    throw invalid(UNREADABLE)
  }
}

const UNREADABLE =
  'Could not unzip uploaded file. Please check your file, then try to upload again.'
const invalid = (message: string) => new AwsError('InvalidParameterValueException', message)
