#!/usr/bin/env node
import { shelves } from '../aws/sidecar.ts'
import { fileSystem } from './folder.ts'
import { program } from './program.ts'
import { regions } from './regions.ts'
import { stored } from './stored.ts'

process.umask(0o077)
void program(process.argv.slice(2), {
  environment: process.env,
  source: (settings) =>
    stored({ shelves: shelves(regions(settings, process.env)), keys: undefined }, settings),
  fileSystem,
  signals: process,
  print: (text) => void process.stdout.write(text),
  say: (line) => void process.stderr.write(`certrelay-sidecar: ${line}\n`),
  stdio: 'inherit',
}).then((status) => process.exit(status))
