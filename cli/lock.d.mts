/** See lock.mjs, which is JavaScript because setup.mjs runs before anything is installed. */
export function exclusively<T>(
  name: string,
  work: () => Promise<T>,
  waiting?: () => void,
): Promise<T>
