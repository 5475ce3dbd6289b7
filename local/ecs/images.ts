/** Where a container runs. */
export interface ImageTask {
  /** Loopback address of the task: what it listens on must be bound to it. */
  readonly address: string
  /** Private folder of the container, in memory where the machine has /dev/shm; removed at the end. */
  readonly folder: string
  /** Folder of each volume of the task definition, by volume name; shared by the task's containers. */
  readonly volumes: Readonly<Record<string, string>>
  /** Name of the service, when the task belongs to one. */
  readonly service?: string
  /** Name in the task definition. */
  readonly container: string
}

/** What a container image would say, and how its programs are run on this machine. */
export interface Image {
  readonly entryPoint?: readonly string[]
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Working directory (default: the container's folder). */
  readonly directory?: string
  /**
   * Programs inside the image, by the first word by which an entry point, a command or a health check calls them,
   * and the words that stand for it here: `{ '/usr/local/bin/probe': [process.execPath, '/…/probe.ts'] }`.
   */
  readonly programs?: Readonly<Record<string, readonly string[]>>
}

/** Images by the name that a container definition's `image` gives, with or without its tag. */
export type Images = Readonly<Record<string, (task: ImageTask) => Image>>

/** A task that cannot start; the message is AWS's `stoppedReason`. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StartError'
  }
}

/**
 * Looks up an image by its exact name, then without digest and tag.
 * @throws StartError as a pull of an unknown image ends.
 */
export function pull(images: Images, name: string): (task: ImageTask) => Image {
  const bare = name.replace(/@sha256:[0-9a-f]+$/, '').replace(/:[^/:]+$/, '')
  const found = Object.hasOwn(images, name)
    ? images[name]
    : Object.hasOwn(images, bare)
      ? images[bare]
      : undefined
  if (found !== undefined) return found
  throw new StartError(
    `CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref ${name}: ${name}: not found`,
  )
}

/**
 * The command line of a container, by Docker's rules: an entry point of its own replaces the image's entry point
 * and its command; a command of its own replaces the image's command.
 * @throws StartError when nothing is left to run.
 */
export function commandLine(
  image: Image,
  own: {
    readonly entryPoint?: readonly string[] | undefined
    readonly command?: readonly string[] | undefined
  },
): readonly [file: string, ...args: string[]] {
  const entryPoint = own.entryPoint ?? image.entryPoint ?? []
  const command = own.command ?? (own.entryPoint === undefined ? image.command : undefined) ?? []
  const [file, ...args] = substitute(image, [...entryPoint, ...command])
  if (file === undefined) {
    throw new StartError(
      'CannotCreateContainerError: Error response from daemon: No command specified',
    )
  }
  return [file, ...args]
}

/** Replaces the first word when the image says what stands for it. */
export function substitute(image: Image, words: readonly string[]): readonly string[] {
  const [first, ...rest] = words
  const { programs = {} } = image
  if (first === undefined || !Object.hasOwn(programs, first)) return words
  return [...(programs[first] ?? []), ...rest]
}
