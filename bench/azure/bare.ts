import type { BlobOperation } from '../../test/harness/blob-faults.js'
import type { OperationName } from '../../test/harness/key-vault/operations.js'
import type { AzureBench } from './world.js'

const leaseId = '00000000-0000-4000-8000-000000000000'
const value = 'x'.repeat(200)
/** About as long as a journal. */
const document = 'x'.repeat(700)

/**
 * The same calls, one after another, by the vendor's clients alone: of another secret and another blob, with values as long. Where the store makes
 * two at once, these come one by one.
 */
export async function bareCalls(bench: AzureBench, name: string, act: () => Promise<void>): Promise<() => Promise<void>> {
  const { double, blobs } = bench.services
  const made: (OperationName | BlobOperation)[] = []
  double.fault = (call) => {
    made.push(call.name)
    return undefined
  }
  blobs.fault = ({ operation }) => {
    made.push(operation)
    return undefined
  }
  try {
    await act()
  } finally {
    double.fault = () => undefined
    blobs.fault = () => undefined
  }
  const secret = `bare-${name}`
  const { version = '' } = (await bench.vault.setSecret(secret, value)).properties
  const blob = bench.journals.getBlockBlobClient(secret)
  await blob.upload(document, document.length)
  const lease = blob.getBlobLeaseClient(leaseId)
  const calls: Partial<Record<OperationName | BlobOperation, () => Promise<unknown>>> = {
    GetSecret: () => bench.vault.getSecret(secret),
    SetSecret: () => bench.vault.setSecret(secret, value),
    UpdateSecret: () => bench.vault.updateSecretProperties(secret, version, { enabled: true }),
    GetSecretVersions: () => bench.vault.listPropertiesOfSecretVersions(secret).byPage().next(),
    read: async () => (await blob.download()).readableStreamBody?.resume(),
    write: async () => blob.upload(document, document.length, { conditions: { leaseId } }),
    acquire: () => lease.acquireLease(60),
    renew: () => lease.renewLease(),
    release: () => lease.releaseLease(),
  }
  // The first write of a rotation is its claim, before the lease.
  const isClaim = (index: number): boolean => made[index] === 'write' && !made.slice(0, index).includes('acquire')
  return async () => {
    for (const [index, one] of made.entries()) {
      if (isClaim(index)) await blob.upload(document, document.length)
      else await (calls[one] ?? missing(one))()
    }
  }
}

function missing(name: string): never {
  throw new Error(`Nothing here makes the call ${name}.`)
}
