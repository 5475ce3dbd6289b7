/** A text that somebody else keeps and may change at any time. In production: an object of Amazon S3. */
export interface Sheet {
  /**
   * The text as it is now, with the mark of this edition; `undefined` while the edition is the known one.
   *
   * @param known mark of the edition that was read last
   * @throws CONFIG_INVALID when it is not there, or not for us to read; SERVICE_UNAVAILABLE
   */
  read(known?: string): Promise<{ readonly text: string; readonly mark: string } | undefined>
}
