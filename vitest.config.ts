import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** These take the longest, mostly waiting: begun last they would leave the other workers idle. */
const FIRST = [
  'cli/story',
  'functions/struck',
  'examples',
  'functions/reconcile',
  'workflows/crash',
  'local/cli',
  'functions/answers',
  'readme',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const nth = FIRST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
      return nth === -1 ? FIRST.length : nth
    }
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b))
  }
}

/** Of these the tests touch nothing outside of their memory, so that files share a process and what it has loaded. */
const PURE = ['events', 'middleware', 'pki', 'workflows'].map(
  (folder) => `test/${folder}/*.test.ts`,
)

const common = { testTimeout: 20_000, hookTimeout: 30_000, pool: 'forks' } as const

export default defineConfig({
  test: {
    maxWorkers: 3, // on two cores: many tests wait for processes, clocks and queues
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { ...common, name: 'pure', include: PURE, isolate: false } },
      { test: { ...common, name: 'whole', include: ['test/**/*.test.ts'], exclude: PURE } },
    ],
  },
})
