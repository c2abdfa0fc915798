/** Whether a field of a value says anything: an empty one and null mean the same as an absent one. */
export const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== ''
