/** Roles of IAM in the account of this function. In production: IAM. */
export interface Roles {
  /**
   * The tags of a role, at most a minute old. None of a role of another account, which cannot be asked about there, and of one
   * that is gone.
   *
   * @throws ACCESS_REFUSED, SERVICE_UNAVAILABLE
   */
  tagsOf(role: {
    readonly account: string
    /** Name without its path. */
    readonly role: string
  }): Promise<Readonly<Record<string, string>>>
}
