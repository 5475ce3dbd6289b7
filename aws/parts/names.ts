import type { Part } from '../part.ts'

/** The names that trust bundles of authorities may have, as the role of the function has them. */
export const names: Part<{ readonly trustNames: string | undefined }> = ({ config }) => ({
  trustNames: config.trustNames,
})
