#!/usr/bin/env node
// The command `certrelay-sidecar`, for a look on a machine of one's own; the image has it as one bundled file.
process.argv.splice(2, 0, 'envoy/main.ts')
await import('./setup.mjs')
