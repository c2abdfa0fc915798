/** Every single call to the target passes here; a test may fail it before or after, or let somebody else in between. */
export type Effects = <T>(name: string, act: () => T) => Promise<T>
export const straight: Effects = async (_name, act) => act()
