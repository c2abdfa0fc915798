/** The cloud whose functions a bundle is for. scripts/functions.mjs defines it, and nothing else does. */
declare const KEYTURN_BUNDLED_CLOUD: string

const bundledFor = typeof KEYTURN_BUNDLED_CLOUD === 'undefined' ? undefined : KEYTURN_BUNDLED_CLOUD

/** Whether this bundle holds what carries the SDK of `cloud`. A bundle holds that of its own cloud only; what is no bundle holds all. */
export const isBundled = (cloud: string | undefined): boolean => cloud === undefined || bundledFor === undefined || cloud === bundledFor
