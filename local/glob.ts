/** Matches `*` (any characters, also none) and `?` (one character), as IAM does. */
export function glob(pattern: string, text: string): boolean {
  let at = 0
  let from = 0
  let star = -1
  let mark = 0
  while (at < text.length) {
    if (pattern[from] === '*') {
      star = from++
      mark = at
    } else if (from < pattern.length && (pattern[from] === '?' || pattern[from] === text[at])) {
      from++
      at++
    } else if (star >= 0) {
      from = star + 1
      at = ++mark
    } else {
      return false
    }
  }
  while (pattern[from] === '*') from++
  return from === pattern.length
}

/**
 * Matches an ARN part by part: a wildcard does not cross the first five colons.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
 */
export function globArn(pattern: string, arn: string): boolean {
  if (pattern === '*') return true
  const [wanted, given] = [parts(pattern), parts(arn)]
  if (wanted.length < 6 || given.length < 6) return glob(pattern, arn)
  return wanted.every((part, index) => glob(part, given[index] ?? ''))
}

function parts(arn: string): readonly string[] {
  const all = arn.split(':')
  return all.length <= 6 ? all : [...all.slice(0, 5), all.slice(5).join(':')]
}
