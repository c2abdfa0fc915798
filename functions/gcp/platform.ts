import type { Platform } from '../../shared/app/platform.js'

/** What the app must know about Google Cloud. */
export const gcp: Platform = {
  isOwn: (ref) => ref.startsWith('gcp:'),
}
