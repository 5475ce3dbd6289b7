import { AwsError } from '../service.ts'

/** Runs a batch entry by entry; what fails is reported beside what did not. */
export function each<T extends { readonly Id: string }>(
  entries: readonly T[],
  run: (entry: T) => Record<string, unknown>,
) {
  checkBatch(entries.map(({ Id }) => Id))
  const Successful: Record<string, unknown>[] = []
  const Failed: Record<string, unknown>[] = []
  for (const entry of entries) {
    try {
      Successful.push({ Id: entry.Id, ...run(entry) })
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      Failed.push({ Id: entry.Id, SenderFault: true, Code: error.code, Message: error.message })
    }
  }
  return { Successful, Failed }
}

function checkBatch(ids: readonly string[]) {
  const refuse = (code: string, message: string) => {
    throw new AwsError(code, message)
  }
  if (ids.length === 0)
    refuse('EmptyBatchRequest', 'There should be at least one entry in the request.')
  if (ids.length > 10) {
    refuse(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are 10. You have sent ${ids.length}.`,
    )
  }
  if (ids.some((id) => !/^[\w-]{1,80}$/.test(id))) {
    refuse(
      'InvalidBatchEntryId',
      'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
    )
  }
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) refuse('BatchEntryIdsNotDistinct', `Id ${twice} repeated.`)
}
