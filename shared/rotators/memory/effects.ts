/** Every single call to the target passes through this. A test may fail it before or after, or let another process act in between. */
export type Effects = <T>(name: string, act: () => T) => Promise<T>
/** Carries out each call at once and only once: nothing fails, and nothing happens in between. */
export const straight: Effects = async (_name, act) => act()
