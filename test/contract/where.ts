/** Whether an entry of the harnesses is about what is only in memory: it starts no server. */
export const isMemory = ([kind]: readonly [string, unknown]): boolean => kind.startsWith('memory')
