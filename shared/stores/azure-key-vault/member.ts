import { RotationError } from '../../core/errors.js'
import { oneLine } from './names.js'

const objectIdForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Checks who is granted something: the object id of an identity or a group in Microsoft Entra ID. bad_event with the field. */
export function assertMember(member: string, field: string): void {
  if (objectIdForm.test(member)) return
  throw new RotationError('bad_event', `"${oneLine(member)}" is not the object id of an identity of Azure.`, {
    field,
    next: 'Write its object id, which is a GUID and not the client id: az ad user show, az ad group show, az ad sp show and az identity show have it (principalId).',
  })
}
