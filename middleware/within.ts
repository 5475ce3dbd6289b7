/** What comes of the work, or, when that takes longer than so many milliseconds, what there is to say or to throw then. */
export async function within<R>(work: Promise<R>, most: number, otherwise: () => R): Promise<R> {
  let timer: NodeJS.Timeout | undefined
  const up = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, most))
  })
  try {
    return await Promise.race([work, up.then(otherwise)])
  } finally {
    clearTimeout(timer)
  }
}
