import { local } from './local.ts'

/** A command of `npx certrelay`: gets the words after its name, answers the exit status. */
export type Command = (words: readonly string[]) => Promise<number>

const COMMANDS: Readonly<Record<string, Command>> = { local }

const HELP = `certrelay: keeps the mTLS identity of Envoys on AWS fresh

  npx certrelay local [--port N] [--region R]… [--start TIME] [--still] [--seed N]
      keeps a local AWS running, prints its endpoint and the environment to export

  npm start      the whole path on a local AWS      npm test     every check
  npm run bench  -- NAME                            npm run package, npm run deploy
`

const [name = '--help', ...words] = process.argv.slice(2)
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
if (command !== undefined) process.exitCode = await run(command)
else if (['--help', '-h', 'help'].includes(name)) process.stdout.write(HELP)
else {
  process.stderr.write(`certrelay: no command ${name}\n\n${HELP}`)
  process.exitCode = 2
}

async function run(one: Command): Promise<number> {
  try {
    return await one(words)
  } catch (error) {
    process.stderr.write(`certrelay: ${error instanceof Error ? error.message : String(error)}\n`)
    return 2
  }
}
