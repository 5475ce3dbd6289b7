/** A service that uses a secret, as it is now. */
export interface Service {
  /** `cluster/service`. */
  readonly name: string
  /** `gone`, `draining` and `idle` (desired count 0) are never rolled. */
  readonly state: 'active' | 'idle' | 'draining' | 'gone'
  /** Epoch milliseconds at which its newest deployment began. */
  readonly deployed?: number
}

/** Runs the services. In production: Amazon ECS. */
export interface Fleet {
  /** In the order asked; a service that does not exist has state `gone`. */
  look(names: readonly string[]): Promise<readonly Service[]>
  /** Starts one forced deployment. Returns its id. @throws SERVICE_UNAVAILABLE */
  roll(name: string): Promise<string>
}
