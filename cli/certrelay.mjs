#!/usr/bin/env node
// The command `certrelay`: hands over to main.ts on Node 24, and installs what is missing first.
process.argv.splice(2, 0, 'cli/main.ts')
await import('./setup.mjs')
