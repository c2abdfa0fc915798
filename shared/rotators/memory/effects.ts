/** Every single call to the target passes here; a test may fail it before or after, or let somebody else in between. */
export type Effects = <T>(name: string, act: () => T) => Promise<T>
/** Carries each call out at once and only once: nothing fails and nobody comes in between. */
export const straight: Effects = async (_name, act) => act()
