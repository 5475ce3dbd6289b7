/**
 * `@peculiar/x509` (through tsyringe) refuses to load without a metadata store on `Reflect`. The build of it that is
 * published carries no decorator metadata, so these three functions are all that it touches. Import this file first.
 */
const metadata = new WeakMap<object, Map<unknown, unknown>>()
const read = (key: unknown, target: object) => metadata.get(target)?.get(key)

if (!('getMetadata' in Reflect)) {
  Object.assign(Reflect, {
    getMetadata: read,
    getOwnMetadata: read,
    defineMetadata(key: unknown, value: unknown, target: object) {
      metadata.set(target, (metadata.get(target) ?? new Map()).set(key, value))
    },
  })
}
