/**
 * Lets a process print no warning with this name; all others are printed as before. Google's client warns where it looks for credentials on a machine that
 * has none. Our own error says then what to do.
 */
export function withoutWarning(name: string, warns: NodeJS.Process): void {
  const printers = warns.listeners('warning')
  warns.removeAllListeners('warning')
  warns.on('warning', (warning) => {
    if (warning.name !== name) for (const print of printers) print(warning)
  })
}
