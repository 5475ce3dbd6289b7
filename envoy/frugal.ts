/**
 * For a process that waits most of its life: from now on nothing is optimized, which costs more memory than it saves time, and what
 * is returned gives memory back. V8 itself would let it grow, as it does not see what OpenSSL keeps for each certificate.
 */
export function frugal(): () => void {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8')
  const { runInNewContext } = process.getBuiltinModule('node:vm')
  setFlagsFromString('--no-opt')
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  return typeof collect === 'function' ? () => void collect() : () => {}
}
