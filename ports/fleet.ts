import type { Running } from '../pki/rollout.ts'

export type { Running }

/** Runs the services. In production: Amazon ECS. */
export interface Fleet {
  /** In the order asked, with the deployments that began at `since` (epoch milliseconds) or later; a service that does not exist has state `gone`. */
  look(names: readonly string[], since: number): Promise<readonly Running[]>
  /** For each of the running tasks of a service the version ids that it says it serves; none for a service that is gone. */
  serving(name: string): Promise<readonly (readonly string[])[]>
  /** Starts one forced deployment. Returns its id. @throws ROLLOUT_BUSY, SERVICE_UNAVAILABLE when it is not known whether it began */
  roll(name: string): Promise<string>
}
