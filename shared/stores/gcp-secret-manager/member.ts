import { RotationError } from '../../core/errors.js'
import { oneLine } from './names.js'

/** One account, a group of them, or identities of another provider. Never everybody. */
const memberForm = /^(?:(?:user|serviceAccount|group|domain):|principal(?:Set)?:\/\/)[^\s"`$\\]+$/
const everybody = /^principalSet:\/\/goog\/public:/

/** Checks who is granted something, as the platform writes it. bad_event with the field. */
export function assertMember(member: string, field: string): void {
  if (memberForm.test(member) && !everybody.test(member)) return
  throw new RotationError('bad_event', `"${oneLine(member)}" is not a principal of Google Cloud.`, {
    field,
    next: 'Write for example serviceAccount:NAME@PROJECT.iam.gserviceaccount.com, user:NAME@DOMAIN or principal://…. A secret is never granted to everybody.',
  })
}
