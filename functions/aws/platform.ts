import type { Platform } from '../../shared/app/platform.js'
import { passwordWishes } from './password-wishes.js'

/** What the app must know about AWS. */
export const aws: Platform = {
  isOwn: (ref) => /^(aws|arn):/.test(ref),
  /** Where AWS keeps the authorities of RDS in its Node runtimes; from Node 20 on they are not loaded automatically. */
  authorities: {
    file: '/var/runtime/ca-cert.pem',
    endings: ['.rds.amazonaws.com', '.rds.cn-north-1.amazonaws.com.cn', '.rds.cn-northwest-1.amazonaws.com.cn'],
  },
  passwordWishes,
}
