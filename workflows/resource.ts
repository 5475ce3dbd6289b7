/** A custom resource that CloudFormation wants to have created, updated or deleted. */
export interface Asked<P> {
  readonly type: 'create' | 'update'
  /** `STACK-UUID/LogicalId`: the same for every request about this resource. */
  readonly owner: string
  /** `ACCOUNT/REGION/STACK/LogicalId`: a stack that is made again has it again. */
  readonly home?: string
  /** 32 hex digits, the same for every delivery of this one request. */
  readonly token: string
  /** What a former answer called it; absent on Create. */
  readonly physicalId?: string
  /** The request's time is nearly up: waiting any longer is no use. */
  readonly last: boolean
  readonly properties: P
  /** What the properties were before an update, if they could be read. */
  readonly former?: P
}

/** A custom resource that is to go. */
export interface Gone {
  readonly owner: string
  readonly home?: string
  readonly physicalId: string
  /** Of its secret, as the properties say: a Create that failed has no other name. */
  readonly name?: string
}

/** The answer to CloudFormation: references, never material. */
export interface Made {
  readonly physicalId: string
  readonly data: Readonly<Record<string, string>>
}

/** What answers one type of custom resource. */
export interface Resource<N, P> {
  /** @throws RelayError; with remedy `wait` or `retry` it is asked again until its time is up. */
  make(ports: N, asked: Asked<P>): Promise<Made>
  /** Succeeds when there is nothing to remove. */
  remove(ports: N, gone: Gone): Promise<void>
}
