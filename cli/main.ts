import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'

/** A command of `npx certrelay`: gets the words after its name, answers the exit status. */
export type Command = (words: readonly string[]) => Promise<number>

const COMMANDS: Readonly<Record<string, Command>> = {
  authority: async (words) => (await import('./authority.ts')).authority(words),
  audit: async (words) => (await import('./audit.ts')).audit(words),
  crl: async (words) => (await import('./lists.ts')).lists(words),
  inspect: async (words) => (await import('./inspect.ts')).inspect(words),
  local: async (words) => (await import('./local.ts')).local(words),
  nebula: async (words) => (await import('./nebula.ts')).nebula(words),
  reseal: async (words) => (await import('./reseal.ts')).reseal(words),
  retry: async (words) => (await import('./retry.ts')).retry(words),
}

const HELP = `certrelay: keeps the mTLS identity of Envoys on AWS fresh

  npx certrelay local [OPTIONS]   keeps a local AWS running for a person: prints the environment that leads the AWS CLI
                                  and any SDK to it; Ctrl-C ends it
    --port N       listens there (default: a free port)
    --region R     a region, may be repeated (default: us-east-1 and us-west-2)
    --start TIME   its clock begins there, like 2026-01-31T00:00:00Z (default: now)
    --still        its clock stands still until it is moved
    --seed N       makes identifiers and faults repeatable (default: 1)
  npx certrelay audit --secret NAME | --authority LABEL [--group LOG-GROUP]… [--hours N] [--json]
                                  every use of a KMS key for a secret, or of an authority's key with what it signed: audit lines
                                  and CloudTrail, joined; 1 when they differ
  npx certrelay authority create|change|import|cross|revoke|canary|show|list|serve
                                  signing authorities of your own, and a server that speaks as CFSSL's do; without a verb it tells
                                  the options of each
  npx certrelay reseal [--plan]   has every secret sealed under the configured keys; --plan only says which need it
  npx certrelay retry SECRET      has a certificate whose rollout failed, and that was taken back, tried again at once
  npx certrelay crl SECRET FILE…  puts revocation lists, PEM or DER, into the secret of a trust bundle; an older one changes nothing
  npx certrelay inspect FILE|SECRET|HOST:PORT [OPTIONS]
                                  the path of a certificate as a tree, with the reason at every dead end, and remarks; never a
                                  key; 1 when there is no path
    --anchors FILE the anchors, PEM (default: a bundle's own, else those that Node brings along)
    --at TIME, --purpose serverAuth|clientAuth, --name HOST, --webpki, --json
  npx certrelay nebula VERB [OPTIONS]
                                  certificates of Nebula hosts, versions 1 and 2, as nebula-cert has them (its -name is taken for
                                  --name); keys in files of mode 0600, nothing is overwritten without --force
    ca      --name N [--curve 25519|P256] [--networks A/B,…] [--unsafe-networks A/B,…] [--groups G,…] [--duration 8760h]
            [--version 2|1] [--out-crt ca.crt] [--out-key ca.key]: a CA in two files, for development
    keygen  --out-key FILE --out-pub FILE [--curve 25519|P256]: on the host itself, whose key then never travels
    sign    --name N --networks A/B [--in-pub FILE | --out-key FILE] [--ca-crt ca.crt] [--ca-key ca.key] [--unsafe-networks A/B,…]
            [--groups G,…] [--duration 1h] [--version 2|1] [--out-crt N.crt]; or with an authority whose key is in KMS, by the
            function that signs: --authority LABEL --in-pub FILE [--out-ca FILE] [--function certrelay-sign]
    print   --path FILE [--json]
    verify  --ca FILE --crt FILE [--blocked FINGERPRINT]… [--high-s]: silent; 1 and the reason when it is not to be trusted
    rotate  --from FILE --to FILE --host NAME=CA.crt,HOST.crt … [--out-ca FILE] [--json]: which step from one CA to the next is safe now
  npx certrelay --version

  npm start                       the whole path on a local AWS, with real Envoys
  npm test                        every check
  npm run check                   linter and compiler
  npm run bench -- NAME           one JSON line of figures
  npm run package, npm run deploy the stack, for a real account
`

const [name = '--help', ...words] = process.argv.slice(2)
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
const help = ['--help', '-h']

if ([...help, 'help'].includes(name) || words.some((word) => help.includes(word)))
  process.stdout.write(HELP)
else if (name === '--version') process.stdout.write(`${await version()}\n`)
else if (command !== undefined) process.exitCode = await run(command)
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

async function version(): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '..', 'package.json'), 'utf8')
  return v.parse(v.object({ version: v.string() }), JSON.parse(text)).version
}
