export { HASH } from '../pki/signing.ts'
