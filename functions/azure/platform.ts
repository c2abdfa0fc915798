import type { Platform } from '../../shared/app/platform.js'

/** What the app must know about Azure. */
export const azure: Platform = {
  isOwn: (ref) => ref.startsWith('azure:'),
}
