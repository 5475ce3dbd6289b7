/** Makes things public: revocation lists for who reads them by URL. In production: a bucket of Amazon S3. */
export interface Publisher {
  /**
   * Puts bytes under a name, in place of what was there.
   *
   * @param type media type, like `application/pkix-crl`
   * @throws ACCESS_REFUSED, REQUEST_REFUSED, SERVICE_UNAVAILABLE
   */
  publish(name: string, bytes: Uint8Array, type: string): Promise<void>
}
