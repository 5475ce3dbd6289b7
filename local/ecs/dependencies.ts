import type { Clock } from '../clock.ts'
import type { Container } from './containers.ts'
import { StartError } from './images.ts'

/**
 * Whether everything that a container depends on has come to the state that it asks for; `again` is called when
 * a start timeout runs out (Amazon ECS API Reference, ContainerDependency and `startTimeout`).
 * @throws StartError when that can no longer happen.
 */
export function satisfied(
  container: Container,
  containers: readonly Container[],
  clock: Clock,
  since: number,
  again: () => void,
): boolean {
  const { name, dependsOn = [] } = container.definition
  return dependsOn.every(({ containerName, condition }) => {
    const dependency = containers.find((each) => each.definition.name === containerName)
    if (dependency === undefined) throw new TypeError(`no container ${containerName}`)
    if (met(dependency, condition, name)) return true
    const { startTimeout } = dependency.definition
    if (startTimeout === undefined) return false
    const deadline = since + startTimeout * 1_000
    if (clock.now() >= deadline) throw failed(containerName, name, 'reached its start timeout')
    clock.at(deadline, again)
    return false
  })
}

function met(dependency: Container, condition: string, target: string): boolean {
  const { name } = dependency.definition
  const { status, exitCode, health } = dependency
  switch (condition) {
    case 'START':
      return status !== 'PENDING'
    case 'COMPLETE':
      return status === 'STOPPED'
    case 'SUCCESS':
      if (status === 'STOPPED' && exitCode !== 0) {
        throw failed(name, target, 'did not exit successfully')
      }
      return status === 'STOPPED'
    default:
      if (status === 'STOPPED') throw failed(name, target, 'stopped before it was healthy')
      return health === 'HEALTHY'
  }
}

function failed(dependency: string, target: string, why: string) {
  return new StartError(
    `dependency graph: failed to resolve container ordering dependency [${dependency}] for target [${target}] as dependency ${why}.`,
  )
}
