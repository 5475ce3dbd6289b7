import * as v from 'valibot'
import { browse } from '../cursor.ts'
import { addTags, listTags, tagList } from '../fields.ts'
import { AwsError, type Operation, operation, seconds, type World } from '../service.ts'
import { permit, type Roster } from './authorities.ts'

const arn = v.pipe(v.string(), v.minLength(5), v.maxLength(200))
const listing = v.object({
  CertificateAuthorityArn: arn,
  NextToken: v.optional(v.string()),
  MaxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 100),
})

/** What a CA lets AWS services do, and its tags. */
export function permissions(
  { clock }: Pick<World, 'clock'>,
  roster: Roster,
): Readonly<Record<string, Operation>> {
  return {
    CreatePermission: operation(
      v.object({
        CertificateAuthorityArn: arn,
        Principal: v.picklist(['acm.amazonaws.com']),
        SourceAccount: v.optional(v.pipe(v.string(), v.regex(/^\d{12}$/))),
        Actions: v.pipe(
          v.array(v.picklist(['IssueCertificate', 'GetCertificate', 'ListPermissions'])),
          v.minLength(1),
          v.maxLength(3),
        ),
      }),
      (input, call) => {
        const ca = roster.find(input.CertificateAuthorityArn, call)
        roster.expect(ca, 'ACTIVE')
        if (ca.permissions.has(input.Principal)) {
          throw new AwsError(
            'PermissionAlreadyExistsException',
            'The designated permission has already been given to the user.',
          )
        }
        ca.permissions.set(input.Principal, { actions: input.Actions, createdAt: clock.now() })
        return {}
      },
    ),

    ListPermissions: operation(listing, (input, call) => {
      const ca = roster.find(input.CertificateAuthorityArn, call)
      permit(ca, call)
      const { items, next } = browse([...ca.permissions], ([principal]) => principal, {
        size: input.MaxResults,
        token: input.NextToken,
      })
      const list = items.map(([principal, { actions, createdAt }]) => ({
        CertificateAuthorityArn: ca.arn,
        CreatedAt: seconds(createdAt),
        Principal: principal,
        SourceAccount: call.account,
        Actions: actions,
      }))
      return { Permissions: list, ...(next !== undefined && { NextToken: next }) }
    }),

    DeletePermission: operation(
      v.object({ CertificateAuthorityArn: arn, Principal: v.string() }),
      (input, call) => {
        const ca = roster.find(input.CertificateAuthorityArn, call)
        roster.expect(ca, 'ACTIVE', 'DISABLED', 'EXPIRED')
        if (ca.permissions.delete(input.Principal)) return {}
        throw new AwsError(
          'ResourceNotFoundException',
          `Could not find a permission of ${input.Principal}`,
        )
      },
    ),

    TagCertificateAuthority: operation(
      v.object({ CertificateAuthorityArn: arn, Tags: tagList }),
      (input, call) => {
        addTags(roster.find(input.CertificateAuthorityArn, call).tags, input.Tags)
        return {}
      },
    ),

    ListTags: operation(listing, (input, call) => {
      const { tags } = roster.find(input.CertificateAuthorityArn, call)
      const { items, next } = browse(listTags(tags), ({ Key }) => Key, {
        size: input.MaxResults,
        token: input.NextToken,
      })
      return { Tags: items, ...(next !== undefined && { NextToken: next }) }
    }),
  }
}
