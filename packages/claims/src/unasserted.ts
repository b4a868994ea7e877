import { Operations, type Batch, type Notifier } from '@mmu-notifier/core/steps'

/** A core whose waits and inserts are not asserted to be legal: so that what happens then is seen. */
export class Unasserted extends Operations {
  override async readBegin(notifier: Notifier): Promise<number> {
    const { seq, invalidating } = await this.lock.section(() => this.protocol.readBegin(notifier))
    if (invalidating) await this.collisionOver(seq)
    return seq
  }

  override async remove(notifier: Notifier): Promise<void> {
    const period = await this.lock.section(() => this.protocol.remove(notifier))
    if (period !== undefined) await this.periodOver(period)
    this.protocol.removed(notifier)
    this.outstanding--
    await this.mm.mmdrop()
  }

  override async insert(notifier: Notifier): Promise<void> {
    await this.registerIntervals()
    await this.enter([notifier], () => {
      this.protocol.insert(notifier)
      return []
    })
  }

  /** Takes the locks only when they are needed, and says so only then. */
  override async registerIntervals(): Promise<void> {
    const { mmapLock, rmapLock } = this.mm
    if (await this.intervals.read()) return
    await mmapLock.write(() => rmapLock.write(() => this.intervals.write(true)))
  }
}

/** A removal that returns when it is done. */
export class WaitingRemoval extends Unasserted {
  override async removeDeferred(notifier: Notifier): Promise<void> {
    await super.removeDeferred(notifier)
    await this.thawed()
  }

  protected thawed(): Promise<void> {
    return this.queue.until(() => this.protocol.seq.value % 2 === 0)
  }
}

/** An update that returns when it is done. */
export class WaitingUpdate extends WaitingRemoval {
  override async batch(batch: Batch<Notifier>): Promise<void> {
    await super.batch(batch)
    await this.thawed()
  }
}
