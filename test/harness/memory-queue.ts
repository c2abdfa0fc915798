import type { Queue, Work } from '../../shared/core/ports/queue.js'

interface Message {
  readonly work: Work
  readonly notBefore: number
}

/** A queue that knows nothing of what it carries: it keeps every message, and gives them out in the order that a test asks for. */
export class MemoryQueue implements Queue {
  readonly sent: Message[] = []
  readonly delayMsMax: number
  /** What sending throws, where a test says so. */
  fault: (work: Work) => Error | undefined = () => undefined
  constructor(delayMsMax = 30 * 86_400_000) {
    this.delayMsMax = delayMsMax
  }

  async send(work: Work, notBefore = 0): Promise<void> {
    const fault = this.fault(work)
    if (fault !== undefined) throw fault
    this.sent.push({ work: JSON.parse(JSON.stringify(work)) as Work, notBefore })
  }

  /** Takes out what may be delivered by now. */
  take(now: number): readonly Work[] {
    const due = this.sent.filter(({ notBefore }) => notBefore <= now)
    for (const one of due) this.sent.splice(this.sent.indexOf(one), 1)
    return due.map(({ work }) => work)
  }
}
